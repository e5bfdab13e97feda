"""What every registered protection promises."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from quick import QUICK
from samples import opened
from sets import noisy
from unlearnable.datasets import load
from unlearnable.images.budget import Budget, difference
from unlearnable.images.imageset import ImageSet
from unlearnable.protections import Protection, protections
from unlearnable.protections.base import Streaming
from unlearnable.protections.surrogate import OnSurrogate

SEEDLESS = {"ops"}  # they draw nothing


@pytest.fixture(scope="module")
def toy():
    return load("toy:count=12")


@pytest.fixture(params=list(protections))
def name(request) -> str:
    return request.param


@pytest.fixture
def protection(name) -> Protection:
    return protections.make(QUICK.get(name, name))


def coloured(labels: list[int], classes: int, height: int = 16, width: int = 16) -> ImageSet:
    return ImageSet(noisy(len(labels), height, width), torch.tensor(labels), tuple(map(str, range(classes))))


def pairs(clean, published):
    """Pictures before and after, channels last."""
    for before, after in zip(clean.images, published.images, strict=True):
        yield before.permute(1, 2, 0).numpy(), after.permute(1, 2, 0).numpy()


def check(protection, clean, published):
    """It is the same set, within the budget."""
    assert published.images.shape == clean.images.shape and published.images.dtype == torch.uint8
    assert torch.equal(published.labels, clean.labels) and published.classes == clean.classes
    budget = Budget.parse(protection.budget)
    assert all(budget.holds(before, after) for before, after in pairs(clean, published))


def test_every_picture_changes_within_the_budget(protection, toy):
    published = protection(toy, seed=3)
    check(protection, toy, published)
    assert all(difference(before, after)[0] > 0 for before, after in pairs(toy, published))


def test_the_written_files_keep_the_budget(protection, toy, tmp_path):
    protection(toy, seed=3).save(tmp_path / "set")
    files = sorted((tmp_path / "set").rglob("*.png"), key=lambda file: int(file.stem))
    written = torch.from_numpy(np.stack([np.asarray(opened(file)) for file in files])).permute(0, 3, 1, 2)
    assert [file.parent.name for file in files] == [toy.classes[label] for label in toy.labels]
    check(protection, toy, replace(toy, images=written))


def test_the_set_stays_as_it_is(protection, toy):
    images, labels = toy.images.clone(), toy.labels.clone()
    protection(toy, seed=3)
    assert torch.equal(toy.images, images) and torch.equal(toy.labels, labels)


def test_the_seed_decides_and_nothing_else(name, protection, toy):
    torch.manual_seed(1)
    first = protection(toy, seed=3).images
    torch.manual_seed(2)
    state = torch.get_rng_state()
    assert torch.equal(first, protection(toy, seed=3).images)
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(first, protection(toy, seed=4).images) == (name in SEEDLESS)


def test_the_budget_can_be_chosen(protection, toy):
    for budget in ("linf:2", "rms:1.5", "l0:3"):
        chosen = replace(protection, budget=budget)
        check(chosen, toy, chosen(toy))


def test_a_wrong_budget_is_refused_before_any_work(protection):
    with pytest.raises(ValueError, match="expected a budget such as"):
        replace(protection, budget="l2:8")


@pytest.mark.parametrize("norm", ["rms", "linf", "l0"])
def test_a_strength_counts_what_the_native_budget_counts(protection, norm):
    native, pixels = Budget.parse(type(protection).budget), norm == "l0"
    expected = 3 if pixels == (native.norm == "l0") else native.radius
    assert replace(protection, budget=f"{norm}:3").radius == expected


@pytest.mark.parametrize("classes", [2, 100])
def test_any_number_of_classes(protection, classes):
    data = coloured([place % classes for place in range(max(8, classes))], classes)
    check(protection, data, protection(data))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(coloured([0, 1, 2, 3], 4), id="one picture a class"),
        pytest.param(coloured([0, 2] * 3, 3), id="a class without pictures"),
        pytest.param(coloured([0, 1] * 4, 2, 16, 20), id="no square"),
        pytest.param(coloured([0, 1] * 4, 2, 72, 72), id="large"),
    ],
)
def test_what_is_odd_is_served(protection, data):
    check(protection, data, protection(data))


@pytest.mark.parametrize(
    "data, why",
    [
        pytest.param(coloured([0] * 6, 1), "of two classes or more", id="one class"),
        pytest.param(coloured([0, 1] * 4, 2, 3, 3), "that .* can take, got 3x3", id="tiny"),
    ],
)
def test_what_leaves_a_surrogate_nothing_to_learn_is_refused_by_those_that_need_one(protection, data, why):
    if isinstance(protection, OnSurrogate):
        with pytest.raises(ValueError, match=f"expected pictures {why}"):
            protection(data)
    else:
        check(protection, data, protection(data))


def test_streamed_pictures_depend_on_nothing_but_themselves(protection):
    if not isinstance(protection, Streaming):
        pytest.skip("it looks at all pictures together")
    data = coloured([0, 1, 2, 1, 0, 2, 2], 3)
    numbers = torch.tensor([5, 2**32 - 1, 7, 0, 1, 2**31, 11])
    perturb = protection.perturber(3, seed=3)
    whole = perturb(data.images, data.labels, numbers)
    perturb(noisy(2, 40, 30), data.labels[:2], numbers[:2])  # of another size in between
    for chosen in (torch.tensor([6, 3, 1]), torch.tensor([4])):
        part = protection.perturber(3, seed=3)(data.images[chosen], data.labels[chosen], numbers[chosen])
        torch.testing.assert_close(part, whole[chosen], rtol=0, atol=1e-4)
        again = perturb(data.images[chosen], data.labels[chosen], numbers[chosen])
        torch.testing.assert_close(again, part, rtol=0, atol=1e-4)
