"""Files of a bench that are broken: whatever they were of is done again, and it is said."""

from dataclasses import replace

import pytest

from commands import run as command
from plans import TOY, ended, ran, read
from unlearnable.bench.plan import Plan
from unlearnable.bench.plan_steps import steps_of
from unlearnable.bench.scheduler import Scheduler
from unlearnable.bench.store import RunFolder
from unlearnable.bench.timing import StepTimes
from unlearnable.bench.workers import InProcess
from unlearnable.storage.atomic import write

PLAN = TOY + "protections: {Clean: clean, Noise: noise}\n"


@pytest.fixture
def plan(tmp_path) -> Plan:
    return read(tmp_path, PLAN)


@pytest.fixture
def runs(plan, tmp_path) -> RunFolder:
    return ran(plan, tmp_path / "runs")


def test_a_record_that_is_none_is_said_by_whoever_reads_it(plan, runs, tmp_path):
    cell, made = runs.result(plan.cells[-1]), runs.sets.load(plan.cells[-1].training.key)
    (runs.cells.folder / f"{cell.key}.json").write_text("{")
    said = command("report", plan.file, "--runs", runs.folder, "--out", tmp_path / "report").stderr
    assert f"{cell.key}.corrupt is not the record" in said and "3 of 4 trainings shown" in said
    (runs.sets.folder / f"{made.key}.json").write_text("{}")
    said = command("bench", plan.file, "--out", runs.folder, "--dry-run").stderr
    assert f"{made.key}.corrupt is not the record" in said and "2 cells to train, 1 set to make" in said


def flipped(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize("spoil", [lambda content: content[:-9], lambda content: b"", flipped])
def test_pictures_that_are_damaged_are_made_again(plan, runs, spoil):
    last = plan.cells[-1]
    before, pictures = runs.result(last), runs.stored_set(runs.sets.load(last.training.key).fingerprint)
    whole, clean = pictures.file.read_bytes(), runs.stored_set(before.cell.clean).file
    (runs.cells.folder / f"{before.key}.json").unlink()
    write(pictures.file, spoil(whole))  # not in place: this process has the pictures mapped
    write(clean, spoil(clean.read_bytes()))
    events = []
    with pytest.warns(UserWarning, match="counts as missing"):
        run = Scheduler(steps_of(plan, runs), InProcess(), StepTimes.of(runs), on_step=ended(events))
        run.run()
    assert [event.step.name for event in events] == ["making noise", last.name] and not run.failed
    assert replace(runs.result(last), seconds=0) == replace(before, seconds=0)
    assert pictures.intact


@pytest.mark.parametrize("spoil", [lambda content: content[:-1], flipped])
def test_what_a_countermeasure_made_is_made_again_where_the_file_is_damaged(tmp_path, spoil):
    plan = read(tmp_path, TOY + "seeds: 2\nprotections: {Noise: noise}\n")
    runs = ran(plan, tmp_path / "runs")
    result = runs.result(next(entry for entry in plan.cells if entry.countermeasure != "vanilla"))
    (runs.cells.folder / f"{result.key}.json").unlink()
    kept = runs.stored_set(result.cell.train, result.cell.countermeasure).file
    write(kept, spoil(kept.read_bytes()))
    with pytest.warns(UserWarning, match="counts as missing"):
        run = Scheduler(steps_of(plan, runs), InProcess(), StepTimes.of(runs))
        run.run()
    assert not run.failed and runs.cells.load(result.key).final() == result.final()


def test_weights_that_are_cut_short_are_trained_again_and_the_result_stays(tmp_path):
    plan = read(tmp_path, "figure: gradcam:pictures=2\n" + PLAN)
    runs = ran(plan, tmp_path / "runs")
    runs.figure("toy").unlink()
    (cell, *_) = [runs.cell(entry) for entry in plan.cells]
    weights, result = runs.weights(cell), replace(runs.cells.load(cell.key), seconds=1e6)
    write(weights, weights.read_bytes()[:-1])
    runs.cells.save(result)
    with pytest.warns(UserWarning, match="counts as missing"):
        run = Scheduler(steps_of(plan, runs), InProcess(), StepTimes.of(runs))
        run.run()
    assert not run.failed and runs.figure("toy").exists()
    assert runs.cells.load(cell.key) == result
