"""A budget is a limit, not a target: what is spent of it where people would see it."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_sample_image

from unlearnable.images.budget import Budget, difference
from unlearnable.images.strength import ASKED, within
from unlearnable.images.visibility import CROP, visibility
from unlearnable.options import Strength

BUDGET = Budget("rms", 8)


def noise(shape: tuple[int, ...], scale: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, scale, shape).astype(np.float32)


def waves(shape: tuple[int, ...]) -> np.ndarray:
    """Of 24 px: anybody sees them."""
    waves = np.broadcast_to(15 * np.sin(np.arange(shape[1]) * np.pi / 12)[:, None], shape)
    return waves.astype(np.float32) + noise(shape, 1)


@pytest.fixture(scope="module")
def flower() -> np.ndarray:
    return np.ascontiguousarray(load_sample_image("flower.jpg")[100:324, 200:424])


def test_every_strength_but_the_full_one_asks_for_something():
    assert {*ASKED, "full"} == {*get_args(Strength)}
    asked = [ASKED[name] for name in ("light", "standard", "strong")]
    for field in ("small", "screen", "crop"):
        scores = [getattr(one, field) for one in asked]
        assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("strength", ["light", "standard", "strong"])
def test_a_picture_keeps_the_score_that_is_asked_for_and_is_not_weaker_than_need_be(flower, strength):
    published, limit = within(flower, waves(flower.shape), BUDGET, strength)
    seen = visibility(flower, published)
    assert limit == "screen"
    assert ASKED[strength].small <= seen.ssimulacra2 < ASKED[strength].small + 2.5
    assert BUDGET.holds(flower, published)


def test_a_large_picture_keeps_the_score_of_its_worst_crop():
    china = load_sample_image("china.jpg")
    assert max(china.shape) > CROP
    change = noise(china.shape, 0.5)
    change[:, :200] += 25 * np.sin(np.arange(200) / 4)[:, None]  # in one part alone, the sky in it
    published, limit = within(china, change, BUDGET, "standard")
    seen = visibility(china, published)
    assert limit in ("crop", "screen")
    assert seen.worst_crop >= ASKED["standard"].crop and seen.ssimulacra2 >= ASKED["standard"].screen - 0.5


def test_what_nobody_sees_is_held_by_the_budget_alone(flower):
    change = noise(flower.shape, 0.8)
    published, limit = within(flower, change, BUDGET, "standard")
    assert limit == "budget" and np.array_equal(published, BUDGET.project(flower, change))


def test_the_full_strength_is_the_budget(flower):
    change = waves(flower.shape)
    published, limit = within(flower, change, BUDGET, "full")
    assert limit == "budget" and np.array_equal(published, BUDGET.project(flower, change))
    assert 7.5 < difference(flower, published)[1] <= 8


@settings(max_examples=10)
@given(
    height=st.integers(8, 60),
    width=st.integers(8, 60),
    channels=st.sampled_from([1, 3]),
    scale=st.floats(0, 60),
    seed=st.integers(0, 1000),
)
def test_any_picture_keeps_it(height, width, channels, scale, seed):
    original = np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)
    published, _ = within(original, noise(original.shape, scale, seed + 1), BUDGET, "light")
    assert visibility(original, published).ssimulacra2 >= ASKED["light"].small
    assert BUDGET.holds(original, published)


@pytest.mark.parametrize("budget", ["linf:8", "l0:1"])
def test_a_budget_that_is_not_one_of_energy_is_refused(flower, budget):
    with pytest.raises(ValueError, match="rms:8"):
        within(flower, noise(flower.shape, 3), Budget.parse(budget), "standard")
