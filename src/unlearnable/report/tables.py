"""The results of a plan as tables: a row for each protection and budget, a column for each way to train on it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from statistics import fmean

from unlearnable.bench.cell import Result
from unlearnable.bench.failure import Failure
from unlearnable.bench.plan import Plan
from unlearnable.bench.planned_cell import CLEAN, PlannedCell, TrainingSet, protecting
from unlearnable.bench.sets import SetQuality, SetRecord
from unlearnable.bench.worst import WorstCase, advantage_of, worst_cases
from unlearnable.pages.score import Score
from unlearnable.report.paper_comparison import Column, Comparison
from unlearnable.training.countermeasure import Advantage


@dataclass(frozen=True)
class TableRow:
    """What a row of a table stands for.

    Attributes:
        name: in the plan.
        budget: on which the protection was projected anew; empty for its native one.
        protection: as text.
    """

    name: str
    budget: str
    protection: str

    @property
    def unprotected(self) -> bool:
        """Whether nothing is protected."""
        return protecting(self.protection) is None

    @property
    def label(self) -> str:
        """Its name, and the budget that was asked of it."""
        return f"{self.name}, {self.budget}" if self.budget else self.name


@dataclass(frozen=True)
class Field:
    """One place in a table: the same training with several seeds.

    Attributes:
        entries: what the plan asks for, one a seed.
        results: what has come out so far.
        paper: the paper's accuracy in [0, 1]; None where it has none.
    """

    entries: tuple[PlannedCell, ...]
    results: tuple[Result, ...]
    paper: float | None

    @property
    def final(self) -> Score | None:
        """Accuracy after the last epoch; None where nothing has been trained."""
        return Score.of([result.final() for result in self.results]) if self.results else None

    @property
    def peak(self) -> Score | None:
        """The same after the best epoch."""
        return Score.of([result.peak() for result in self.results]) if self.results else None

    @property
    def difference(self) -> float | None:
        """What ours is above the paper's."""
        return self.final.mean - self.paper if self.final and self.paper is not None else None


@dataclass(frozen=True)
class Summary:
    """A row over some columns; accuracies in [0, 1].

    Attributes:
        columns: over which it is: those that have been measured and are no controls.
        final, peak: mean accuracies after the last and after the best epoch.
        worst_final, worst_peak: the highest of each.
        worst: the column of ``worst_peak``.
        worst_cases: the highest peak by what the trainer has beside the published pictures.
        paper: mean of the paper's over the same columns; None where it does not have all of them.
    """

    columns: tuple[Column, ...]
    final: float
    peak: float
    worst_final: float
    worst_peak: float
    worst: Column
    worst_cases: dict[Advantage, WorstCase]
    paper: float | None


@dataclass(frozen=True)
class Table:
    """What a plan measures on one data set.

    Attributes:
        plan: its name.
        title: of the plan.
        data: name of the data set.
        command: that fills it.
        comparison: with a table of the paper; None without one.
        train, test: the clean sets; None where they have not been made.
        rows, columns: in the order of the plan.
        fields: whatever the plan asks for, whether measured or not.
        qualities: of the protected sets that have been made, budget and visibility.
        failures: of trainings that are not done.
    """

    plan: str
    title: str
    data: str
    command: str
    comparison: Comparison | None
    train: SetRecord | None
    test: SetRecord | None
    rows: tuple[TableRow, ...]
    columns: tuple[Column, ...]
    fields: dict[tuple[TableRow, Column], Field]
    qualities: dict[TableRow, SetQuality]
    failures: tuple[Failure, ...] = ()

    @property
    def planned(self) -> int:
        """Trainings that the plan asks for."""
        return sum(len(field.entries) for field in self.fields.values())

    @property
    def measured(self) -> int:
        """Those of them that are done."""
        return sum(len(field.results) for field in self.fields.values())

    @property
    def chance(self) -> float | None:
        """What guessing gives; None where nothing has been made."""
        return 1 / self.train.classes if self.train else None

    def label(self, column: Column) -> str:
        """What sets a column apart from the others."""
        varied = [field.name for field in fields(Column) if len({getattr(c, field.name) for c in self.columns}) > 1]
        return ", ".join(
            f"{column.share:.0%} protected" if name == "share" else getattr(column, name)
            for name in varied or ["countermeasure"]
        )

    @property
    def counted(self) -> tuple[Column, ...]:
        """The columns that count in means and ranks: those that are no controls."""
        return tuple(column for column in self.columns if not column.control)

    def columns_of(self, row: TableRow) -> tuple[Column, ...]:
        """The columns that count and of which the plan asks for this row."""
        return tuple(column for column in self.counted if (row, column) in self.fields)

    def field(self, row: TableRow, column: Column) -> Field | None:
        """The field of a row in a column; clean pictures, which have no share, are the same in all shares."""
        return self.fields.get((row, column)) or (self.clean(column) if row.protection == CLEAN else None)

    def clean(self, column: Column) -> Field | None:
        """The same training on clean pictures, if the plan asks for it."""
        clean = {of: field for (row, of), field in self.fields.items() if row.protection == CLEAN}
        return next((field for of, field in clean.items() if replace(of, share=column.share) == column), None)

    def below_clean(self, row: TableRow, column: Column) -> tuple[float | None, float | None]:
        """How far an accuracy is below that of clean pictures: ours, and the paper's."""
        field, clean = self.fields[row, column], self.clean(column)
        if row.protection == CLEAN or clean is None:
            return None, None
        ours = clean.final.mean - field.final.mean if clean.final and field.final else None
        return ours, clean.paper - field.paper if clean.paper is not None and field.paper is not None else None

    def visibility(self, row: TableRow) -> float | None:
        """Mean SSIMULACRA2 of its pictures, where that was measured."""
        quality = self.qualities.get(row)
        return quality.visibility.ssimulacra2_mean if quality and quality.visibility else None

    def summary(self, row: TableRow, columns: Iterable[Column] | None = None) -> Summary | None:
        """A row over ``columns``, or over all that count; what has not been measured is left out.

        None where nothing has been.
        """
        wanted = self.columns_of(row) if columns is None else columns
        measured = {column: field for column in wanted if (field := self.field(row, column))}
        finals = {column: field.final.mean for column, field in measured.items() if field.final}
        peaks = {column: field.peak for column, field in measured.items() if field.peak}
        if not finals:
            return None
        worst = max(peaks, key=lambda column: peaks[column].mean)
        paper = [field.paper for column, field in measured.items() if column in finals and field.paper is not None]
        return Summary(
            columns=tuple(finals),
            final=fmean(finals.values()),
            peak=fmean(peak.mean for peak in peaks.values()),
            worst_final=max(finals.values()),
            worst_peak=peaks[worst].mean,
            worst=worst,
            worst_cases=worst_cases(self._case(*found) for found in peaks.items()),
            paper=fmean(paper) if len(paper) == len(finals) else None,
        )

    def _case(self, column: Column, peak: Score) -> WorstCase:
        clean = self.clean(column)
        advantage = advantage_of(column.countermeasure, column.victim)
        return WorstCase(advantage, self.label(column), peak, clean.peak if clean else None)

    def departures(self) -> list[str]:
        """What was done otherwise than in the paper."""
        protections = {row.name: row.protection for row in self.rows}
        comparison = self.comparison
        return comparison.departures(self.data, protections, self.columns, self.train, self.test) if comparison else []

    def misprints(self) -> list[str]:
        """Means of the paper that are not those of their rows."""
        return self.comparison.misprints(self.data, [row.name for row in self.rows]) if self.comparison else []


def tables(
    plan: Plan,
    result: Callable[[PlannedCell], Result | None],
    made: Callable[[TrainingSet], SetRecord | None],
) -> list[Table]:
    """A table for each data set of a plan.

    Args:
        plan: what is planned for.
        result: what came out of an entry, if anything did.
        made: what is known of a set, if anything is.
    """
    by_data: dict[tuple[str, str, str], list[PlannedCell]] = {}
    for entry in plan.cells:
        by_data.setdefault((entry.table, entry.training.data, entry.test), []).append(entry)
    return [
        _table(plan, entries, result, made, made(TrainingSet(train)), made(TrainingSet(test)))
        for (_, train, test), entries in by_data.items()
    ]


def _table(
    plan: Plan,
    entries: list[PlannedCell],
    result: Callable[[PlannedCell], Result | None],
    made: Callable[[TrainingSet], SetRecord | None],
    train: SetRecord | None,
    test: SetRecord | None,
) -> Table:
    comparison, data = Comparison(plan.paper) if plan.paper else None, entries[0].table
    planned: dict[tuple[TableRow, Column], list[PlannedCell]] = {}
    qualities: dict[TableRow, SetQuality] = {}
    varied = len({entry.training.share for entry in entries}) > 1
    for entry in entries:
        row = TableRow(entry.row, entry.budget, entry.training.protection)
        share = 0.0 if varied and entry.training.protection == CLEAN else entry.training.share
        column = Column(entry.countermeasure, entry.victim, share, entry.recipe)
        planned.setdefault((row, column), []).append(entry)
        if row not in qualities and (set_made := made(entry.training)) and set_made.measured:
            qualities[row] = set_made.measured
    filled: dict[tuple[TableRow, Column], Field] = {}
    for (row, column), cells in planned.items():
        paper = comparison.accuracy(data, row.name, column) if comparison and not row.budget else None
        filled[row, column] = Field(tuple(cells), tuple(filter(None, map(result, cells))), paper)
    return Table(
        plan=plan.name,
        title=plan.title or plan.name,
        data=data,
        command=plan.command,
        comparison=comparison,
        train=train,
        test=test,
        rows=tuple(dict.fromkeys(row for row, _ in planned)),
        columns=_ordered((column for _, column in planned), comparison),
        fields=filled,
        qualities=qualities,
    )


def _ordered(columns: Iterable[Column], comparison: Comparison | None) -> tuple[Column, ...]:
    """By share, then as in the paper, then as in the plan."""
    names = comparison.table.columns if comparison else ()

    def position(column: Column) -> tuple[float, int]:
        name = comparison.column(column) if comparison else ""
        return column.share, names.index(name) if name else len(names)

    return tuple(sorted(dict.fromkeys(columns), key=position))
