"""A report as Markdown."""

from collections.abc import Collection
from typing import Literal

from unlearnable.bench.worst import IN_WORDS
from unlearnable.images.visibility import VisibilitySummary
from unlearnable.pages.text import MISSING, as_utf8, duration, markdown_cell, percent, points, score
from unlearnable.report.content import Illustration, ProtectedSet, ReportContent
from unlearnable.report.leaderboard import FRONTIER, Leaderboard, in_figures, leaderboards
from unlearnable.report.tables import Field, Summary, Table, TableRow


def report_markdown(content: ReportContent) -> str:
    """Leaderboards, tables, sets, and figures by the names of their files; accuracies in percent."""
    parts = ["# Benchmark\n\nTest accuracy in percent on clean pictures; lower is better for who protects."]
    for table in content.tables:
        parts += [*_table(table), *map(_leaderboard, leaderboards(table))]
    if content.protected_sets:
        parts += ["## Budget and quality of every set", _protected_sets(content.protected_sets)]
    parts += [text for figure in content.illustrations for text in _figure(figure)]
    return as_utf8("\n\n".join(parts) + "\n")


def caveats(table: Table) -> list[str]:
    """What a reader must know before the figures, each a sentence."""
    found = []
    if missing := table.planned - table.measured:
        found.append(f"{missing} of {table.planned} trainings are not done; their places show {MISSING}.")
    found += [f"Not done: {failure.name}: {failure.reason}." for failure in table.failures]
    if departures := table.departures():
        below = [table.below_clean(row, column) for row, column in table.fields]
        compared = "; what can be is how far each is below clean pictures" if any(ours for ours, _ in below) else ""
        paper = ", ours beside the paper's" if any(paper for _, paper in below) else ""
        found.append(
            f"This is not the paper's protocol: {'; '.join(departures)}. Its accuracies are not to be compared one by "
            f"one{compared}{paper}."
        )
    if controls := [table.label(column) for column in table.columns if column.control]:
        found.append(f"Shown as controls, and counted in no mean, worst case or rank: {'; '.join(controls)}.")
    if len({frozenset(summary.columns) for row in table.rows if (summary := table.summary(row))}) > 1:
        found.append(
            "The rows were measured in different columns: a mean says over how many it is, and is comparable "
            "only with one over the same. The leaderboards compare nothing else."
        )
    found += [f"{misprint[0].upper()}{misprint[1:]}." for misprint in table.misprints()]
    return found


def _table(table: Table) -> list[str]:
    heads = ["", "", *(table.label(column) for column in table.columns), "mean", "worst"]
    lines = [line for row in table.rows for line in _row(table, row)]
    return [
        f"## {markdown_cell(table.title)}: {markdown_cell(table.data)}",
        f"`{table.command}`",
        *caveats(table),
        _grid(heads, lines, left=2),
        f"Protections: {'; '.join(f'{markdown_cell(row.label)} `{row.protection}`' for row in table.rows)}.",
    ]


def _final(field: Field) -> str:
    """With the number of trainings, where some are not done."""
    if field.final is None:
        return MISSING
    done, asked = len(field.results), len(field.entries)
    return score(field.final) + (f" ({done} of {asked} seeds)" if done < asked else "")


def _row(table: Table, row: TableRow) -> list[list[str]]:
    """The lines of a row, without those that say nothing."""
    fields = [table.fields.get((row, column)) for column in table.columns]
    below = [
        table.below_clean(row, column) if field else (None, None)
        for column, field in zip(table.columns, fields, strict=True)
    ]
    summary = table.summary(row)
    paper = percent(summary.paper if summary else None)
    lines = {
        "final": [*(_final(field) if field else MISSING for field in fields), *_overall(table, summary, "final")],
        "peak": [
            *(score(field.peak) if field and field.peak else MISSING for field in fields),
            *_overall(table, summary, "peak"),
        ],
        "paper": [*(percent(field.paper if field else None) for field in fields), paper, MISSING],
        "final − paper": [*(points(field.difference if field else None) for field in fields), MISSING, MISSING],
        "below clean": [*(points(ours) for ours, _ in below), MISSING, MISSING],
        "below clean, paper": [*(points(paper) for _, paper in below), MISSING, MISSING],
    }
    kept = [[what, *texts] for what, texts in lines.items() if what == "final" or set(texts) != {MISSING}]
    return [[markdown_cell(row.label) if index == 0 else "", *line] for index, line in enumerate(kept)]


def _overall(table: Table, summary: Summary | None, what: Literal["final", "peak"]) -> list[str]:
    """Mean and worst case of a row."""
    if summary is None:
        return [MISSING, MISSING]
    mean, worst = {
        "final": (summary.final, summary.worst_final),
        "peak": (summary.peak, summary.worst_peak),
    }[what]
    return [f"{100 * mean:.1f} (over {len(summary.columns)} of {len(table.counted)})", f"{100 * worst:.1f}"]


def _leaderboard(board: Leaderboard) -> str:
    lines = [[str(rank), *_standing(board, *standing), ""] for rank, standing in enumerate(board.ranked, 1)]
    lines += [["", *_standing(board, *standing), "not protected"] for standing in board.unprotected]
    heads = ["", "", *(f"worst peak with {IN_WORDS[advantage]}" for advantage in board.advantages)]
    heads += [*(["SSIMULACRA2"] if board.seen else []), "mean, final", "mean, peak", "paper's mean", ""]
    lines += [
        [
            "",
            markdown_cell(row.label),
            *[MISSING] * (len(heads) - 3),
            f"{count} of {len(board.columns)} columns measured",
        ]
        for row, count in board.incomplete.items()
    ]
    parts = [f"### {markdown_cell(board.title)}", _grid(heads, lines, left=2)]
    if board.frontier:
        parts.append(f"![{FRONTIER}](<{board.frontier_file}>)")
    return "\n\n".join(parts)


def _standing(board: Leaderboard, row: TableRow, summary: Summary) -> list[str]:
    seen = board.table.visibility(row)
    return [
        markdown_cell(row.label),
        *(markdown_cell(in_figures(summary.worst_cases.get(advantage))) for advantage in board.advantages),
        *([MISSING if seen is None else f"{seen:.1f}"] if board.seen else []),
        *map(percent, (summary.final, summary.peak, summary.paper)),
    ]


def _protected_sets(sets: Collection[ProtectedSet]) -> str:
    seen = any(one.measured.visibility for one in sets)
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
        *(["SSIMULACRA2", "its p10", "lowest", "FLIP"] if seen else []),
        "made in",
    ]
    lines = []
    for one in sets:
        measured = one.measured
        figures = [
            f"{one.record.what.share:.0%}",
            measured.budget,
            f"{measured.over_budget}",
            f"{measured.rms:.2f}",
            f"{measured.rms_max:.2f}",
            f"{measured.linf_max}",
            f"{measured.l0_max}",
            MISSING if measured.psnr is None else f"{measured.psnr:.2f}",
            f"{measured.ssim:.4f}",
            *(_seen(measured.visibility) if seen else []),
            duration(one.record.seconds),
        ]
        lines.append([markdown_cell(one.data), markdown_cell(one.row), *figures])
    return _grid(heads, lines, left=2)


def _seen(summary: VisibilitySummary | None) -> list[str]:
    if summary is None:
        return [MISSING] * 4
    scores = (summary.ssimulacra2_mean, summary.ssimulacra2_p10, summary.ssimulacra2_min)
    return [*(f"{score:.1f}" for score in scores), f"{summary.flip_mean:.3f}"]


def _figure(figure: Illustration) -> list[str]:
    title = markdown_cell(figure.title)
    lines = [[markdown_cell(str(record.get(name, MISSING))) for name in figure.columns] for record in figure.numbers]
    numbers = [_grid(list(figure.columns), lines, left=1)] if lines else []
    return [f"## {title}", f"`{figure.command}`", f"![{title}](<{figure.file}>)", *numbers]


def _grid(heads: list[str], lines: list[list[str]], left: int) -> str:
    rules = ["---"] * left + ["---:"] * (len(heads) - left)
    return "\n".join(f"| {' | '.join(line)} |" for line in [[markdown_cell(head) for head in heads], rules, *lines])
