"""Everything that a report shows, gathered from records alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from unlearnable.bench.cell import Cell, Result
from unlearnable.bench.failure import Failure
from unlearnable.bench.figure import figure_key
from unlearnable.bench.plan import Plan
from unlearnable.bench.planned_cell import PlannedCell
from unlearnable.bench.sets import SetQuality, SetRecord
from unlearnable.bench.store import RunFolder
from unlearnable.report.leaderboard import Leaderboard, boards
from unlearnable.report.tables import Table, tables


@dataclass(frozen=True)
class Trained:
    """A cell and where it comes from.

    Attributes:
        result: of the training.
        entry: of the first plan that asks for it.
        made: its training set.
        command: that trains it.
    """

    result: Result
    entry: PlannedCell
    made: SetRecord
    command: str


@dataclass(frozen=True)
class Protected:
    """A protected set and what is known of it.

    Attributes:
        row: its name in the plan, with the budget that was asked of it.
        data: name of the data set.
        made: its record.
        measured: how far its pictures are from the clean ones.
    """

    row: str
    data: str
    made: SetRecord
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
class Content:
    """What the report shows.

    Attributes:
        tables: one for each plan and data set.
        trained: cells by key.
        protected: sets, each once.
        illustrations: figures.
    """

    tables: tuple[Table, ...]
    trained: dict[str, Trained]
    protected: tuple[Protected, ...]
    illustrations: tuple[Illustration, ...]

    def boards(self) -> list[Leaderboard]:
        """The leaderboards of all tables."""
        return [board for table in self.tables for board in boards(table)]


def content(plans: Sequence[Plan], runs: RunFolder) -> Content:
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

    def made(entry: PlannedCell) -> SetRecord | None:
        return runs.sets.load(entry.training.key)

    # a plan that only draws has no table
    tabled = [plan for plan in plans if not plan.figure]
    found_tables = [table for plan in tabled for table in tables(plan, result, lambda what: runs.sets.load(what.key))]
    shown = tuple(replace(table, failures=_failures(table, runs)) for table in found_tables)
    trained: dict[str, Trained] = {}
    protected: dict[str, Protected] = {}
    for plan in plans:
        for entry in plan.cells:
            of = made(entry)
            if of is None:
                continue
            out = result(entry) if plan.trains else None
            if out and out.key not in trained:
                trained[out.key] = Trained(out, entry, of, plan.command)
            if of.measured:
                row = f"{entry.row}, {entry.budget}" if entry.budget else entry.row
                protected.setdefault(of.key, Protected(row, entry.table, of, of.measured))
    drawn = filter(None, (_illustration(plan, runs, result) for plan in plans if plan.figure))
    return Content(shown, trained, tuple(protected.values()), tuple(drawn))


def _failures(table: Table, runs: RunFolder) -> tuple[Failure, ...]:
    """What was thrown where a training of the table has no result."""
    found = []
    for field in table.fields.values():
        done = {result.cell.seed for result in field.results}
        found += [runs.failures.load(entry.key) for entry in field.entries if entry.seed not in done]
    return tuple(filter(None, found))


def _illustration(plan: Plan, runs: RunFolder, result: Callable[[PlannedCell], Result | None]) -> Illustration | None:
    """A plan's figure; None where it is not there, or shows other sets and trainings than there are now."""
    results = {entry: out for entry in plan.cells if plan.trains and (out := result(entry))}

    def trained_cell(entry: PlannedCell) -> Cell | None:
        return results[entry].cell if entry in results else None

    notes = runs.notes(plan.name)
    if notes is None or notes.key != figure_key(plan, trained_cell if plan.trains else runs.cell):
        return None
    trained = tuple(out.key for out in results.values())
    png = runs.figure(plan.name).read_bytes()
    return Illustration(plan.name, notes.title or plan.name, notes.command, png, notes.numbers, trained)
