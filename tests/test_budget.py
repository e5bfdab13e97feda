import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from unlearnable.images.budget import Budget, difference

budgets = st.builds(Budget, st.just("rms"), st.floats(0.05, 64)) | st.builds(Budget, st.just("linf"), st.floats(1, 64))
shapes = st.tuples(st.integers(1, 12), st.integers(1, 12), st.sampled_from([1, 3]))


@st.composite
def pictures_and_changes(draw):
    shape = draw(shapes)
    pictures = draw(hnp.arrays(np.uint8, shape))
    changes = draw(hnp.arrays(np.float32, shape, elements=st.floats(-300, 300, width=32)))
    return pictures, changes


@given(budgets, pictures_and_changes())
def test_the_rounded_picture_is_inside_the_budget(budget, case):
    original, change = case
    published = budget.project(original, change)
    assert published.dtype == np.uint8
    assert budget.holds(original, published)
    gap = published.astype(float) - original
    size = np.sqrt((gap**2).mean()) if budget.norm == "rms" else np.abs(gap).max()
    assert size <= budget.radius + 1e-9


@given(pictures_and_changes())
def test_a_small_change_is_left_as_it_is(case):
    original, change = case
    published = Budget("linf", 255.0).project(original, change)
    expected = np.clip(original.astype(np.float64) + np.rint(change).clip(-255, 255), 0, 255)
    assert np.array_equal(published, expected)


def test_the_budget_is_spent():
    rng = np.random.default_rng(0)
    original = rng.integers(60, 200, (64, 64, 3), dtype=np.uint8)
    change = rng.normal(0, 20, original.shape).astype(np.float32)
    assert 7.9 < difference(original, Budget("rms", 8.0).project(original, change))[1] <= 8
    assert difference(original, Budget("linf", 8.0).project(original, change))[0] == 8


def test_bands_do_not_change_the_result(monkeypatch):
    rng = np.random.default_rng(0)
    original = rng.integers(0, 256, (50, 20, 3), dtype=np.uint8)
    change = rng.normal(0, 20, original.shape).astype(np.float32)
    whole = Budget().project(original, change)
    monkeypatch.setattr("unlearnable.images.budget.BAND_VALUES", 200)
    assert np.array_equal(Budget().project(original, change), whole)


@pytest.mark.parametrize("budget", [Budget("rms", 8.0), Budget("linf", 8.0)])
def test_what_is_not_finite_is_refused(budget):
    change = np.full((4, 4, 3), np.nan, np.float32)
    with pytest.raises(ValueError, match="finite"):
        budget.project(np.zeros((4, 4, 3), np.uint8), change)


def test_text():
    assert str(Budget.parse("rms:8")) == "rms:8"
    assert str(Budget.parse("rms:7.1234567")) == "rms:7.1234567"
    assert Budget.parse("linf:4.5") == Budget("linf", 4.5)
    outside = ("rms:0", "rms:-1", "rms:999", "linf:nan", "l0:inf", "linf:0.5", "linf:0.9995")
    for wrong in ("rms", "8", "l2:8", "rms:x", *outside):
        with pytest.raises(ValueError, match="expected a budget such as rms:8"):
            Budget.parse(wrong)
