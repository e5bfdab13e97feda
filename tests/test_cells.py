import json
import shutil
from dataclasses import asdict, field, make_dataclass, replace
from pathlib import Path

import pytest

from unlearnable import load
from unlearnable.bench.cell import Cell, Result
from unlearnable.bench.plan import Plan
from unlearnable.bench.planned_cell import TrainingSet
from unlearnable.bench.store import RunFolder
from unlearnable.countermeasures import Countermeasure, countermeasures
from unlearnable.images.imageset import fingerprint
from unlearnable.protections import protection_named, protections
from unlearnable.storage.records import Store
from unlearnable.training.history import Epoch

RESULTS = Path(__file__).parents[1] / "results"
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
        lambda text: text.replace("vanilla", "vanila"),
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


@pytest.mark.parametrize(
    "change",
    [
        with_field("another", 1),
        with_field("augmentation", "none"),
        lambda text: with_field("version", "0.0.1")(text).replace('"seconds"', '"minutes"'),
        lambda text: with_field("version", "0.0.1")(text).replace("vanilla", "long_gone"),
    ],
)
def test_a_record_of_another_versions_fields_is_left_where_it_is(tmp_path, change):
    store = Store(tmp_path, Result)
    store.save(RESULT)
    file = store.file(CELL.key)
    file.write_text(change(file.read_text()))
    assert store.load(CELL.key) is None and store.all() == [] and store.corrupt() == []
    assert file.exists()


def test_a_record_is_found_whatever_its_file_is_called(tmp_path):
    """As older rules gave keys, under this version as under others; the file of today's name goes before."""
    older = replace(RESULT, cell=replace(CELL, version="0.0.1"))
    for name, record in {"a": older, "b": RESULT}.items():
        (tmp_path / f"{name}.json").write_text(record.to_json())
    store = Store(tmp_path, Result)
    assert store.load(CELL.key) == RESULT and store.load(older.key) == older
    assert sorted(store.all(), key=lambda result: result.version) == [older, RESULT]
    again = replace(RESULT, seconds=2.0)
    store.save(again)
    assert store.load(CELL.key) == again and again in store.all() and len(store.all()) == 2
    assert not store.corrupt() and len(list(tmp_path.iterdir())) == 3


@pytest.fixture
def double(monkeypatch):
    """Registers a countermeasure with the given parameters and defaults, in place of the one before."""

    def register(**defaults):
        kinds = [(name, type(value), field(default=value)) for name, value in defaults.items()]
        made = make_dataclass("Double", kinds, bases=(Countermeasure,), frozen=True)
        monkeypatch.setitem(countermeasures._classes, "double", made)

    return register


def test_a_parameter_that_is_added_with_a_default_keeps_keys_and_results(tmp_path, double):
    double(strength=1.0)
    cells = [replace(CELL, countermeasure=text) for text in ("double", "double:strength=2", "gray+double:strength=3")]
    keys = [cell.key for cell in cells]
    for cell in cells:
        Store(tmp_path, Result).save(replace(RESULT, cell=cell))
    double(edges=False, strength=1.0, passes=1)
    assert [cell.key for cell in cells] == keys
    assert [Store(tmp_path, Result).load(key).cell for key in keys] == cells
    other = replace(CELL, countermeasure="double:passes=2")
    assert other.key not in keys and Store(tmp_path, Result).load(other.key) is None
    assert not Store(tmp_path, Result).corrupt()


def test_a_default_that_changes_asks_for_a_new_version(tmp_path, double):
    """Under the same version the key stands for what it stood for before; under a new one nothing old is found."""
    double(strength=1.0)
    cell = replace(CELL, countermeasure="double")
    Store(tmp_path, Result).save(replace(RESULT, cell=cell))
    double(strength=2.0)
    assert Store(tmp_path, Result).load(cell.key)
    assert Store(tmp_path, Result).load(replace(cell, version="99").key) is None
    assert not Store(tmp_path, Result).corrupt()


def test_a_set_is_found_after_a_parameter_was_added(monkeypatch):
    def register(**defaults):
        kinds = [(name, type(value), field(default=value)) for name, value in defaults.items()]
        bases = (type(protection_named("noise")),)
        monkeypatch.setitem(protections._classes, "double", make_dataclass("Double", kinds, bases=bases, frozen=True))

    register(strength_of=1.0)
    what = TrainingSet("toy", "double:per=sample", share=0.5)
    before = what.key
    register(strength_of=1.0, passes=2)
    assert what.key == before != replace(what, protection="double:per=sample,passes=3").key


@pytest.mark.parametrize("folder", sorted(RESULTS.glob("**/cells")), ids=lambda folder: folder.parent.name)
def test_committed_cells_are_found(tmp_path, folder):
    shutil.copytree(folder, tmp_path / "cells")
    store = Store(tmp_path / "cells", Result)
    cells = [Cell(**json.loads(file.read_text())["cell"]) for file in folder.glob("*.json")]
    assert [store.load(cell.key).cell for cell in cells] == cells
    assert not store.corrupt()


@pytest.mark.parametrize("pack", sorted(RESULTS.glob("*.jsonl")), ids=lambda pack: pack.stem)
def test_plans_find_their_committed_results(tmp_path, pack):
    runs, plan = RunFolder(tmp_path), Plan.read(RESULTS.parent / "plans" / f"{pack.stem}.yaml")
    runs.unpack(pack)
    cells = {json.dumps(cell) for line in pack.read_text().splitlines() if (cell := json.loads(line).get("cell"))}
    found = [result for entry in plan.cells if (result := runs.found(entry))]
    assert {json.dumps(asdict(result.cell)) for result in found} <= cells
    assert len(found) == min(len(plan.cells), len(cells))  # a pack may hold part of a plan, or more than one


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
