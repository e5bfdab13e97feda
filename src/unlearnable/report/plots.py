"""Plots of a report as SVG: accuracy against budget, and against the quality of JPEG or the share of protection."""

import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unlearnable.countermeasures import countermeasure_named
from unlearnable.countermeasures.preprocess import Jpeg
from unlearnable.report.leaderboard import Leaderboard
from unlearnable.report.paper_comparison import Column
from unlearnable.report.tables import Table, TableRow

MARKERS = "osD^vPX*<>ph"
FEWEST = 3  # points of a sweep


def budget_plot(leaderboard: Leaderboard, rms: Mapping[TableRow, float]) -> bytes | None:
    """Mean accuracy of a leaderboard against how far the pictures are changed; None where fewer than two are known.

    Args:
        leaderboard: whose means.
        rms: mean RMS of the sets, in grey levels.
    """
    ranked = [(row, summary) for row, summary in leaderboard.ranked if row in rms]
    if len(ranked) < 2:
        return None
    figure, axes = _axes("RMS of the change, grey levels of 255")
    for row, summary in ranked:
        look = _look(leaderboard.table, row) | {"linestyle": ""}
        axes.plot(rms[row], 100 * summary.final, markersize=8, label=row.label, **look)
    for row, summary in leaderboard.unprotected:
        axes.axhline(100 * summary.final, color="black", linestyle="--", linewidth=1, label=f"{row.label}, unchanged")
    axes.set_xlim(0, 1.08 * max(rms[row] for row, _ in ranked))
    return _svg(figure, axes, leaderboard.table)


def sweeps(table: Table) -> dict[str, bytes]:
    """Accuracy of every row along what has at least three values, by what that is."""
    measures: dict[str, Callable[[Column], float | None]] = {
        "JPEG quality of the training pictures": _quality,
        "protected pictures, %": lambda column: 100 * column.share,
    }
    drawn = {name: _sweep(table, name, measure) for name, measure in measures.items()}
    return {name: svg for name, svg in drawn.items() if svg}


def _sweep(table: Table, name: str, measure: Callable[[Column], float | None]) -> bytes | None:
    """One plot, of those columns that differ in nothing else."""
    groups: dict[Column, dict[float, Column]] = {}
    for column in table.columns:
        if (value := measure(column)) is not None:
            rest = replace(column, share=1.0) if name.startswith("protected") else replace(column, countermeasure="")
            groups.setdefault(rest, {})[value] = column
    along = max(groups.values(), key=len, default={})
    if len(along) < FEWEST:
        return None
    figure, axes = _axes(name)
    for row in table.rows:
        fields = {value: table.fields.get((row, column)) for value, column in sorted(along.items())}
        points = [(value, 100 * field.final.mean) for value, field in fields.items() if field and field.final]
        if points:
            axes.plot(*zip(*points, strict=True), label=row.label, **_look(table, row))
    return _svg(figure, axes, table) if axes.lines else None


def _quality(column: Column) -> float | None:
    made = countermeasure_named(column.countermeasure)
    return made.quality if isinstance(made, Jpeg) else None


def _look(table: Table, row: TableRow) -> dict[str, Any]:
    """How a row is drawn, the same in every plot of a table."""
    index = table.rows.index(row)
    colour, style = ("black", "--") if row.unprotected else (f"C{index}", "-")
    return {"marker": MARKERS[index % len(MARKERS)], "color": colour, "linestyle": style}


def _axes(horizontal: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7.6, 3.8), layout="constrained")
    axes = figure.subplots()
    axes.set(xlabel=horizontal, ylabel="test accuracy, %", ylim=(0, 100))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _svg(figure: Figure, axes: Axes, table: Table) -> bytes:
    if table.chance:
        axes.axhline(100 * table.chance, color="grey", linestyle=":", linewidth=1, label="guessing")
    figure.legend(loc="outside right upper", frameon=False, fontsize=9)
    file = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "unlearnable", "font.size": 10}):  # the same bytes for the same points
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()
