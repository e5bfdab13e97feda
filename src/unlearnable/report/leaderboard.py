"""Leaderboards: protections ranked by what a trainer gets on average, never over different columns."""

from dataclasses import dataclass

from unlearnable.report.paper_comparison import Column
from unlearnable.report.tables import Summary, Table, TableRow


@dataclass(frozen=True)
class Leaderboard:
    """The rows of a table that are asked for in all of some columns.

    Attributes:
        table: whose.
        columns: over which all figures are.
        ranked: protections measured in all of them, the lowest mean first, then the lowest worst case.
        beside: what is not protected, measured in all of them.
        incomplete: how many of the columns have been measured, of those that cannot be ranked yet.
    """

    table: Table
    columns: tuple[Column, ...]
    ranked: tuple[tuple[TableRow, Summary], ...]
    beside: tuple[tuple[TableRow, Summary], ...]
    incomplete: dict[TableRow, int]


def boards(table: Table) -> list[Leaderboard]:
    """One for each set of columns that several protections share, the largest first.

    A protection that shares its columns with no other has one of its own.
    """
    asked = {row: frozenset(table.of(row)) for row in table.rows if not row.control}
    groups = sorted(set(asked.values()), key=lambda group: (-len(group), _places(table, group)))
    members = {group: [row for row in asked if asked[row] >= group] for group in groups}
    shared = {row for rows in members.values() if len(rows) > 1 for row in rows}
    return [_board(table, group) for group, rows in members.items() if len(rows) > 1 or not shared.intersection(rows)]


def _places(table: Table, group: frozenset[Column]) -> list[int]:
    return [index for index, column in enumerate(table.columns) if column in group]


def _board(table: Table, group: frozenset[Column]) -> Leaderboard:
    columns = tuple(column for column in table.columns if column in group)
    ranked: list[tuple[TableRow, Summary]] = []
    beside: list[tuple[TableRow, Summary]] = []
    incomplete: dict[TableRow, int] = {}
    for row in table.rows:
        summary = table.summary(row, columns)
        if summary and len(summary.columns) == len(columns):
            (beside if row.control else ranked).append((row, summary))
        elif not row.control and group <= set(table.of(row)):
            incomplete[row] = len(summary.columns) if summary else 0
    ranked.sort(key=lambda standing: (standing[1].final, standing[1].worst_peak))
    return Leaderboard(table, columns, tuple(ranked), tuple(beside), incomplete)
