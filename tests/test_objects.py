"""Objects of the catalogue that are known again in what is seen of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unlearnable import Key
from unlearnable.semantics.objects import known_object
from unlearnable.semantics.reading import read_drawing, read_plane, smoothed
from unlearnable.semantics.render import FOURTH, TILT, render, scene
from unlearnable.semantics.silhouettes import GLYPHS, Silhouette
from unlearnable.semantics.thumbnails import grey
from unlearnable.semantics.waves import Candidate

KEY = Key(bytes(range(32)))
PIXELS = 8.6  # under which the objects of drawings of 224 px are read


def seen(silhouette, height=224, width=224):
    return smoothed(1 - 2 * silhouette.mask(height, width), PIXELS)


def overlap(one, other):
    both = [silhouette.mask(224, 224) for silhouette in (one, other)]
    return np.minimum(*both).sum() / np.maximum(*both).sum()


@pytest.mark.parametrize("size", [(224, 224), (200, 300)])
def test_every_object_is_known_again(size):
    placed = [Silhouette(glyph, 0.52, 0.47, 0.81, 7.0) for glyph in GLYPHS]
    known = [known_object(seen(one, *size), PIXELS) for one in placed]
    assert [found and found.glyph for found in known] == list(GLYPHS)


def test_no_two_objects_have_one_name():
    assert len({Silhouette(glyph, 0.5, 0.5, 0.8, 0).name for glyph in GLYPHS}) == len(GLYPHS)


@settings(max_examples=20)
@given(
    x=st.floats(*FOURTH.places),
    y=st.floats(*FOURTH.places),
    size=st.floats(*FOURTH.sizes),
    angle=st.floats(-TILT, TILT),
)
def test_an_object_is_put_where_it_was(x, y, size, angle):
    placed = Silhouette("⚓", x, y, size, angle)
    known = known_object(seen(placed), PIXELS)
    assert known is not None and known.glyph == "⚓"
    assert overlap(known, placed) > 0.8


def test_nothing_is_known_in_nothing():
    rng = np.random.default_rng(0)
    noise = [smoothed(rng.normal(size=(224, 224)), PIXELS) for _ in range(40)]
    assert all(known_object(one, PIXELS) is None for one in noise)
    for nothing in (0.0, np.nan):
        assert known_object(np.full((224, 224), nothing), PIXELS) is None


def test_where_all_look_alike_none_is_known():
    assert known_object(smoothed(1 - 2 * Silhouette("⚓", 0.5, 0.5, 0.85, 0).mask(64, 64), 5.9), 5.9) is None


@pytest.mark.parametrize("label", range(4))
def test_a_drawing_whose_object_is_known_is_read_as_it_was_drawn(label):
    drawn = scene(KEY, label, FOURTH)
    reading = read_drawing(render(KEY, label, 0, 224, 224, FOURTH))
    assert reading.object.glyph == drawn.object.glyph and overlap(reading.object, drawn.object) > 0.8
    assert np.corrcoef(reading.ground.ravel(), drawn.object.mask(224, 224).ravel())[0, 1] < -0.85


def test_a_weaker_field_is_found_once_the_object_is_known():
    rng, labels, before, after = np.random.default_rng(0), range(12, 24), 0, 0
    for label in labels:
        drawn = scene(KEY, label, FOURTH)
        strong, weak = (Candidate(field, drawn.stretch, (0, 0), 1).waves(224, 224) for field in drawn.fields)
        ground = 1 - 2 * drawn.object.mask(224, 224)
        plane = 128 + 25 * ground * (strong + 0.4 * weak) + rng.normal(0, 40, ground.shape)
        wanted = tuple(sorted(drawn.fields))
        before += read_plane(plane, clarity=1).fields == wanted
        after += read_drawing(np.stack([plane.clip(0, 255).astype(np.uint8)] * 3), clarity=1).fields == wanted
    assert before < len(labels) / 2 and after >= len(labels) - 2


@pytest.mark.parametrize("side", [128, 224])
def test_no_field_is_added_to_a_drawing_of_one(side):
    rng = np.random.default_rng(0)
    for label in range(12):
        noisy = render(KEY, label, 0, side, side, FOURTH) * 0.3 + rng.normal(0, 140, (side, side)) + 90
        reading = read_drawing(noisy.clip(0, 255).astype(np.uint8), clarity=1)
        assert reading.fields == scene(KEY, label, FOURTH).fields


def test_where_no_object_is_known_the_first_reading_stays(monkeypatch):
    drawn = render(KEY, 3, 0, 224, 224, FOURTH)
    monkeypatch.setattr("unlearnable.semantics.reading.known_object", lambda *_: None)
    reading = read_drawing(drawn)
    assert reading.object is None
    assert np.array_equal(reading.ground, read_plane(grey(drawn)).ground)


def test_an_object_that_is_lost_in_the_second_reading_is_kept(monkeypatch):
    known = scene(KEY, 3, FOURTH).object
    answers = iter((known, None))
    monkeypatch.setattr("unlearnable.semantics.reading.known_object", lambda *_: next(answers))
    assert read_drawing(render(KEY, 3, 0, 224, 224, FOURTH)).object == known
