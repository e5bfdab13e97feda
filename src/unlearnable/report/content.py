"""Everything that a report shows, gathered from records alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from unlearnable.bench.cell import Cell, Result
from unlearnable.bench.failure import Failure
from unlearnable.bench.figure import figure_key
from unlearnable.bench.plan import Plan
from unlearnable.bench.planned_cell import PlannedCell, TrainingSet
from unlearnable.bench.sets import SetQuality, SetRecord
from unlearnable.bench.store import RunFolder
from unlearnable.report.leaderboard import Leaderboard, leaderboards
from unlearnable.report.tables import Table, tables


@dataclass(frozen=True)
class TrainedCell:
    """A cell and where it comes from.

    Attributes:
        result: of the training.
        entry: of the first plan that asks for it.
        training_set: record of the set that it was trained on.
        command: that trains it.
    """

    result: Result
    entry: PlannedCell
    training_set: SetRecord
    command: str


@dataclass(frozen=True)
class ProtectedSet:
    """A protected set and what is known of it.

    Attributes:
        row: its name in the plan, with the budget that was asked of it.
        data: name of the data set.
        record: of how it was made.
        measured: how far its pictures are from the clean ones.
    """

    row: str
    data: str
    record: SetRecord
    measured: SetQuality


@dataclass(frozen=True)
class Illustration:
    """A figure that a plan drew.

    Attributes:
        name: of the plan.
        title: of the figure.
        command: that draws it.
        png: the picture.
        numbers: that it shows, a record a row.
        trained: keys of the cells whose victims it shows.
    """

    name: str
    title: str
    command: str
    png: bytes
    numbers: tuple[dict[str, Any], ...]
    trained: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """What there are numbers of."""
        return tuple(dict.fromkeys(name for record in self.numbers for name in record))

    @property
    def file(self) -> str:
        """Its name beside the report."""
        return f"{self.name}.png"


@dataclass(frozen=True)
class ReportContent:
    """What the report shows.

    Attributes:
        tables: one for each plan and data set.
        trained_cells: by key.
        protected_sets: each once.
        illustrations: figures.
    """

    tables: tuple[Table, ...]
    trained_cells: dict[str, TrainedCell]
    protected_sets: tuple[ProtectedSet, ...]
    illustrations: tuple[Illustration, ...]

    def leaderboards(self) -> list[Leaderboard]:
        """The leaderboards of all tables."""
        return [leaderboard for table in self.tables for leaderboard in leaderboards(table)]


def report_content(plans: Sequence[Plan], runs: RunFolder) -> ReportContent:
    """Look up what has been measured; nothing is loaded but records.

    Args:
        plans: whose trainings, sets and figures are shown.
        runs: what there is.
    """
    found: dict[PlannedCell, Result | None] = {}

    def result(entry: PlannedCell) -> Result | None:
        if entry not in found:
            found[entry] = runs.found(entry)
        return found[entry]

    def record(what: TrainingSet) -> SetRecord | None:
        return runs.sets.load(what.key)

    trained_cells: dict[str, TrainedCell] = {}
    protected_sets: dict[str, ProtectedSet] = {}
    for plan in plans:
        for entry in plan.cells:
            made = record(entry.training)
            if made is None:
                continue
            trained = result(entry) if plan.trains else None
            if trained:
                trained_cells.setdefault(trained.key, TrainedCell(trained, entry, made, plan.command))
            if made.measured:
                row = f"{entry.row}, {entry.budget}" if entry.budget else entry.row
                protected_sets.setdefault(made.key, ProtectedSet(row, entry.table, made, made.measured))
    drawing = [plan for plan in plans if plan.figure]  # these have no table
    measured = [table for plan in plans if plan not in drawing for table in tables(plan, result, record)]
    return ReportContent(
        tuple(replace(table, failures=_failures(table, runs)) for table in measured),
        trained_cells,
        tuple(protected_sets.values()),
        tuple(filter(None, (_illustration(plan, runs, result) for plan in drawing))),
    )


def _failures(table: Table, runs: RunFolder) -> tuple[Failure, ...]:
    """What was thrown where a training of the table has no result."""
    found = []
    for field in table.fields.values():
        done = {result.cell.seed for result in field.results}
        found += [runs.failures.load(planned.key) for planned in field.entries if planned.seed not in done]
    return tuple(filter(None, found))


def _illustration(plan: Plan, runs: RunFolder, result: Callable[[PlannedCell], Result | None]) -> Illustration | None:
    """A plan's figure; None where it is not there, or shows other sets and trainings than there are now."""
    results = {entry: found for entry in plan.cells if plan.trains and (found := result(entry))}

    def trained_cell(entry: PlannedCell) -> Cell | None:
        return results[entry].cell if entry in results else None

    notes = runs.notes(plan.name)
    if notes is None or notes.key != figure_key(plan, trained_cell if plan.trains else runs.cell):
        return None
    trained = tuple(found.key for found in results.values())
    png = runs.figure(plan.name).read_bytes()
    return Illustration(plan.name, notes.title or plan.name, notes.command, png, notes.numbers, trained)
