"""Drawings that are read in what was revealed, without a key."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_sample_image

from commands import run
from unlearnable import Key, protect_folder, reveal_folder
from unlearnable.cli.reveal import objects_in_words
from unlearnable.folder.manifest import read_manifest
from unlearnable.semantics.reading import BORDER, read_drawing, read_plane
from unlearnable.semantics.render import FOURTH, THIRD, render, scene
from unlearnable.semantics.secrets import RenderedSecrets, style_recorded
from unlearnable.semantics.thumbnails import grey

KEY = Key(bytes(range(32)))


def correlation(one, other):
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


@settings(max_examples=25)
@given(st.integers(0, 11), st.integers(0, 9), st.integers(96, 240), st.integers(96, 240))
def test_a_drawing_is_read_as_it_was_drawn_whatever_its_size(label, index, height, width):
    drawn = render(KEY, label, index, height, width, FOURTH)
    reading = read_drawing(drawn, clarity=1)
    assert reading is not None and {*scene(KEY, label, FOURTH).fields} <= {*reading.fields}
    assert reading.picture().shape == drawn.shape and reading.picture().dtype == np.uint8
    assert correlation(grey(reading.picture()), grey(drawn)) > 0.6


@pytest.mark.parametrize("side", [96, 224])
def test_both_fields_of_a_drawing_are_read(side):
    labels = range(12, 52)
    read = [read_drawing(render(KEY, label, 0, side, side, FOURTH), clarity=1) for label in labels]
    wanted = [tuple(sorted(scene(KEY, label, FOURTH).fields)) for label in labels]
    assert sum(one is not None and one.fields == two for one, two in zip(read, wanted, strict=True)) >= 32


@pytest.mark.parametrize("side", [128, 224, 320])
def test_drawings_of_one_field_are_clear(side):
    assert all(read_drawing(render(KEY, label, 0, side, side, FOURTH)) for label in range(12))


@pytest.mark.parametrize("label", [1, 3, 7, 40])
def test_the_object_is_where_the_waves_are_turned_around(label):
    shape = scene(KEY, label, FOURTH)
    drawn = render(KEY, label, 0, 224, 224, FOURTH)
    assert correlation(read_plane(grey(drawn)).ground, 1 - 2 * shape.object.mask(224, 224)) > 0.6
    edge = round(BORDER * 224)
    assert read_plane(grey(drawn)).ground[:edge].mean() > 0.5


def test_a_drawing_and_its_negative_have_the_same_object_and_opposite_signs():
    one, other = (read_drawing(render(KEY, 3, index, 128, 128, FOURTH)) for index in (4, 5))
    assert one.sign == -other.sign
    assert correlation(one.ground, other.ground) > 0.95
    assert correlation(grey(one.picture()), grey(other.picture())) < -0.8


def test_nothing_is_read_where_there_is_nothing():
    rng = np.random.default_rng(0)
    assert read_drawing(np.full((3, 96, 96), 128, np.uint8)) is None
    assert read_drawing(render(KEY, 3, 0, 63, 200, FOURTH)) is None  # too small for waves that are turned around
    noise = rng.integers(0, 256, (40, 3, 128, 128), np.uint8)
    assert sum(read_drawing(one) is not None for one in noise) <= 2


def test_what_is_read_outlives_noise_that_hides_it_from_the_eye():
    drawn = render(KEY, 3, 0, 224, 224, FOURTH)
    noise = np.random.default_rng(0).normal(0, 150, drawn.shape[1:])
    seen = (drawn * 0.3 + noise + 90).clip(0, 255).astype(np.uint8)
    assert correlation(grey(seen), grey(drawn)) < 0.25
    assert correlation(grey(read_drawing(seen).picture()), grey(drawn)) > 0.7


def test_small_pictures_are_drawn_as_before_and_large_ones_with_the_object_in_another_colour():
    for side in (24, 32, 48, 63):
        before, now = (RenderedSecrets(KEY, style).draw(3, 2, side, side) for style in (THIRD, FOURTH))
        assert np.array_equal(before, now)
        assert not FOURTH.turns(side, side)
    drawn, inside = render(KEY, 3, 2, 224, 224, FOURTH), scene(KEY, 3, FOURTH).object.mask(224, 224) > 0.5
    colours = drawn - drawn.mean(0)
    object_, ground = colours[:, inside].mean(1), colours[:, ~inside].mean(1)
    assert object_ @ ground < -100


@pytest.mark.parametrize("shape", [(64, 64), (100, 2000), (1500, 80)])
def test_pictures_of_any_shape_are_read_or_not_but_do_not_fail(shape):
    drawn = render(KEY, 3, 0, *shape, FOURTH)
    assert read_drawing(drawn, clarity=1).fields == scene(KEY, 3, FOURTH).fields
    nearly = np.full((3, *shape), 128, np.uint8)
    nearly[:, 10, 10] = 129
    reading = read_drawing(nearly, clarity=1)
    assert reading is None or np.isfinite(reading.ground).all()


def test_which_drawings_a_report_speaks_of():
    assert style_recorded(RenderedSecrets(KEY, FOURTH).fingerprint) is FOURTH
    assert style_recorded("render-1") is style_recorded("render-x") is style_recorded("bank:aa-5") is None


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """Two photographs, protected as a photographer does it."""
    place = tmp_path_factory.mktemp("copies")
    for name in ("china", "flower"):
        (place / "photos" / name).mkdir(parents=True)
        picture = Image.fromarray(load_sample_image(f"{name}.jpg")).resize((320, 213), Image.Resampling.BICUBIC)
        picture.save(place / "photos" / name / "a.png")
    (place / "key").write_bytes(bytes(range(32)))
    protect_folder(place / "photos", place / "protected", key=place / "key", deal="order", visibility=None)
    return place


@pytest.mark.parametrize("quality", [None, 75])
def test_the_drawing_in_a_published_photograph_is_read_without_a_key(copies, tmp_path, quality):
    entries = list(read_manifest(copies / "protected").values())
    for entry in entries:
        target = tmp_path / "found" / f"{entry.class_name}.{'png' if quality is None else 'jpg'}"
        target.parent.mkdir(exist_ok=True)
        Image.open(copies / "protected" / str(entry.output)).save(target, quality=quality or 100)
    revelation = reveal_folder(tmp_path / "found", tmp_path / "secrets", working_size=320)
    assert len(revelation.read) == len(revelation.revealed) == 2
    raw = reveal_folder(tmp_path / "found", tmp_path / "raw", working_size=320, raw=True)
    assert raw.read == {} and len(raw.revealed) == 2
    secrets = RenderedSecrets(KEY, FOURTH)
    for entry in entries:
        read, taken = (pixels(tmp_path / folder / f"{entry.class_name}.png") for folder in ("secrets", "raw"))
        index = secrets.index(int(entry.variation or 0), entry.file)
        drawn = grey(secrets.draw(int(entry.secret_number), index, *read.shape[1:]))
        assert correlation(grey(read), drawn) > correlation(grey(taken), drawn)
        assert correlation(grey(read), drawn) > 0.6


def test_a_report_says_which_drawings_are_read(copies, tmp_path):
    report = copies / "protected" / "report.json"
    content = report.read_text()
    assert '"secrets": "render-5"' in content
    assert len(reveal_folder(copies / "protected", tmp_path / "a").read) == 2
    report.write_text(content.replace('"render-5"', '"render-4"'))
    try:
        assert reveal_folder(copies / "protected", tmp_path / "b").read == {}
        score = reveal_folder(copies / "protected", tmp_path / "c", key=copies / "key").key_score
        assert score and score.decoys == 1000  # scored by the drawings of then
    finally:
        report.write_text(content)
    assert reveal_folder(copies / "protected", tmp_path / "d", key=copies / "key").key_score.beaten == 1000


def test_other_weights_than_those_that_hid_it_read_nothing_that_is_not_clear(copies, tmp_path, weights):
    assert reveal_folder(copies / "protected", tmp_path / "a", weights=weights).read == {}


def test_the_command_says_in_how_many_a_drawing_was_read_and_of_what(copies, tmp_path):
    said = " ".join(run("reveal", copies / "protected", "--out", tmp_path / "a").output.split())
    assert "2 hidden pictures" in said and "in 2 of them a drawing was read: " in said
    for label in (0, 1):
        assert f"{scene(KEY, label, FOURTH).object.name} (1)" in said
    assert "was read" not in run("reveal", copies / "protected", "--raw", "--out", tmp_path / "b").output


@pytest.mark.parametrize(
    ("read", "said"),
    [
        ({}, ""),
        (
            {"a": "anchor", "b": None, "c": "anchor"},
            "in 3 of them a drawing was read: anchor (2), an unknown object (1)",
        ),
        (
            {name: name for name in "abcdefg"},
            "in 7 of them a drawing was read: a (1), b (1), c (1), d (1), e (1), others (2)",
        ),
    ],
)
def test_at_most_five_objects_are_named(read, said):
    assert objects_in_words(read).lstrip("; ") == said


def pixels(file):
    with Image.open(file) as opened:
        return np.asarray(opened.convert("RGB")).transpose(2, 0, 1)
