"""Plots of a report as SVG: accuracy against budget, visibility, the quality of JPEG or the share of protection."""

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unlearnable.countermeasures import countermeasure_named
from unlearnable.countermeasures.preprocess import Jpeg
from unlearnable.images.visibility import JPEG_SCORES, NOBODY_SEES
from unlearnable.report.leaderboard import Leaderboard
from unlearnable.report.paper_comparison import Column
from unlearnable.report.tables import Table, TableRow

MARKERS = "osD^vPX*<>ph"
FEWEST = 3  # points of a sweep


def budget_plot(board: Leaderboard) -> bytes | None:
    """Mean accuracy against how far the pictures are changed; None where fewer than two are known."""
    rms = {row: quality.rms for row, quality in board.table.qualities.items()}
    ranked = [(row, summary) for row, summary in board.ranked if row in rms]
    if len(ranked) < 2:
        return None
    figure, axes = _axes("RMS of the change, grey levels of 255")
    for row, summary in ranked:
        axes.plot(rms[row], 100 * summary.final, label=row.label, **_point(board.table, row))
    for row, summary in board.unprotected:
        axes.axhline(100 * summary.final, color="black", linestyle="--", linewidth=1, label=f"{row.label}, unchanged")
    axes.set_xlim(0, 1.08 * max(rms[row] for row, _ in ranked))
    return _svg(figure, axes, board.table.chance)


def frontier(board: Leaderboard) -> bytes | None:
    """Share of clean accuracy in the worst case without clean pictures against visibility; None without two points."""
    if not board.frontier:
        return None
    figure, axes = _axes("SSIMULACRA2, mean: the higher, the less is seen", "worst case, % of clean accuracy")
    for point in board.frontier:
        axes.plot(point.seen, 100 * point.share, label=point.row.label, **_point(board.table, point.row))
    for seen, words in ((NOBODY_SEES, "nobody sees it"), (JPEG_SCORES[75], "JPEG 75"), (JPEG_SCORES[30], "JPEG 30")):
        axes.axvline(seen, color="grey", linestyle=":", linewidth=1)
        axes.annotate(words, (seen, 2), rotation=90, fontsize=8, color="grey", ha="right", va="bottom")
    axes.axhline(100, color="black", linestyle="--", linewidth=1, label="clean pictures")
    least, most = min(point.seen for point in board.frontier), max(point.share for point in board.frontier)
    axes.set(xlim=(min(0.0, least - 5), 100), ylim=(0, 5 + 100 * max(1.0, most)))
    return _svg(figure, axes)


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
    return _svg(figure, axes, table.chance) if axes.lines else None


def _quality(column: Column) -> float | None:
    made = countermeasure_named(column.countermeasure)
    return made.quality if isinstance(made, Jpeg) else None


def _look(table: Table, row: TableRow) -> dict[str, Any]:
    """How a row is drawn, the same in every plot of a table."""
    index = table.rows.index(row)
    colour, style = ("black", "--") if row.unprotected else (f"C{index}", "-")
    return {"marker": MARKERS[index % len(MARKERS)], "color": colour, "linestyle": style}


def _point(table: Table, row: TableRow) -> dict[str, Any]:
    """The same where a row is one point."""
    return _look(table, row) | {"linestyle": "", "markersize": 8}


def _axes(horizontal: str, vertical: str = "test accuracy, %") -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7.6, 3.8), layout="constrained")
    axes = figure.subplots()
    axes.set(xlabel=horizontal, ylabel=vertical, ylim=(0, 100))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _svg(figure: Figure, axes: Axes, chance: float | None = None) -> bytes:
    if chance:
        axes.axhline(100 * chance, color="grey", linestyle=":", linewidth=1, label="guessing")
    figure.legend(loc="outside right upper", frameon=False, fontsize=9)
    file = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "unlearnable", "font.size": 10}):  # the same bytes for the same points
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()
