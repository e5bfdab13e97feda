import json
from dataclasses import replace

import pytest

from unlearnable import load
from unlearnable.bench.cell import Cell, Result
from unlearnable.images.imageset import fingerprint
from unlearnable.storage.records import Store
from unlearnable.training.history import Epoch

CELL = Cell("a", "b", "c", "", 16, "resnet9", "vanilla", "quick", 0)
RESULT = Result(
    cell=CELL,
    epochs=(Epoch(1.0, 0.5, 0.75, (1.0, 0.5)), Epoch(0.5, 0.75, 0.5, (0.25, 0.75))),
    confusion=((1, 3), (1, 3)),
    peak_confusion=((4, 0), (2, 2)),
    seconds=1.5,
    device="cpu",
    versions={"torch": "2"},
)


def test_accuracies_over_all_or_some_classes():
    assert (RESULT.final(), RESULT.peak()) == (0.5, 0.75)
    assert (RESULT.final((0,)), RESULT.peak((0,))) == (0.25, 1.0)
    assert RESULT.peak((1,)) == 0.75  # where the class itself is known best


def test_the_key_depends_on_every_part_of_a_cell():
    changed = [replace(CELL, **{name: "other"}) for name in ("train", "test", "clean", "weights", "version")]
    changed += [replace(CELL, countermeasure="gray"), replace(CELL, size=32), replace(CELL, seed=1)]
    changed += [replace(CELL, victim="resnet18"), replace(CELL, recipe="quick:epochs=2")]
    assert len({cell.key for cell in [CELL, *changed]}) == 11


def test_the_key_does_not_depend_on_spelling():
    spelled = replace(CELL, victim="resnet9:width=16", countermeasure="vanilla", recipe="quick:epochs=10,momentum=0.9")
    assert spelled.key == CELL.key == Cell(**json.loads(json.dumps(CELL.__dict__))).key
    assert replace(CELL, countermeasure="jpeg").key == replace(CELL, countermeasure="jpeg:quality=10").key


def test_a_result_comes_back_from_its_file(tmp_path):
    store = Store(tmp_path / "cells", Result)
    assert store.load(CELL.key) is None
    store.save(RESULT)
    assert store.load(CELL.key) == RESULT
    assert store.load(replace(CELL, seed=1).key) is None
    assert Result.from_json(RESULT.to_json()) == RESULT


def with_field(name, value):
    """Spoils a record: one of its fields, or of its cell's, is another."""

    def spoil(text):
        fields = json.loads(text)
        (fields if name in fields else fields["cell"])[name] = value
        return json.dumps(fields)

    return spoil


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:40],
        lambda text: "{}",
        lambda text: "[]",
        lambda text: text.replace("vanilla", "at"),
        with_field("victim", 5),
        with_field("victim", None),
        with_field("seed", "0"),
        with_field("seed", True),
        with_field("epochs", []),
        with_field("epochs", [[]]),
        with_field("epochs", {}),
        with_field("confusion", []),
        with_field("confusion", [["1", 3], [1, 3]]),
        with_field("seconds", "1.5"),
        with_field("versions", {"torch": 2}),
        with_field("another", 1),
    ],
)
def test_a_spoilt_file_is_set_aside_and_kept(tmp_path, spoil):
    store = Store(tmp_path, Result)
    store.save(RESULT)
    file = tmp_path / f"{CELL.key}.json"
    spoilt = spoil(file.read_text())
    file.write_text(spoilt)
    assert store.load(CELL.key) is None
    (aside,) = store.corrupt()
    assert aside.read_text() == spoilt
    store.save(RESULT)
    assert store.load(CELL.key) == RESULT


def test_a_record_of_another_version_is_left_where_it_is(tmp_path):
    store = Store(tmp_path, Result)
    old = replace(RESULT, cell=replace(CELL, version="0.0.1"))
    (tmp_path / "named-otherwise-then.json").write_text(old.to_json())
    store.save(RESULT)
    assert store.all() == [RESULT] and not store.corrupt()
    (tmp_path / "named-otherwise-now.json").write_text(RESULT.to_json())
    assert store.all() == [RESULT] and len(store.corrupt()) == 1


def test_a_second_spoilt_file_does_not_replace_the_first(tmp_path):
    store = Store(tmp_path, Result)
    for text in ("first", "second", "third"):
        (tmp_path / f"{CELL.key}.json").write_text(text)
        assert store.load(CELL.key) is None
    assert sorted(aside.read_text() for aside in store.corrupt()) == ["first", "second", "third"]


def test_fingerprints_tell_sets_apart():
    toy = load("toy:count=8")
    others = [load("toy:count=8,seed=1"), toy[:7], replace(toy, labels=toy.labels.flip(0))]
    others += [replace(toy, classes=("a", "b", "c", "d"))]
    assert len({fingerprint(data) for data in [toy, *others]}) == 5
    assert fingerprint(toy) == fingerprint(load("toy:count=8"))
