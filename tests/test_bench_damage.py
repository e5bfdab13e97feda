"""Files of a bench that are broken: whatever they were of is done again, and it is said."""

import pytest

from commands import run as command
from plans import TOY, ran, read
from unlearnable.bench.plan import Plan
from unlearnable.bench.runs import Runs

PLAN = TOY + "protections: {Clean: clean, Noise: noise}\n"


@pytest.fixture
def plan(tmp_path) -> Plan:
    return read(tmp_path, PLAN)


@pytest.fixture
def runs(plan, tmp_path) -> Runs:
    return ran(plan, tmp_path / "runs")


def test_a_record_that_is_none_is_said_by_whoever_reads_it(plan, runs, tmp_path):
    cell, made = runs.result(plan.entries[-1]), runs.sets.load(plan.entries[-1].training.key)
    (runs.cells.folder / f"{cell.key}.json").write_text("{")
    said = command("report", plan.file, "--runs", runs.folder, "--out", tmp_path / "report").stderr
    assert f"{cell.key}.corrupt is not the record" in said and "3 of 4 trainings shown" in said
    (runs.sets.folder / f"{made.key}.json").write_text("{}")
    said = command("bench", plan.file, "--out", runs.folder, "--dry-run").stderr
    assert f"{made.key}.corrupt is not the record" in said and "2 cells to train, 1 sets to make" in said
