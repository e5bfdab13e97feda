import numpy as np
import pytest
from PIL import Image

from unlearnable.keys import Key
from unlearnable.semantics.identify import SIDE, score_key, thumbnail
from unlearnable.semantics.render import MAX_CLASSES, OBJECTS, contact_sheet, render, scene

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
    assert len(set(OBJECTS)) == len(OBJECTS) == 48
    scenes = [scene(KEY, label) for label in range(MAX_CLASSES)]
    assert len({(s.object, s.field, s.sign) for s in scenes}) == MAX_CLASSES
    tones = np.stack([standardised(s.tone(SIDE, SIDE)) for s in scenes])
    similar = tones @ tones.T - 2 * np.eye(MAX_CLASSES)
    assert similar.max() < 0.97
    assert similar[:10, :10].max() < 0.75


def test_variations_share_the_shape_and_differ_in_texture_and_colour():
    """Any variation's grey thumbnail is nearest to its own class's among a hundred."""
    tones = np.stack([standardised(scene(KEY, label).tone(SIDE, SIDE)) for label in range(100)])
    for label in range(0, 100, 9):
        pictures = [render(KEY, label, index, 64, 64) for index in (0, 1, 12345)]
        for picture in pictures:
            assert (tones @ standardised(thumbnail(picture))).argmax() == label
        assert np.abs(pictures[0].astype(int) - pictures[1]).mean() > 10


@pytest.mark.parametrize("size", [(8, 8), (17, 61), (1, 1), (224, 224)])
def test_any_size(size):
    picture = render(KEY, 0, 0, *size)
    assert picture.shape == (3, *size)
    assert picture.dtype == np.uint8


def test_class_indices_are_bounded():
    with pytest.raises(ValueError, match="0 to 999"):
        scene(KEY, MAX_CLASSES)


def test_contact_sheet_shows_every_class_and_variation():
    sheet = np.asarray(contact_sheet(KEY, classes=3, variations=2, side=32))
    assert sheet.shape == (3 * 36 + 4, 2 * 36 + 4, 3)
    tile = np.asarray(Image.fromarray(render(KEY, 2, 1, 32, 32).transpose(1, 2, 0)))
    assert np.array_equal(sheet[4 + 2 * 36 :][:32, 4 + 36 :][:, :32], tile)


def test_the_right_key_scores_far_above_decoys_and_a_wrong_one_does_not():
    rng = np.random.default_rng(0)
    noisy = {
        label: thumbnail(
            np.clip(render(KEY, label, 5, 64, 64) + rng.normal(0, 60, (3, 64, 64)), 0, 255).astype(np.uint8)
        )
        for label in range(3)
    }
    right, wrong = (score_key(key, noisy, decoys=100) for key in (KEY, OTHER))
    assert right.beaten == 100
    assert right.p_value == pytest.approx(1 / 101)
    assert right.deviations > 4
    assert wrong.p_value > 1 / 101
    with pytest.raises(ValueError, match="got none"):
        score_key(KEY, {})
