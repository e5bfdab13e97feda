"""What every registered protection promises."""

from dataclasses import replace

import pytest
import torch

from unlearnable.budget import Budget, difference
from unlearnable.images import load
from unlearnable.protections import Protection, protections

QUICK = {  # the same algorithms, a little of each
    "entf": "entf:surrogate=resnet9:width=2,recipe=quick:epochs=1,passes=2",
    "tap": "tap:surrogate=resnet9:width=2,recipe=quick:epochs=1,passes=2,restarts=2",
}


@pytest.fixture(scope="module")
def toy():
    return load("toy:count=12")


@pytest.fixture(params=list(protections))
def protection(request) -> Protection:
    return protections.make(QUICK.get(request.param, request.param))


def test_published_set_keeps_shape_labels_and_budget(protection, toy):
    published = protection(toy, seed=3)
    assert published.images.shape == toy.images.shape
    assert published.images.dtype == torch.uint8
    assert torch.equal(published.labels, toy.labels)
    budget = Budget.parse(protection.budget)
    for before, after in zip(toy.images, published.images, strict=True):
        pair = before.permute(1, 2, 0).numpy(), after.permute(1, 2, 0).numpy()
        assert budget.holds(*pair)
        assert difference(*pair)[0] > 0


def test_deterministic_in_the_seed(protection, toy):
    first = protection(toy, seed=3).images
    assert torch.equal(first, protection(toy, seed=3).images)
    assert not torch.equal(first, protection(toy, seed=4).images)


def test_the_budget_can_be_chosen(protection, toy):
    published = replace(protection, budget="linf:2")(toy)
    assert (published.images.int() - toy.images.int()).abs().max() <= 2
