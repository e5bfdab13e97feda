"""A report as one HTML file that needs nothing else."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from jinja2 import Template
from markupsafe import Markup, escape

from unlearnable.bench.sets import SEEN
from unlearnable.bench.worst import IN_WORDS
from unlearnable.pages.curves import Curve, curve
from unlearnable.pages.html import data_uri, html_environment
from unlearnable.pages.text import MISSING, as_utf8, duration, percent, points, score
from unlearnable.report.content import ReportContent, TrainedCell
from unlearnable.report.leaderboard import FRONTIER, Leaderboard, leaderboards
from unlearnable.report.markdown import caveats
from unlearnable.report.plots import budget_plot, frontier, sweeps
from unlearnable.report.tables import Table


@dataclass(frozen=True)
class TableSection:
    """A table with what belongs to it.

    Attributes:
        anchor: of its heading.
        table: of the plan.
        caveats: what to know before the figures.
        leaderboards: with the plots of each against budget and visibility, if there are.
        sweeps: plots by what they are along.
        comparable: whether all rows were measured in the same columns, so that their means can be sorted.
    """

    anchor: str
    table: Table
    caveats: list[str]
    leaderboards: list[tuple[Leaderboard, bytes | None, bytes | None]]
    sweeps: dict[str, bytes]
    comparable: bool


def report_page(content: ReportContent) -> str:
    """One HTML document, UTF-8, without references to anything outside it; the same for the same records."""
    page = _template().render(
        sections=[_section(f"t{number}", table) for number, table in enumerate(content.tables, 1)],
        content=content,
        summary=_summary(content),
    )
    return as_utf8(page)


def _section(anchor: str, table: Table) -> TableSection:
    measured = {frozenset(summary.columns) for row in table.rows if (summary := table.summary(row))}
    return TableSection(
        anchor=anchor,
        table=table,
        caveats=caveats(table),
        leaderboards=[(board, budget_plot(board), frontier(board)) for board in leaderboards(table)],
        sweeps=sweeps(table),
        comparable=len(measured) < 2,
    )


@cache
def _template() -> Template:
    environment = html_environment("unlearnable.report")
    environment.filters |= {
        "score": score,
        "percent": percent,
        "points": points,
        "duration": duration,
        "uri": data_uri,
        "breakable": _breakable,
    }
    environment.globals |= {
        "missing": MISSING,
        "in_words": IN_WORDS,
        "frontier": FRONTIER,
        "seen_count": SEEN,
        "curves": _curves,
        "record": _record,
    }
    return environment.get_template("page.html.j2")


def _summary(content: ReportContent) -> list[tuple[str, str]]:
    results = [trained.result for trained in content.trained_cells.values()]
    planned, measured = (sum(getattr(table, name) for table in content.tables) for name in ("planned", "measured"))
    facts = [
        ("Trainings", f"{measured:,} of {planned:,} done"),
        ("Protected sets", f"{len(content.protected_sets):,}"),
    ]
    if results:
        facts += [
            ("Time of all trainings", duration(sum(result.seconds for result in results))),
            ("Hardware", ", ".join(_distinct(result.device for result in results))),
            ("Versions", ", ".join(_distinct(_versions(trained) for trained in content.trained_cells.values()))),
        ]
    return facts


def _record(trained: TrainedCell) -> list[tuple[str, str]]:
    """What a figure comes from."""
    result, made, what = trained.result, trained.training_set, trained.training_set.what
    cell = result.cell
    protection = what.protection + (f", {what.share:.0%} of the pictures" if what.share < 1 else "")
    return [
        ("TrainedCell on", f"{what.data}: {made.count:,} pictures of {made.size} px"),
        ("Protection", f"{protection}, seed {what.seed}"),
        ("Training set", f"SHA-256 {cell.train}, made in {duration(made.seconds)} on {made.device}"),
        ("Tested on", f"{trained.entry.test}, SHA-256 {cell.test}"),
        ("Clean set", f"SHA-256 {cell.clean}"),
        ("Weights", f"SHA-256 {cell.weights}" if cell.weights else "none"),
        ("Victim", cell.victim),
        ("Countermeasure", cell.countermeasure),
        ("Recipe", f"{cell.recipe}, {len(result.epochs)} epochs, seed {cell.seed}"),
        ("TrainedCell in", f"{duration(result.seconds)} on {result.device}"),
        ("Versions", _versions(trained)),
        ("Cell", cell.key),
    ]


def _versions(trained: TrainedCell) -> str:
    versions = {"unlearnable": trained.result.cell.version} | trained.result.versions
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _curves(trained: TrainedCell) -> list[Curve]:
    """Accuracy on the training pictures, and in the test above it."""
    epochs = trained.result.epochs
    return [
        curve("train", [epoch.train_accuracy for epoch in epochs]),
        curve("published", [epoch.test_accuracy for epoch in epochs]),
    ]


def _distinct(texts: Iterable[str]) -> list[str]:
    return sorted(set(texts))


def _breakable(text: str) -> Markup:
    """A name with parameters that lines may break at."""
    return escape(text).replace(",", Markup(",<wbr>")).replace(":", Markup(":<wbr>"))
