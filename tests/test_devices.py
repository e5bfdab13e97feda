import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unlearnable.compute import devices
from unlearnable.compute.devices import (
    at_once,
    best_device,
    device_named,
    fast,
    fastest_dtype,
    generator_states,
    has_fast_bf16,
    name_of,
    restore_generators,
    seeded,
)

CPU = torch.device("cpu")
seeds = st.integers(0, 2**63 - 1)


@pytest.fixture(autouse=True)
def fresh():
    """What a machine can do is asked once a process; here it is another in every test."""
    has_fast_bf16.cache_clear()
    yield
    has_fast_bf16.cache_clear()


@pytest.mark.parametrize("height, width, expected", [(32, 32, 512), (32, 64, 256), (224, 224, 10), (2000, 2000, 1)])
def test_as_many_at_once_as_have_so_many_pixels_and_at_least_one(height, width, expected):
    images = torch.zeros(1, 3, 1, 1).expand(2, 3, height, width)
    assert at_once(images) == expected
    assert at_once(images, pixels=height * width * 7) == 7


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 1 << 22))
def test_no_more_pixels_at_once_than_asked_and_no_picture_less_than_fits(height, width, pixels):
    count = at_once(torch.zeros(1, 3, 1, 1).expand(1, 3, height, width), pixels)
    assert count == 1 or count * height * width <= pixels
    assert (count + 1) * height * width > pixels


@given(seeds, seeds)
def test_what_is_drawn_inside_depends_on_the_seed_alone(seed, before):
    torch.manual_seed(before)
    with seeded(seed, CPU):
        first = torch.rand(4), torch.randperm(9)
    torch.rand(3)
    with seeded(seed, CPU):
        again = torch.rand(4), torch.randperm(9)
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])
    with seeded((seed + 1) % 2**63, CPU):
        assert not torch.equal(torch.rand(4), first[0])


@given(seeds, seeds)
def test_what_is_drawn_outside_does_not_depend_on_the_seed(seed, before):
    torch.manual_seed(before)
    expected = torch.rand(4)
    torch.manual_seed(before)
    with seeded(seed, CPU):
        torch.rand(random.randrange(1, 9))
    assert torch.equal(torch.rand(4), expected)


def test_generators_and_cudnn_are_put_back_when_something_fails():
    before, flags = torch.get_rng_state(), torch.backends.cudnn.deterministic
    with pytest.raises(KeyError), seeded(3, CPU):
        assert torch.backends.cudnn.deterministic and not torch.backends.cudnn.benchmark
        torch.rand(2)
        raise KeyError
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.backends.cudnn.deterministic is flags


@given(seeds, st.integers(0, 20))
def test_draws_go_on_from_where_the_generators_stood(seed, drawn):
    with seeded(seed, CPU):
        torch.rand(drawn)
        states = generator_states(CPU)
        expected = torch.rand(4)
        restore_generators(states | {"weight": torch.zeros(1)}, CPU)
        assert torch.equal(torch.rand(4), expected)


def test_a_cpu_without_units_for_bf16_computes_in_fp32(monkeypatch):
    for capabilities, dtype in (
        ({}, torch.float32),
        ({"avx512_bf16": False, "amx_bf16": False}, torch.float32),
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True}, torch.bfloat16),
    ):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda capabilities=capabilities: capabilities)
        has_fast_bf16.cache_clear()
        assert fastest_dtype(CPU) == dtype
        with fast(CPU):
            product = torch.ones(2, 2) @ torch.ones(2, 2)
        assert product.dtype == dtype


@pytest.mark.parametrize(
    "capability, dtype", [((7, 5), torch.float32), ((8, 0), torch.bfloat16), ((9, 0), torch.bfloat16)]
)
def test_bf16_on_cuda_from_ampere_on(capability, dtype, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert fastest_dtype(torch.device("cuda", 0)) == dtype


def test_what_is_neither_cpu_nor_cuda_computes_in_fp32():
    assert fastest_dtype(torch.device("meta")) == torch.float32


@pytest.mark.parametrize("there, expected", [(True, "cuda"), (False, "cpu")])
def test_the_best_device_is_cuda_where_there_is_one(there, expected, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert best_device() == device_named(None) == torch.device(expected)


def test_a_device_by_name():
    assert device_named("cpu") == CPU
    assert device_named("meta") == torch.device("meta")


@pytest.mark.parametrize("name", ["gpu", "", "cpu:x", "cuda:4711"])
def test_a_device_that_is_not_here_is_refused_by_name(name):
    with pytest.raises(ValueError, match=rf"expected a torch device that is here, such as cpu; got '{name}'"):
        device_named(name)


def test_what_a_device_calls_itself(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"cpu_name": "Abacus 3"})
    assert name_of(CPU) == "Abacus 3"
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    assert name_of(CPU) == "cpu"
    monkeypatch.setattr(devices.torch.cuda, "get_device_name", lambda device: f"card {device.index}")
    assert name_of(torch.device("cuda", 1)) == "card 1"
