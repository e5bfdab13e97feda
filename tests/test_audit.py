"""The audit from folders to page, on small drawn pictures and a tiny victim."""

import json
import os
import shutil

import pytest
import torch
from PIL import Image

from resuming import KilledError, save_every_step
from unlearnable import load
from unlearnable.audit.published import originals_of
from unlearnable.audit.run import PAGE, SUMMARY, TABLE, audit_folder
from unlearnable.audit.sets import load_sets, usual_side
from unlearnable.bench.store import RunFolder
from unlearnable.datasets import folder as folders_of_pictures
from unlearnable.datasets.folder import picture_files
from unlearnable.folder.protect import protect_folder
from unlearnable.images.scan import scan

TINY = {"victim": "resnet9:width=2", "recipe": "quick:epochs=2"}


@pytest.fixture(scope="module")
def made(tmp_path_factory, weights):
    """Clean training and test folders and a protected copy, made once."""
    folder = tmp_path_factory.mktemp("audit")
    load("toy:count=48").save(folder / "train")
    load("toy:count=40,seed=1").save(folder / "test")
    protect_folder(folder / "train", folder / "protected", key=folder / "key", weights=weights)
    return folder


@pytest.fixture
def folders(made, tmp_path):
    """A copy that a test may spoil."""
    for name in ("train", "test", "protected"):
        shutil.copytree(made / name, tmp_path / name)
    return tmp_path


def run(folder, **options):
    return audit_folder(folder / "protected", folder / "train", folder / "test", folder / "out", **TINY | options)


def test_writes_page_table_summary_and_cells(folders):
    seen = []
    outcome = run(folders, countermeasures="vanilla,gray+jpeg:quality=50", seeds=2, on_progress=seen.append)
    assert [row.countermeasure for row in outcome.rows] == ["vanilla", "gray+jpeg:quality=50"]
    assert [len(row.clean) for row in outcome.rows] == [2, 2]
    assert outcome.rows[0].clean[0].cell.train != outcome.rows[0].protected[0].cell.train
    assert not outcome.missing
    assert len(list((folders / "out" / "cells").iterdir())) == 8
    page = (folders / "out" / PAGE).read_text()
    assert "gray+jpeg:quality=50" in page and "data:image/png;base64" in page
    assert "gray+jpeg:quality=50" in (folders / "out" / TABLE).read_text()
    summary = json.loads((folders / "out" / SUMMARY).read_text())
    assert summary["rows"]["vanilla"]["final"]["mean"] == pytest.approx(outcome.rows[0].final.mean)
    assert summary["means"]["final"] == pytest.approx(sum(row.final.mean for row in outcome.rows) / len(outcome.rows))
    assert summary["test_count"] == 40
    done = [now.done for now in seen]
    assert done == sorted(done) and done[-1] == pytest.approx(seen[-1].total)
    published = outcome.published
    assert (len(published.qualities), published.budget, published.over_budget) == (48, "rms:8", 0)
    assert summary["published"] == published.summary
    assert summary["published"]["rms"]["worst"] == max(quality.rms for quality in published.qualities) <= 8
    assert summary["published"]["ssim"]["worst"] == min(quality.ssim for quality in published.qualities)
    assert "Promised budget: rms:8; Files over it: 0 of 48 measured" in (folders / "out" / TABLE).read_text()
    assert len(published.samples) == 10
    assert len({sample.name.split("/")[0] for sample in published.samples}) == 4


def test_resumes_without_training_anything_twice(folders):
    first = run(folders, countermeasures="vanilla")
    seen = []
    again = run(folders, countermeasures="vanilla,gray", on_progress=seen.append)
    assert again.rows[0] == first.rows[0]
    assert {now.what for now in seen} == {"gray, clean", "gray, protected"}


def test_a_killed_training_goes_on_from_its_last_epoch(folders, monkeypatch):
    epochs = []

    def kill(now):
        if now.accuracy is not None:
            epochs.append(now.done)
            if len(epochs) == 1:
                raise KilledError

    save_every_step(monkeypatch)
    with pytest.raises(KilledError):
        run(folders, countermeasures="vanilla", on_progress=kill)
    assert len(list((folders / "out" / "cells").glob("*.training"))) == 1
    killed = run(folders, countermeasures="vanilla", on_progress=kill)
    assert len(epochs) == 1 + 1 + 2  # one, killed; one more; two of the protected pictures
    assert all(file.suffix == ".json" for file in (folders / "out" / "cells").iterdir())
    shutil.rmtree(folders / "out")
    whole = run(folders, countermeasures="vanilla")
    (one,), (other,) = killed.rows[0].clean, whole.rows[0].clean
    assert one.epochs == other.epochs and one.confusion == other.confusion


def test_what_a_killed_training_has_behind_it_is_not_foreseen_again(folders, monkeypatch):
    """Trainings of a thousand seconds, of which one has so many behind it, and five minutes for them."""
    run(folders, countermeasures="vanilla")
    cells = folders / "out" / "cells"
    for file in cells.iterdir():
        file.write_text(json.dumps(json.loads(file.read_text()) | {"seconds": 1000.0}))

    def kill(now):
        if now.accuracy is not None:
            raise KilledError

    save_every_step(monkeypatch)
    with pytest.raises(KilledError):
        run(folders, countermeasures="vanilla", seeds=2, on_progress=kill)
    assert len(list(cells.glob("*.training"))) == 1
    monkeypatch.setattr("unlearnable.bench.timing.elapsed_seconds", lambda file: 1000.0 * file.exists())
    outcome = run(folders, countermeasures="vanilla", seeds=2, minutes=5)
    assert "it takes about 17 min" in outcome.missing["vanilla"]
    assert len(list(cells.glob("*.json"))) == 3 and not list(cells.glob("*.training"))


def test_starts_nothing_that_cannot_end_in_time(folders):
    outcome = run(folders, countermeasures="vanilla,gray", minutes=0)
    assert not outcome.rows
    assert "no time left" in outcome.missing["vanilla"] and "no time left" in outcome.missing["gray"]
    assert run(folders, countermeasures="vanilla,gray", minutes=10).rows


def test_foresees_by_what_has_been_measured(folders):
    """Both countermeasures train as long; a week was measured for one of them."""
    run(folders, countermeasures="vanilla")
    for file in (folders / "out" / "cells").iterdir():
        file.write_text(json.dumps(json.loads(file.read_text()) | {"seconds": 604_800.0}))
    outcome = run(folders, countermeasures="vanilla,gray", minutes=10)
    assert [row.countermeasure for row in outcome.rows] == ["vanilla"]
    assert "it takes about 10080 min" in outcome.missing["gray"]


def test_processes_train_what_this_one_would(folders):
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // 2))  # as many as each of two processes takes
    here = run(folders, countermeasures="vanilla,jpeg:quality=50", seeds=2)
    torch.set_num_threads(before)
    (folders / "out").rename(folders / "here")
    seen = []
    there = run(folders, countermeasures="vanilla,jpeg:quality=50", seeds=2, workers=2, on_progress=seen.append)
    assert figures(there) == figures(here) and not there.missing
    assert names(folders / "out") == names(folders / "here")
    assert seen[-1].done == pytest.approx(seen[-1].total) and max(now.cell for now in seen) == 8


def figures(outcome):
    results = [result for row in outcome.rows for result in (*row.clean, *row.protected)]
    return [(result.cell, result.epochs, result.confusion) for result in results]


def names(folder):
    return sorted(file.relative_to(folder) for file in folder.rglob("*"))


def test_nothing_is_left_of_the_pictures_that_were_trained_on(folders):
    run(folders, countermeasures="vanilla")
    assert {file.name for file in (folders / "out").iterdir()} == {TABLE, PAGE, SUMMARY, "cells"}


def test_what_lies_beside_the_sets_stays(folders):
    cache = folders / "out" / "cache"
    cache.mkdir(parents=True)
    (cache / "thesis.txt").write_text("ours")
    run(folders, countermeasures="vanilla")
    assert [file.name for file in cache.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("at", [1, 2])  # when a training begins, and after an epoch of it
def test_what_the_caller_raises_is_no_failure_of_a_training(folders, at):
    calls = []

    def on_progress(now):
        calls.append(now)
        if len(calls) == at:
            raise KeyError("the caller's own")

    with pytest.raises(KeyError, match="the caller's own"):
        run(folders, countermeasures="vanilla", on_progress=on_progress)
    assert len(calls) == at and not list((folders / "out").glob("failures/*"))
    assert (folders / "out" / PAGE).is_file()


def test_nothing_is_trained_whose_clean_side_failed(folders, monkeypatch):
    trained = []

    def failing(self, data, knowledge):
        trained.append(len(data))
        raise ZeroDivisionError

    monkeypatch.setattr("unlearnable.countermeasures.ueraser.UEraser.purify", failing)
    outcome = run(folders, countermeasures="ueraser,vanilla")
    assert trained == [48] and outcome.missing.keys() == {"ueraser"}
    assert [row.countermeasure for row in outcome.rows] == ["vanilla"]


def test_whatever_a_countermeasure_throws_is_its_own_failure(folders, monkeypatch):
    def broken(self, images, targets):
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("unlearnable.countermeasures.augment.Cutout.augment", broken)
    outcome = run(folders, countermeasures="cutout,vanilla")
    assert [row.countermeasure for row in outcome.rows] == ["vanilla"]
    assert outcome.missing == {"cutout": "ZeroDivisionError('by zero')"}
    assert "not measured: ZeroDivisionError" in (folders / "out" / TABLE).read_text()
    assert "by zero" in (folders / "out" / PAGE).read_text()
    failures = RunFolder(folders / "out").failures.all()
    assert {failure.name for failure in failures} == {"cutout, clean", "cutout, protected"}
    monkeypatch.undo()
    assert not run(folders, countermeasures="cutout,vanilla").missing
    assert not RunFolder(folders / "out").failures.all()


def test_every_folder_is_scanned_once(folders, monkeypatch):
    scanned = []
    monkeypatch.setattr(folders_of_pictures, "scan", lambda folder: scanned.append(folder.name) or scan(folder))
    run(folders, countermeasures="vanilla", minutes=0)
    assert sorted(scanned) == ["protected", "test", "train"]


@pytest.mark.parametrize(
    ("published", "originals", "pairs", "ambiguous"),
    [
        (["c/a.png"], ["c/a.jpg"], {"c/a.png": "c/a.jpg"}, ()),
        (["c/a.jpg.png", "c/a.png"], ["c/a.jpg", "c/a.png"], {"c/a.jpg.png": "c/a.jpg", "c/a.png": "c/a.png"}, ()),
        (["c/a.webp"], ["c/a.jpg", "c/a.png"], {}, ("c/a.webp",)),
        (["c/a.jpg", "c/a.png"], ["c/a.webp", "c/b.webp"], {}, ("c/a.jpg", "c/a.png")),
        (["c/a.png"], ["d/a.png"], {}, ()),
        (["c/m.png"], ["c/n.jpg", "c/m.png"], {"c/m.png": "c/n.jpg"}, ()),
        (["c/gone.png"], ["c/gone.jpg"], {}, ()),
    ],
)
def test_no_original_is_guessed(published, originals, pairs, ambiguous):
    manifest = {"c/m.png": "c/n.jpg", "c/gone.png": "elsewhere.jpg"}
    assert originals_of(published, originals, manifest) == (pairs, ambiguous)


def test_a_picture_is_measured_against_its_own_original(folders):
    """Two originals of one name but for the suffix, and no manifest."""
    for folder in ("protected", "train"):
        first, second, *_ = sorted((folders / folder / "disc").iterdir())
        Image.open(second).save(first.with_suffix(".webp"), lossless=True)
        second.unlink()
    for name in ("manifest.jsonl", "report.json"):
        (folders / "protected" / name).unlink()
    renamed, *_ = sorted((folders / "protected" / "disc").glob("*.webp"))
    told = run(folders, countermeasures="vanilla", minutes=0).published
    assert len(told.qualities) == 48 and max(quality.rms for quality in told.qualities) <= 8
    Image.open(renamed).save(renamed.with_suffix(".bmp"))
    renamed.unlink()
    outcome = run(folders, countermeasures="vanilla", minutes=0).published
    assert outcome.ambiguous == (f"disc/{renamed.stem}.bmp",)
    assert len(outcome.qualities) == 47 and max(quality.rms for quality in outcome.qualities) <= 8
    assert f"{renamed.stem}.bmp" in (folders / "out" / PAGE).read_text()


def test_one_protected_class_among_clean_ones(folders):
    for name in ("disc", "square", "triangle"):
        shutil.rmtree(folders / "protected" / name)
    outcome = run(folders, countermeasures="vanilla")
    assert [outcome.classes[index] for index in outcome.protected_classes] == ["cross"]
    (row,) = outcome.rows
    confusion = row.protected[0].confusion
    label = outcome.protected_classes[0]
    assert row.final.mean == confusion[label][label] / sum(confusion[label])
    sets = load_sets(folders / "protected", str(folders / "train"), str(folders / "test"), None)
    assert len(sets.protected) == len(sets.clean) == 48
    assert sets.protected.classes == sets.clean.classes
    assert (sets.protected.labels.bincount() == sets.clean.labels.bincount()).all()


def test_a_countermeasure_that_cannot_be_is_reported_not_hidden(folders):
    outcome = run(folders, countermeasures="vanilla,mix:per_class=100")
    assert len(outcome.rows) == 1
    assert "at least 100 pictures" in outcome.missing["mix:per_class=100"]


def test_data_sets_by_name_in_place_of_folders(folders):
    outcome = audit_folder(
        folders / "protected",
        "toy:count=48",
        "toy:count=40,seed=1",
        folders / "out",
        countermeasures="vanilla",
        **TINY,
    )
    assert outcome.rows and not outcome.published.qualities


def refused(folder, message, **options):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        run(folder, countermeasures="vanilla", **options)
    assert not (folder / "out").exists()


def test_classes_that_do_not_match(folders):
    (folders / "test" / "disc").rename(folders / "test" / "disk")
    refused(folders, "only one of them has disc, disk")
    (folders / "train" / "disc").rename(folders / "train" / "disk")
    refused(folders, "published classes among the clean ones; these are not: disc")


def test_an_empty_class(folders):
    for file in (folders / "train" / "disc").iterdir():
        file.unlink()
    refused(folders, "found none in disc")


def test_a_leak_from_training_to_test(folders):
    leaked = next((folders / "protected" / "disc").iterdir())
    Image.open(leaked).save(folders / "test" / "cross" / "again.webp", lossless=True)
    refused(folders, "1 pictures of the published set are also in the test set")
    original = next((folders / "train" / "disc").iterdir())
    shutil.copy(original, folders / "test" / "square" / "again.png")
    refused(folders, "1 pictures of the clean training set")


def test_a_broken_picture(folders):
    (folders / "train" / "disc" / "broken.png").write_bytes(b"no picture")
    refused(folders, r"broken\.png.*take it out")


def test_counts_that_do_not_match(folders):
    next((folders / "protected" / "disc").iterdir()).unlink()
    refused(folders, "as many published pictures of disc as clean ones")


def test_a_protection_that_was_interrupted(folders):
    report = folders / "protected" / "report.json"
    report.write_text(report.read_text().replace('"complete": true', '"complete": false'))
    refused(folders, "has not come to its end")


def test_pictures_beside_the_class_folders(folders):
    shutil.copy(next((folders / "test" / "disc").iterdir()), folders / "test" / "stray.png")
    refused(folders, "class sub-folders alone")


def test_a_place_inside_a_set(folders):
    with pytest.raises(ValueError, match="whose pictures are read"):
        audit_folder(folders / "protected", folders / "train", folders / "test", folders / "test" / "out", **TINY)
    assert not (folders / "test" / "out").exists()


def test_an_interruption_leaves_a_page(folders):
    def interrupt(now):
        if now.what.startswith("gray"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(folders, countermeasures="vanilla,gray", on_progress=interrupt)
    table = (folders / "out" / TABLE).read_text()
    assert "| vanilla |" in table and "interrupted" in table


def test_classes_in_another_order_are_put_right(folders):
    sets = load_sets(folders / "protected", str(folders / "train"), "toy:count=40,seed=1", None)
    assert sets.test.classes == sets.clean.classes == ("cross", "disc", "square", "triangle")
    again = load_sets(folders / "protected", str(folders / "train"), str(folders / "test"), None).test
    assert (sets.test.labels.bincount() == again.labels.bincount()).all()


def test_other_bad_input(folders):
    refused(folders, "at least 8 px", size=0)
    refused(folders, "at least 8, got 0", published_size=0, size=0)
    refused(folders, "found none at nothing", backbone="nothing")
    refused(folders, "can take, got 16x16 px", victim="vgg19")
    refused(folders, "unknown among the recipes", recipe="slow")
    refused(folders, "unknown among the victims", victim="resnet_nine")
    refused(folders, "safetensors", victim="resnet9:pretrained=nothing")
    refused(folders, "expected seeds as a whole number of at least 1, got 0", seeds=0)
    refused(folders, "at least one worker", workers=0)
    refused(folders, "expected --ray without", workers=2, ray=True)
    refused(folders, "torch device", device="abacus")


def test_the_usual_side_is_that_of_most_pictures(photos):
    assert usual_side(photos, picture_files(photos)) == 30
