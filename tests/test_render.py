import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from unlearnable.keys import Key
from unlearnable.semantics.render import (
    FIRST,
    FOURTH,
    MAX_CLASSES,
    SECOND,
    STYLES,
    THIRD,
    render,
    scene,
    slowest_wave,
)
from unlearnable.semantics.secrets import RenderedSecrets
from unlearnable.semantics.silhouettes import GLYPHS, coverage
from unlearnable.semantics.thumbnails import SIDE

KEY, OTHER = Key(bytes(range(32))), Key(bytes(32))


def standardised(picture):
    centred = picture - picture.mean()
    return (centred / np.linalg.norm(centred)).ravel()


def test_deterministic_in_key_class_and_index():
    first = render(KEY, 3, 7, 48, 64)
    assert first.shape == (3, 48, 64)
    assert np.array_equal(first, render(KEY, 3, 7, 48, 64))
    for other in (render(OTHER, 3, 7, 48, 64), render(KEY, 4, 7, 48, 64), render(KEY, 3, 8, 48, 64)):
        assert not np.array_equal(first, other)


def test_a_thousand_classes_are_clearly_different():
    assert len(set(GLYPHS)) == len(GLYPHS) == 48
    scenes = [scene(KEY, label) for label in range(MAX_CLASSES)]
    assert len({(s.fields, s.weave, s.sign) for s in scenes}) == MAX_CLASSES
    tones = np.stack([standardised(s.tone(SIDE, SIDE)) for s in scenes])
    similar = tones @ tones.T - 2 * np.eye(MAX_CLASSES)
    assert similar.max() < 0.97
    assert similar[:10, :10].max() < 0.75


def test_variations_share_the_shape_and_differ_in_texture_and_colour():
    """What is seen of any variation is nearest to its own class's shape among a hundred."""
    secrets = RenderedSecrets(KEY)
    tones = np.stack([standardised(secrets.shape(label, 64, 64)) for label in range(100)])
    for label in range(0, 100, 9):
        pictures = [render(KEY, label, index, 64, 64) for index in (0, 1, 12345)]
        for picture in pictures:
            assert (tones @ standardised(secrets.seen(picture))).argmax() == label
        assert np.abs(pictures[0].astype(int) - pictures[1]).mean() > 5


@pytest.mark.parametrize("size", [(8, 8), (17, 61), (1, 1), (224, 224)])
def test_any_size(size):
    picture = render(KEY, 0, 0, *size)
    assert picture.shape == (3, *size)
    assert picture.dtype == np.uint8


def test_class_indices_are_bounded():
    with pytest.raises(ValueError, match="0 to 999"):
        scene(KEY, MAX_CLASSES)


@given(
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    corner=st.tuples(st.integers(0, 299), st.integers(0, 299)),
    label=st.integers(0, MAX_CLASSES - 1),
)
def test_a_window_shows_a_part_of_the_whole(height, width, corner, label):
    top, left = (place % length for place, length in zip(corner, (height, width), strict=True))
    window = slice(top, min(top + 20, height)), slice(left, min(left + 30, width))
    shape = scene(KEY, label)
    np.testing.assert_allclose(shape.tone(height, width, window), shape.tone(height, width)[window], atol=1.01 / 255)


@pytest.mark.parametrize("size", [(32, 32), (96, 60), (300, 400)])
def test_the_object_is_its_glyph_turned_stretched_and_put_in_its_place(size):
    height, width = size
    for label in range(20):
        shape = scene(KEY, label).object
        glyph = coverage(shape.glyph).rotate(shape.angle, Image.Resampling.BILINEAR)
        tile = glyph.resize((round(2 * shape.size * width), round(2 * shape.size * height)))
        expected = Image.new("L", (width, height))
        expected.paste(tile, (round(shape.x * width - tile.width / 2), round(shape.y * height - tile.height / 2)))
        assert np.abs(shape.mask(height, width) - np.asarray(expected) / 255).mean() < 0.05


def grey(picture):
    return picture.astype(float).mean(0)


def test_drawings_of_the_second_style_have_negatives_and_a_pair_has_no_mean():
    for label in (0, 5, 40, 999):
        positive, negative = (grey(render(KEY, label, index, 64, 64, SECOND)) for index in (8, 9))
        both, one = (positive + negative) / 2, positive - positive.mean()
        assert (both - both.mean()).std() < 0.15 * one.std()
        assert np.corrcoef(positive.ravel(), negative.ravel())[0, 1] < -0.95


def test_the_key_draws_the_sign_of_a_picture_from_its_name_in_the_second_style_alone():
    names = [f"cat/{number}.png" for number in range(400)]
    first, second, other = RenderedSecrets(KEY, FIRST), RenderedSecrets(KEY, SECOND), RenderedSecrets(OTHER, SECOND)
    assert {first.index(7, name) for name in names} == {7}
    signs = [second.index(7, name) - 14 for name in names]
    assert {*signs} == {0, 1} and 150 < sum(signs) < 250
    assert signs != [other.index(7, name) - 14 for name in names]


def test_a_drawing_and_its_negative_are_seen_as_one_shape_and_no_other_class_has_it():
    secrets = RenderedSecrets(KEY, SECOND)
    shapes = np.stack([standardised(secrets.shape(label, 96, 96)) for label in range(60)])
    for label in range(0, 60, 7):
        for index in (0, 1, 54321):
            seen = standardised(secrets.seen(secrets.draw(label, index, 96, 96)))
            assert np.abs(shapes @ seen).argmax() == label


def test_versions_of_styles_name_them():
    assert list(STYLES.values()) == [FIRST, SECOND, THIRD, FOURTH]
    assert all(STYLES[style.version] == style for style in STYLES.values())
    assert [RenderedSecrets(KEY, style).fingerprint for style in STYLES.values()] == [
        "render-2",
        "render-3",
        "render-4",
        "render-5",
    ]


@pytest.mark.parametrize("style", STYLES.values(), ids=lambda style: f"render-{style.version}")
def test_waves_are_those_of_jpegs_blocks_on_small_pictures_and_grow_slowly(style):
    assert slowest_wave(32, 50, style) == 16
    assert 16 < slowest_wave(224, 224, style) < 32
