import pytest
import torch

from unlearnable.compute.devices import (
    at_once,
    best_device,
    device_named,
    draw_on,
    fast,
    fastest_dtype,
    generators,
    has_fast_bf16,
    name_of,
    seeded,
)

CPU = torch.device("cpu")


@pytest.fixture
def cpu_with(monkeypatch):
    """Let the CPU have these units."""

    def pretend(**units):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: units)
        has_fast_bf16.cache_clear()

    yield pretend
    has_fast_bf16.cache_clear()


@pytest.mark.parametrize("height, width, expected", [(32, 32, 512), (32, 64, 256), (224, 224, 10), (2000, 2000, 1)])
def test_as_many_at_once_as_have_so_many_pixels_and_at_least_one(height, width, expected):
    images = torch.zeros(1, 3, 1, 1).expand(2, 3, height, width)
    assert at_once(images) == expected
    assert at_once(images, pixels=height * width * 7) == 7


@pytest.mark.parametrize("here", [True, False])
def test_the_best_device_is_cuda_where_there_is_one(here, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: here)
    assert best_device().type == ("cuda" if here else "cpu")


@pytest.mark.parametrize("name", ["gpu0", "cpu:x", "", "cuda:99"])
def test_a_device_that_is_not_here(name):
    with pytest.raises(ValueError, match=f"expected a torch device that is here, such as cpu; got '{name}': ."):
        device_named(name)


def test_a_device_that_is_here():
    assert device_named("cpu") == CPU
    assert device_named(None) == best_device()


@pytest.mark.parametrize(
    "units, gains",
    [
        ({"amx_bf16": True}, True),
        ({"avx512_bf16": True}, True),
        ({"avx2": True, "amx_bf16": False}, False),
        ({}, False),
    ],
)
def test_bf16_is_for_cpus_that_have_units_for_it(units, gains, cpu_with):
    cpu_with(**units)
    assert fastest_dtype(CPU) == (torch.bfloat16 if gains else torch.float32)
    with fast(CPU):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == fastest_dtype(CPU)


@pytest.mark.parametrize("generation, gains", [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_bf16_is_for_gpus_from_ampere_on(generation, gains, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: generation)
    assert has_fast_bf16.__wrapped__(torch.device("cuda:0")) == gains


def test_the_seed_decides_what_is_drawn_inside_and_nothing_outside():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with seeded(7, CPU):
        first = torch.rand(3)
    assert torch.equal(torch.rand(3), expected)
    with seeded(7, CPU):
        assert torch.equal(torch.rand(3), first)
    with seeded(8, CPU):
        assert not torch.equal(torch.rand(3), first)


def test_generators_draw_on_from_where_they_stood():
    with seeded(7, CPU):
        states = generators(CPU)
        first = torch.rand(3)
        draw_on(states | {"of somebody else": torch.zeros(1)}, CPU)
        assert torch.equal(torch.rand(3), first)


def test_a_device_has_a_name(cpu_with):
    cpu_with(cpu_name="a made up processor")
    assert name_of(CPU) == "a made up processor"
    cpu_with()
    assert name_of(CPU) == "cpu"
