"""Leaderboards: protections ranked by what a trainer gets on average, never over different columns."""

from dataclasses import dataclass

from unlearnable.report.paper_comparison import Column
from unlearnable.report.tables import Summary, Table, TableRow


@dataclass(frozen=True)
class Leaderboard:
    """The rows of a table that are asked for in all of some columns, controls aside.

    Attributes:
        table: whose.
        columns: over which all figures are.
        ranked: protections measured in all of them, the lowest mean first, then the lowest worst case.
        unprotected: what is not protected, measured in all of them.
        incomplete: how many of the columns have been measured, of those that cannot be ranked yet.
    """

    table: Table
    columns: tuple[Column, ...]
    ranked: tuple[tuple[TableRow, Summary], ...]
    unprotected: tuple[tuple[TableRow, Summary], ...]
    incomplete: dict[TableRow, int]

    @property
    def title(self) -> str:
        """Names the columns."""
        names = [self.table.label(column) for column in self.columns]
        return (
            f"Leaderboard over {names[0]} alone"
            if len(names) == 1
            else (f"Leaderboard over {len(names)} columns ({'; '.join(names)})")
        )


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
    ranked.sort(key=lambda standing: (standing[1].final, standing[1].worst_peak))
    return Leaderboard(table, columns, tuple(ranked), tuple(unprotected), incomplete)
