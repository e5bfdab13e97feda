import pytest
import torch

from unlearnable.countermeasures import countermeasure_named
from unlearnable.datasets import load
from unlearnable.hider_training.distortions import OPERATIONS, Distortion
from unlearnable.images.imageset import to_bytes


@pytest.fixture(scope="module")
def pictures():
    return load("toy:count=8,size=32").images.float() / 255


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_is_a_picture_again_and_has_a_gradient(name, pictures):
    operation = OPERATIONS[name][1]
    given = pictures.clone().requires_grad_()
    distorted = operation(given, seeded())
    assert distorted.shape == pictures.shape
    assert distorted.min() >= -1e-6 and distorted.max() <= 1 + 1e-6
    assert torch.equal(distorted, operation(given, seeded()))
    assert not torch.equal(distorted, pictures)
    (gradient,) = torch.autograd.grad(distorted.square().sum(), given)
    assert gradient.isfinite().all() and gradient.abs().sum() > 0


@pytest.mark.parametrize(("name", "countermeasure"), [("mean", "mean"), ("median", "median"), ("grey", "gray")])
def test_filters_are_those_of_the_countermeasures(name, countermeasure, pictures):
    expected = countermeasure_named(countermeasure).transform(to_bytes(pictures * 255))
    ours = OPERATIONS[name][1](pictures, seeded()) * 255
    assert (ours - expected).abs().max() < 1.01


def test_posterised_pictures_have_few_values(pictures):
    for seed in range(6):
        assert len(OPERATIONS["bits"][1](pictures, seeded(seed)).unique()) <= 16


def test_how_often(pictures):
    never, always = Distortion(0.0), Distortion(1.0)
    assert never(pictures, seeded()) is pictures
    distorted = [always(pictures, seeded(seed)) for seed in range(20)]
    assert not any(torch.equal(one, pictures) for one in distorted)
    assert sum(not torch.equal(Distortion(0.5)(pictures, seeded(seed)), pictures) for seed in range(100)) in range(
        30, 70
    )
