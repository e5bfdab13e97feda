"""What people see of a change, by two measures from their packages."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_sample_image

from unlearnable.images.budget import Pixels
from unlearnable.images.visibility import CROP, Visibility, VisibilitySummary, visibility


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
    assert scores[0] > 85 and scores[-1] < 10


def test_colour_is_seen_more_than_as_much_light(flower):
    wave = 8 * np.sin(np.arange(flower.shape[1]) / 2)[None, :, None] * np.ones((1, 1, 3))
    light = (flower + wave).clip(0, 255).round().astype(np.uint8)
    colour = (flower + wave * [1, 0, -1]).clip(0, 255).round().astype(np.uint8)
    assert visibility(flower, light).ssimulacra2 > visibility(flower, colour).ssimulacra2 + 10


def test_a_scar_in_a_large_picture_is_found_at_full_size():
    large = np.random.default_rng(0).integers(90, 160, (1500, 2300, 3), dtype=np.uint8)
    large[900:1300, 1500:2000] = 128  # calm: here it is seen
    scarred = large.copy()
    scarred[1000:1060, 1700:1760, 0] += 60
    found = visibility(large, scarred)
    assert found.worst_crop < found.ssimulacra2 - 5


@settings(max_examples=15)
@given(st.integers(8, 40), st.sampled_from([8, 30, CROP + 1, 1300]), st.sampled_from([1, 3]))
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
