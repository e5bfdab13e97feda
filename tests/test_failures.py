"""What a step throws is its own failure: it is recorded and said, and the others are done."""

import os
import time
from dataclasses import replace

import pytest
from safetensors import SafetensorError

from broken import UnsendableError, broken, broken_unsendably
from commands import run as command
from plans import TOY, ran, read
from unlearnable.bench.plan import Plan
from unlearnable.bench.plan_steps import MakeSet, steps_of
from unlearnable.bench.scheduler import Scheduler
from unlearnable.bench.steps import Train
from unlearnable.bench.store import RunFolder
from unlearnable.bench.timing import StepTimes
from unlearnable.bench.workers import InProcess, local


@pytest.fixture(scope="module")
def plan(tmp_path_factory) -> Plan:
    """Two trainings of clean pictures, and two of protected ones."""
    return read(tmp_path_factory.mktemp("plan"), TOY + "protections: {Clean: clean, Noise: noise}\n")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("no such noise"), "no such noise"),
        (MemoryError(), "MemoryError()"),
        (SafetensorError("the disk is full"), "the disk is full"),
    ],
)
def test_what_fails_takes_what_needs_it_along_and_nothing_else(plan, tmp_path, monkeypatch, error, said):
    def broken(self, *arguments):
        raise error

    where = "bench.plan_steps.MakeSet.keep" if isinstance(error, SafetensorError) else "protections.noise.Noise.perturb"
    monkeypatch.setattr(f"unlearnable.{where}", broken)
    runs = RunFolder(tmp_path)
    run = Scheduler(steps_of(plan, runs), InProcess(), StepTimes.of(runs))
    run.run()
    assert set(map(str, run.failed.values())) == {said}
    assert {planned.row for planned in plan.cells if runs.result(planned)} == {"Clean"}
    assert sum(isinstance(step, MakeSet) for step in run.failed) == 1


def test_a_run_goes_on_where_the_system_kills_a_worker(plan, tmp_path, monkeypatch):
    runs, cells = RunFolder(tmp_path / "runs"), plan.cells[:2]
    steps = steps_of(replace(plan, cells=cells), runs)
    first = next(step for step in steps if isinstance(step, Train))
    monkeypatch.setattr(first, "call", lambda: (os.abort, ()))
    with local(2) as executor:
        run = Scheduler(steps, executor, StepTimes.of(runs))
        run.run()
        again = Scheduler(steps_of(replace(plan, cells=cells), runs), executor, StepTimes.of(runs))
        again.run()
    assert first in run.failed and all("killed by the system" in str(why) for why in run.failed.values())
    assert not again.failed and all(map(runs.result, cells))


@pytest.mark.parametrize("workers", [1, 2])
def test_whatever_a_cell_throws_is_its_own_failure(tmp_path, monkeypatch, workers):
    text = TOY.replace('"jpeg:quality=50"', "cutout, cutmix, mixup") + "protections: {Clean: clean}\n"
    plan, runs = read(tmp_path, text), RunFolder(tmp_path / "runs")
    steps = steps_of(plan, runs)
    thrown = {"cutout": KeyError("x"), "cutmix": AssertionError(), "mixup": UnsendableError}
    for step in steps:
        name = step.name.split(", ")[1] if isinstance(step, Train) else ""
        if name == "mixup":
            monkeypatch.setattr(step, "call", lambda: (broken_unsendably, ()))
        elif name in thrown:
            monkeypatch.setattr(step, "call", lambda error=thrown[name]: (broken, (error,)))
    with local(workers) as executor:
        run = Scheduler(steps, executor, StepTimes.of(runs))
        run.run()
    assert [runs.result(cell) is not None for cell in plan.cells] == [True, False, False, False]
    found = {failure.name.split(", ")[1]: failure for failure in runs.failures.all()}
    assert {name: failure.reason for name, failure in found.items()} == {
        "cutout": "KeyError('x')",
        "cutmix": "AssertionError()",
        "mixup": "UnsendableError()",
    }
    assert all("in broken" in failure.traceback for failure in found.values())
    assert {step.name for step in run.failed} == {failure.name for failure in found.values()}
    ran(plan, runs.folder)
    assert not runs.failures.all() and len(runs.cells.all()) == 4


def test_what_fails_for_want_of_its_set_is_recorded_and_what_has_no_time_is_not(plan, tmp_path, monkeypatch):
    def broken(self, *arguments):
        raise LookupError("no such noise")

    runs = RunFolder(tmp_path)
    Scheduler(steps_of(plan, runs), InProcess(), StepTimes.of(runs), time.monotonic() - 1).run()
    assert not runs.failures.all()
    monkeypatch.setattr("unlearnable.protections.noise.Noise.perturb", broken)
    Scheduler(steps_of(plan, runs), InProcess(), StepTimes.of(runs)).run()
    assert {failure.reason for failure in runs.failures.all()} == {"LookupError('no such noise')"}
    assert {failure.key for failure in runs.failures.all()} == {cell.key for cell in plan.cells if cell.row == "Noise"}


def test_the_command_says_which_cells_failed_and_does_the_others(tmp_path, monkeypatch):
    def broken(self, images, targets):
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("unlearnable.countermeasures.augment.Cutout.augment", broken)
    plan = read(tmp_path, TOY.replace('"jpeg:quality=50"', "cutout") + "protections: {Clean: clean}\n")
    out = tmp_path / "runs"
    said = command("bench", plan.file, "--out", out, code=3).stderr
    assert "not done: ZeroDivisionError('by zero')" in said and "1 steps were not done; what was thrown" in said
    said = command("report", plan.file, "--runs", out, "--out", tmp_path / "report").stderr
    assert "1 of 2 trainings shown" in said
    for name in ("report.md", "report.html"):
        assert "Not done: toy Clean, cutout, resnet9:width=4, seed 0: " in (tmp_path / "report" / name).read_text()
