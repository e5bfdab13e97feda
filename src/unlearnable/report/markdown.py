"""A report as Markdown."""

from collections.abc import Iterable
from typing import Literal

from unlearnable.pages.text import NONE, cell, duration, percent, points, score, writable
from unlearnable.report.content import Content, Illustration, Protected
from unlearnable.report.leaderboard import Leaderboard
from unlearnable.report.tables import Field, Summary, Table, TableRow


def markdown(content: Content) -> str:
    """Leaderboards, tables, sets, and figures by the names of their files; accuracies in percent."""
    parts = ["# Benchmark\n\nTest accuracy in percent on clean pictures; lower is better for who protects."]
    for table in content.tables:
        parts += _of(table)
        parts += [_board(board) for board in content.boards() if board.table is table]
    if content.protected:
        parts += ["## Budget and quality of every set", _protected(content.protected)]
    parts += [text for figure in content.illustrations for text in _figure(figure)]
    return writable("\n\n".join(parts) + "\n")


def caveats(table: Table) -> list[str]:
    """What a reader must know before the figures, each a sentence."""
    found = []
    if missing := table.asked - table.measured:
        found.append(f"{missing} of {table.asked} trainings are not done; their places show {NONE}.")
    found += [f"Not done: {failure.name}: {failure.reason}." for failure in table.failures]
    if departures := table.departures():
        below = [table.below_clean(*place) for place in table.fields]
        compared = "; what can be is how far each is below clean pictures" if any(ours for ours, _ in below) else ""
        beside = ", ours beside the paper's" if any(paper for _, paper in below) else ""
        found.append(
            f"This is not the paper's protocol: {'; '.join(departures)}. Its accuracies are not to be compared one by "
            f"one{compared}{beside}."
        )
    if len({frozenset(summary.columns) for row in table.rows if (summary := table.summary(row))}) > 1:
        found.append(
            "The rows were measured in different columns: a mean says over how many it is, and is comparable "
            "only with one over the same. The leaderboards compare nothing else."
        )
    found += [f"{misprint[0].upper()}{misprint[1:]}." for misprint in table.misprints()]
    return found


def over(table: Table, board: Leaderboard) -> str:
    """What the means of a leaderboard are over."""
    if len(board.columns) == 1:
        return f"{table.label(board.columns[0])} alone"
    names = "; ".join(table.label(column) for column in board.columns)
    return f"{len(board.columns)} columns ({names})"


def _of(table: Table) -> list[str]:
    heads = ["", "", *(table.label(column) for column in table.columns), "mean", "worst"]
    lines = [line for row in table.rows for line in _row(table, row)]
    return [
        f"## {cell(table.title)}: {cell(table.data)}",
        f"`{table.command}`",
        *caveats(table),
        _table(heads, lines, left=2),
        f"Protections: {'; '.join(f'{cell(row.label)} `{row.protection}`' for row in table.rows)}.",
    ]


def _final(place: Field) -> str:
    """With the number of trainings, where some are not done."""
    if place.final is None:
        return NONE
    done, asked = len(place.results), len(place.entries)
    return score(place.final) + (f" ({done} of {asked} seeds)" if done < asked else "")


def _row(table: Table, row: TableRow) -> list[list[str]]:
    """The lines of a row, without those that say nothing."""
    places = [table.fields.get((row, column)) for column in table.columns]
    below = [
        table.below_clean(row, column) if place else (None, None)
        for column, place in zip(table.columns, places, strict=True)
    ]
    summary = table.summary(row)
    paper = percent(summary.paper if summary else None)
    lines = {
        "final": [*(_final(place) if place else NONE for place in places), *_overall(table, summary, "final")],
        "peak": [
            *(score(place.peak) if place and place.peak else NONE for place in places),
            *_overall(table, summary, "peak"),
        ],
        "paper": [*(percent(place.paper if place else None) for place in places), paper, NONE],
        "final − paper": [*(points(place.difference if place else None) for place in places), NONE, NONE],
        "below clean": [*(points(ours) for ours, _ in below), NONE, NONE],
        "below clean, paper": [*(points(paper) for _, paper in below), NONE, NONE],
    }
    kept = [[what, *texts] for what, texts in lines.items() if what == "final" or set(texts) != {NONE}]
    return [[cell(row.label) if index == 0 else "", *line] for index, line in enumerate(kept)]


def _overall(table: Table, summary: Summary | None, what: Literal["final", "peak"]) -> list[str]:
    """Mean and worst case of a row."""
    if summary is None:
        return [NONE, NONE]
    mean, worst = {
        "final": (summary.final, summary.worst_final),
        "peak": (summary.peak, summary.worst_peak),
    }[what]
    return [f"{100 * mean:.1f} (over {len(summary.columns)} of {len(table.columns)})", f"{100 * worst:.1f}"]


def _board(board: Leaderboard) -> str:
    lines = [_standing(str(place), *standing, board) for place, standing in enumerate(board.ranked, 1)]
    lines += [_standing("", *standing, board) for standing in board.beside]
    lines += [
        ["", cell(row.label), *[NONE] * 6, f"{count} of {len(board.columns)} columns measured"]
        for row, count in board.incomplete.items()
    ]
    heads = ["", "", "mean, final", "mean, peak", "worst, final", "worst, peak", "worst peak in", "paper's mean", ""]
    return f"### Leaderboard over {cell(over(board.table, board))}\n\n{_table(heads, lines, left=2)}"


def _standing(place: str, row: TableRow, summary: Summary, board: Leaderboard) -> list[str]:
    values = (summary.final, summary.peak, summary.worst_final, summary.worst_peak)
    figures = [f"{100 * value:.1f}" for value in values]
    worst = cell(board.table.label(summary.worst))
    return [
        place,
        cell(row.label),
        *figures,
        worst,
        percent(summary.paper),
        "not protected" if row.control else "",
    ]


def _protected(sets: Iterable[Protected]) -> str:
    heads = [
        "data",
        "",
        "share",
        "budget",
        "outside",
        "RMS",
        "RMS max",
        "L-inf max",
        "L0 max",
        "PSNR",
        "SSIM",
        "made in",
    ]
    lines = []
    for one in sets:
        measured = one.measured
        figures = [
            f"{one.made.what.share:.0%}",
            measured.budget,
            f"{measured.over_budget}",
            f"{measured.rms:.2f}",
            f"{measured.rms_max:.2f}",
            f"{measured.linf_max}",
            f"{measured.l0_max}",
            NONE if measured.psnr is None else f"{measured.psnr:.2f}",
            f"{measured.ssim:.4f}",
            duration(one.made.seconds),
        ]
        lines.append([cell(one.data), cell(one.row), *figures])
    return _table(heads, lines, left=2)


def _figure(figure: Illustration) -> list[str]:
    title = cell(figure.title)
    lines = [[cell(str(record.get(name, NONE))) for name in figure.columns] for record in figure.numbers]
    numbers = [_table(list(figure.columns), lines, left=1)] if lines else []
    return [f"## {title}", f"`{figure.command}`", f"![{title}](<{figure.file}>)", *numbers]


def _table(heads: list[str], lines: list[list[str]], left: int) -> str:
    rules = ["---"] * left + ["---:"] * (len(heads) - left)
    return "\n".join(f"| {' | '.join(line)} |" for line in [[cell(head) for head in heads], rules, *lines])
