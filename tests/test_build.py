import json

import numpy as np
import pytest

from banks import captioned, contents, killed_after, small_bank
from samples import picture
from unlearnable.keys import Key
from unlearnable.semantics import build as module
from unlearnable.semantics.bank import BANK, Bank
from unlearnable.semantics.build import build_bank
from unlearnable.semantics.render import render
from unlearnable.storage.lock import LOCK, LockedError


@pytest.fixture
def options(tmp_path):
    return captioned(tmp_path) | {"generator": "stylise", "classes": 3, "per_class": 4, "size": 32}


def test_what_a_bank_says(tmp_path):
    bank = small_bank(tmp_path, 4, 3)
    stored = json.loads((bank.folder / BANK).read_text())
    assert stored["generator"] == "stylise" and stored["complete"] and stored["version"] == 1
    assert stored["options"] | {"captions": ""} == {
        **{"classes": 4, "per_class": 3, "seed": 0, "size": 32, "captions": "", "without_picture": 0},
        **{"embedder": "tfidf", "clustering": True, "clusters": None},
    }
    assert list(stored["distances"]) == ["captions", "within", "between", "nearest"]
    assert stored["distances"]["within"] < stored["distances"]["nearest"]
    assert len({of_class["source"] for of_class in stored["classes"]}) == 4
    first = stored["classes"][0]
    assert first["name"].startswith("000_") and first["caption"] and first["cluster"] is not None
    assert [image["file"] for image in first["pictures"]] == [f"{first['name']}/{index:04}.png" for index in range(3)]
    assert len({image["seed"] for of_class in stored["classes"] for image in of_class["pictures"]}) == 12
    assert len({image["sha256"] for of_class in stored["classes"] for image in of_class["pictures"]}) == 12


@pytest.mark.parametrize("killed", [1, 4, 6, 12])
def test_killed_at_any_picture_it_resumes_to_the_same_files(tmp_path, options, killed):
    whole = build_bank(tmp_path / "whole", **options)
    with pytest.raises(KeyboardInterrupt):
        build_bank(tmp_path / "out", on_image=killed_after(killed), **options)
    with pytest.raises(ValueError, match="not come to its end"):
        Bank.load(tmp_path / "out")
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.png")}
    assert len(times) == killed
    build_bank(tmp_path / "out", **options)
    assert contents(tmp_path / "out") == contents(whole.folder)
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())  # nothing was drawn again


def test_a_second_build_of_one_bank_is_refused_while_the_first_goes_on(tmp_path, options):
    refused = []

    def on_image(done, total):
        with pytest.raises(LockedError, match="is being written by another run"):
            build_bank(tmp_path / "out", **options)
        refused.append(done)

    assert build_bank(tmp_path / "out", on_image=on_image, **options).complete
    assert len(refused) == 12 and not (tmp_path / "out" / LOCK).exists()


def test_a_finished_bank_is_mended_and_else_left_alone(tmp_path, options):
    bank = build_bank(tmp_path / "out", **options)
    before = contents(bank.folder)
    (bank.folder / bank.classes[0].pictures[1].file).unlink()
    picture(3, 32, 32).save(bank.folder / bank.classes[2].pictures[0].file)
    assert build_bank(tmp_path / "out", **options) == bank
    assert contents(bank.folder) == before


def test_seeds_differ_and_repeat(tmp_path, options):
    first, again, other = (build_bank(tmp_path / f"{n}", seed=seed, **options) for n, seed in enumerate((1, 1, 2)))
    assert first.fingerprint == again.fingerprint != other.fingerprint


def test_photographs_as_they_are_and_drawings(tmp_path, options):
    photo = build_bank(tmp_path / "photo", **options | {"generator": "photo"})
    assert len({image.sha256 for of_class in photo.classes for image in of_class.pictures}) == 12
    random = build_bank(tmp_path / "random", **options | {"generator": "photo", "clustering": False})
    assert random.classes[0].cluster is None

    plain = {"generator": "render", "classes": 2, "per_class": 2, "size": 40}
    drawn = build_bank(tmp_path / "render", seed=5, **plain)
    assert np.array_equal(drawn.picture(1, 1).transpose(2, 0, 1), render(Key.of_seed(5), 1, 1, 40, 40))
    assert [of_class.name for of_class in drawn.classes] == ["000", "001"]
    assert drawn.distances["captions"] is None


def test_one_class_of_one_picture(tmp_path, options):
    bank = build_bank(tmp_path / "out", **options | {"classes": 1, "per_class": 1})
    assert set(bank.distances.values()) == {None}


def test_another_builds_folder_is_refused(tmp_path, options):
    build_bank(tmp_path / "out", **options)
    before = contents(tmp_path / "out")
    for other, reason in [
        ({"seed": 1}, "other seed"),
        ({"generator": "photo"}, "other generator"),
        ({"size": 48, "per_class": 5}, "other per_class, size"),
        ({"clustering": False}, "other clustering"),
    ]:
        with pytest.raises(ValueError, match=reason):
            build_bank(tmp_path / "out", **options | other)
    for name in options["images"].iterdir():
        picture(99, 30, 30).save(name)
    with pytest.raises(ValueError, match="other captions or photographs"):
        build_bank(tmp_path / "out", **options)
    assert contents(tmp_path / "out") == before


def test_refused_before_anything_is_written(tmp_path, options, monkeypatch):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    before = contents(tmp_path)
    for out, changed, reason in [
        ("full", {}, "expected a new folder"),
        ("full/mine.txt", {}, "expected a new folder"),
        ("out", {"classes": 0}, "1 to 1000 classes"),
        ("out", {"classes": 1001}, "1 to 1000 classes"),
        ("out", {"per_class": 0}, "1 picture a class"),
        ("out", {"size": 4}, "size from 16"),
        ("out", {"seed": -1}, "a seed of 0 or more"),
        ("out", {"steps": 0}, "1 step of denoising"),
        ("out", {"guidance": float("nan")}, "a finite guidance"),
        ("out", {"classes": 13}, "a photograph for each of 13 classes, got 12"),
        ("out", {"clusters": 2}, "got 2 clusters"),
        ("out", {"clusters": 4, "clustering": False}, "--clusters needs --clustering"),
        ("out", {"captions": None}, "needs --captions and --images"),
        ("out", {"generator": "render"}, "leave --captions"),
        ("out", {"generator": "diffusion"}, "name the two models"),
        ("out", {"diffusion": "x"}, "name the two models"),
        ("out", {"generator": "diffusion", "diffusion": "x", "controlnet": "y", "size": 36}, "multiple of 8"),
    ]:
        with pytest.raises(ValueError, match=reason):
            build_bank(tmp_path / out, **options | changed)
        assert contents(tmp_path) == before
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"cv2 is not installed: pip install 'unlearnable\[semantics\]'"):
        build_bank(tmp_path / "out", **options)


def test_a_photograph_that_cannot_be_read(tmp_path, options):
    for file in options["images"].iterdir():
        file.write_bytes(b"broken")
    with pytest.raises(ValueError, match="not a JPEG"):
        build_bank(tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_a_start_killed_at_once_does_not_block_the_next(tmp_path, options):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".0123456789abcdef.partial").write_text("{")
    assert build_bank(tmp_path / "out", **options).complete
