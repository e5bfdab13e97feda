"""What people see of a change, by two measures from their packages."""

import io
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_sample_image

from unlearnable.images.budget import Pixels
from unlearnable.images.visibility import (
    CROP,
    CROPS,
    Visibility,
    VisibilitySummary,
    in_words,
    promising_crops,
    spread_out,
    visibility,
    worst_crop,
)


def jpeg(pixels: Pixels, quality: int) -> Pixels:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


@pytest.fixture(scope="module")
def flower() -> Pixels:
    return np.ascontiguousarray(load_sample_image("flower.jpg")[100:340, 200:480])


def test_nothing_is_seen_where_nothing_differs(flower):
    assert visibility(flower, flower) == Visibility(100.0, 100.0, 0.0)


def test_less_is_seen_of_jpeg_the_better_it_is(flower):
    measured = [visibility(flower, jpeg(flower, quality)) for quality in (95, 75, 50, 30, 10)]
    scores, flips = [one.ssimulacra2 for one in measured], [one.flip for one in measured]
    assert scores == sorted(scores, reverse=True) and flips == sorted(flips)
    assert scores[0] > 80 and scores[-1] < 10


def test_jpeg_is_as_visible_as_was_measured_elsewhere():
    """What the package gave for the whole picture, and about what its author says of these qualities."""
    flower = load_sample_image("flower.jpg")
    scores = {quality: visibility(flower, jpeg(flower, quality)).ssimulacra2 for quality in (75, 50, 10)}
    assert scores == pytest.approx({75: 71.7, 50: 58.0, 10: -26.4}, abs=1)


@pytest.mark.parametrize("period", [6, 12.5])
def test_a_small_crop_is_seen_like_the_large_picture_that_it_is_from(period):
    """At 224 px the package has five scales of six and counts long waves of light for half of what they are."""
    large = load_sample_image("china.jpg")
    waved = (large + 11 * np.sin(np.arange(640) * 2 * np.pi / period)[:, None]).clip(0, 255).round().astype(np.uint8)
    crops = [np.ascontiguousarray(picture[100:324, 200:424]) for picture in (large, waved)]
    assert abs(visibility(large, waved).ssimulacra2 - visibility(*crops).ssimulacra2) < 15


def test_a_scar_in_a_large_picture_is_found_at_full_size():
    large = np.random.default_rng(0).integers(90, 160, (1500, 2300, 3), dtype=np.uint8)
    large[900:1300, 1500:2000] = 128  # calm: here it is seen
    scarred = large.copy()
    scarred[1000:1060, 1700:1760, 0] += 60
    found = visibility(large, scarred)
    assert found.worst_crop < found.ssimulacra2 - 5
    before, after = worst_crop(large, scarred)
    assert before.shape == after.shape == (CROP, CROP, 3)
    assert np.count_nonzero((before != after).any(2)) == 60 * 60  # all of the scar


def test_the_crops_of_a_picture_overlap_by_half_at_most():
    grain = np.random.default_rng(0).integers(0, 256, (1000, 1300, 3), dtype=np.uint8)
    crops = promising_crops(grain, 255 - grain)
    assert len(crops) == CROPS
    for one, other in itertools.combinations(crops, 2):
        covered = [np.zeros(grain.shape[:2], bool) for _ in range(2)]
        covered[0][one], covered[1][other] = True, True
        assert (covered[0] & covered[1]).sum() <= CROP**2 / 2


def test_a_picture_that_fits_into_a_crop_is_its_own_worst(flower):
    before, after = worst_crop(flower, 255 - flower)
    assert np.array_equal(before, flower) and np.array_equal(after, 255 - flower)


@settings(max_examples=8)
@given(st.integers(8, 40), st.sampled_from([8, 30, CROP + 1]), st.sampled_from([1, 3]))
def test_any_shape_from_eight_pixels(height, width, channels):
    pixels = np.random.default_rng(height).integers(0, 256, (height, width, channels), dtype=np.uint8)
    changed = (pixels.astype(int) + 20).clip(0, 255).astype(np.uint8)
    found = visibility(pixels, changed)
    assert found.worst_crop <= 100 and found.ssimulacra2 <= 100 and 0 < found.flip <= 1


def test_a_grey_picture_is_seen_as_the_same_in_three_channels(flower):
    grey = flower[..., 1:2]
    assert visibility(grey, jpeg(grey[..., 0], 40)[..., None]) == visibility(
        np.repeat(grey, 3, 2), np.repeat(jpeg(grey[..., 0], 40)[..., None], 3, 2)
    )


def test_too_small_to_be_measured():
    tiny = np.zeros((7, 300, 3), np.uint8)
    assert visibility(tiny, tiny) is None


def test_summary_of_several():
    measured = [Visibility(float(score), float(score - 5), 0.1) for score in range(11)]
    assert VisibilitySummary.of(measured) == VisibilitySummary(11, 5.0, 1.0, 0.0, -5.0, 0.1)
    assert VisibilitySummary.of([]) is None


@given(st.integers(0, 40), st.integers(1, 12))
def test_a_sample_is_from_all_over(length, count):
    chosen = spread_out(range(length), count)
    assert len(chosen) == min(length, count) and chosen == sorted(set(chosen))
    assert not length or (chosen[0] == 0 and chosen[-1] >= length - length // len(chosen) - 1)


@pytest.mark.parametrize(
    "score, words",
    [
        (95, "such that nobody sees it"),
        (71, "about as visible as JPEG 75"),
        (-12, "about as visible as JPEG 10"),
        (-60, "more visible than JPEG 10"),
    ],
)
def test_a_score_in_words(score, words):
    assert in_words(score) == words
