"""Leaderboards: protections ranked by the worst case without clean pictures, then by what people see.

Never over different columns.
"""

import re
from dataclasses import dataclass
from math import inf

from unlearnable.bench.worst import WorstCase, advantage_of
from unlearnable.pages.text import MISSING, percent, score
from unlearnable.report.paper_comparison import Column
from unlearnable.report.tables import Summary, Table, TableRow
from unlearnable.training.countermeasure import ADVANTAGES, Advantage

FRONTIER = "What a trainer gets from the published pictures alone, against what people see of them"


@dataclass(frozen=True)
class Point:
    """A protection between two wishes.

    Attributes:
        row: of the table.
        seen: mean SSIMULACRA2: the higher, the less is seen.
        share: of what clean pictures give, what the worst trainer gets who has the published pictures alone.
    """

    row: TableRow
    seen: float
    share: float


@dataclass(frozen=True)
class Leaderboard:
    """The rows of a table that are asked for in all of some columns, controls aside.

    Attributes:
        table: whose.
        columns: over which all figures are.
        ranked: protections measured in all of them. First comes the one from which a trainer gets least who has the
            published pictures alone, by his highest peak; of two alike, the one that is seen less.
        unprotected: what is not protected, measured in all of them.
        incomplete: how many of the columns have been measured, of those that cannot be ranked yet.
    """

    table: Table
    columns: tuple[Column, ...]
    ranked: tuple[tuple[TableRow, Summary], ...]
    unprotected: tuple[tuple[TableRow, Summary], ...]
    incomplete: dict[TableRow, int]

    @property
    def advantages(self) -> tuple[Advantage, ...]:
        """What trainers had in these columns beside the published pictures."""
        held = {advantage_of(column.countermeasure, column.victim) for column in self.columns}
        return tuple(advantage for advantage in ADVANTAGES if advantage in held)

    @property
    def seen(self) -> bool:
        """Whether of any row it is known what people see."""
        return any(self.table.visibility(row) is not None for row, _ in self.ranked)

    @property
    def frontier(self) -> tuple[Point, ...]:
        """The ranked rows of which both is known; empty where fewer than two are."""
        found = []
        for row, summary in self.ranked:
            alone, seen = summary.worst_cases.get("none"), self.table.visibility(row)
            if alone and alone.share is not None and seen is not None:
                found.append(Point(row, seen, alone.share))
        return tuple(found) if len(found) > 1 else ()

    @property
    def frontier_file(self) -> str:
        """Of its plot beside the report."""
        where = re.sub(r"\W+", "_", f"{self.table.plan} {self.table.data} {len(self.columns)}".lower())
        return f"frontier_{where}.svg"

    @property
    def title(self) -> str:
        """Names the columns."""
        names = [self.table.label(column) for column in self.columns]
        return (
            f"Leaderboard over {names[0]} alone"
            if len(names) == 1
            else (f"Leaderboard over {len(names)} columns ({'; '.join(names)})")
        )


def in_figures(case: WorstCase | None) -> str:
    """A worst case in a place of a leaderboard: the peak, its share of what clean pictures give, and with what."""
    return f"{score(case.peak)} ({percent(case.share)} % of clean), {case.countermeasure}" if case else MISSING


def leaderboards(table: Table) -> list[Leaderboard]:
    """One for each set of columns that several protections share, the largest first.

    A protection that shares its columns with no other has one of its own.
    """
    protected = {row: frozenset(table.columns_of(row)) for row in table.rows if not row.unprotected}
    groups = sorted({*protected.values()} - {frozenset()}, key=lambda group: (-len(group), _positions(table, group)))
    members = {group: [row for row in protected if protected[row] >= group] for group in groups}
    shared = {row for rows in members.values() if len(rows) > 1 for row in rows}
    return [
        _leaderboard(table, group) for group, rows in members.items() if len(rows) > 1 or not shared.intersection(rows)
    ]


def _positions(table: Table, group: frozenset[Column]) -> list[int]:
    return [index for index, column in enumerate(table.columns) if column in group]


def _leaderboard(table: Table, group: frozenset[Column]) -> Leaderboard:
    columns = tuple(column for column in table.columns if column in group)
    ranked: list[tuple[TableRow, Summary]] = []
    unprotected: list[tuple[TableRow, Summary]] = []
    incomplete: dict[TableRow, int] = {}
    for row in table.rows:
        summary = table.summary(row, columns)
        if summary and len(summary.columns) == len(columns):
            (unprotected if row.unprotected else ranked).append((row, summary))
        elif not row.unprotected and group <= set(table.columns_of(row)):
            incomplete[row] = len(summary.columns) if summary else 0
    ranked.sort(key=lambda standing: _place(table, *standing))
    return Leaderboard(table, columns, tuple(ranked), tuple(unprotected), incomplete)


def _place(table: Table, row: TableRow, summary: Summary) -> tuple[float, float, float]:
    """Where the columns have no trainer without an advantage, the worst of them all counts in his place."""
    alone, seen = summary.worst_cases.get("none"), table.visibility(row)
    return alone.peak.mean if alone else summary.worst_peak, -seen if seen is not None else inf, summary.final
