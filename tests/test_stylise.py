import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samples import picture
from unlearnable.images.imageset import LUMA
from unlearnable.semantics.stylise import DARK, LIGHT, _colour, redraw, shape_of
from unlearnable.semantics.thumbnails import distances, standardised, thumbnail


def photograph(seed: int, side: int):
    return np.asarray(picture(seed, side, side))


@pytest.fixture(scope="module")
def shapes():
    return [shape_of(photograph(seed, 64)) for seed in range(4)]


def test_regions_cover_the_picture_and_keep_the_order_of_light(shapes):
    for seed, shape in enumerate(shapes):
        np.testing.assert_allclose(shape.masks.sum(0), 1)
        assert DARK <= shape.lumas.min() < shape.lumas.max() <= LIGHT
        assert shape.lines.min() >= 0 and shape.lines.max() <= 1
        grey = photograph(seed, 64) @ LUMA
        means = [(mask * grey).sum() / mask.sum() for mask in shape.masks]
        assert np.corrcoef(means, shape.lumas)[0, 1] > 0.9


def test_samples_share_the_shape_and_differ_in_colour_and_texture(shapes):
    samples = [[redraw(shape, np.random.default_rng(seed)) for seed in range(4)] for shape in shapes]
    assert samples[0][0].shape == (3, 64, 64)
    small = [np.stack([thumbnail(sample) for sample in of_class]) for of_class in samples]
    measured = distances(small)
    assert measured["within"] < 0.1 < 0.5 < measured["between"]
    for label, of_class in enumerate(samples):
        grey = standardised(thumbnail(photograph(label, 64).transpose(2, 0, 1)))
        assert (grey * standardised(small[label].mean(0))).mean() > 0.6
        assert np.abs(of_class[0].astype(int) - of_class[1]).mean() > 10


def test_deterministic(shapes):
    first, again, other = (redraw(shapes[0], np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert np.array_equal(shape_of(photograph(0, 64)).masks, shapes[0].masks)


@pytest.mark.parametrize("side", [16, 33, 200])
def test_any_size_and_photographs_without_shape(side):
    for pixels in (photograph(0, side), np.zeros((side, side, 3), np.uint8), np.full((side, side, 3), 255, np.uint8)):
        drawn = redraw(shape_of(pixels), np.random.default_rng(0))
        assert drawn.shape == (3, side, side)
        assert drawn.std() > 5


@settings(max_examples=50)
@given(seed=st.integers(0, 2**32 - 1), luma=st.floats(0, 1))
def test_colours_have_their_luma_and_are_possible(seed, luma):
    colour = _colour(np.random.default_rng(seed), luma)
    assert abs(colour @ LUMA - luma) < 1e-9
    assert colour.min() >= -1e-9 and colour.max() <= 1 + 1e-9
