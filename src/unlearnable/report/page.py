"""A report as one HTML file that needs nothing else."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from jinja2 import Template
from markupsafe import Markup, escape

from unlearnable.bench.planned_cell import protecting
from unlearnable.pages.curves import PLOT, height_of, line
from unlearnable.pages.html import data_uri, html_environment
from unlearnable.pages.text import NONE, duration, percent, points, score, writable
from unlearnable.report.content import Content, Trained
from unlearnable.report.leaderboard import Leaderboard, boards
from unlearnable.report.markdown import caveats, over
from unlearnable.report.plots import budget_plot, sweeps
from unlearnable.report.tables import Table, TableRow


@dataclass(frozen=True)
class Shown:
    """A table with what belongs to it.

    Attributes:
        anchor: of its section.
        table: of the plan.
        caveats: what to know before the figures.
        boards: its leaderboards, with the plot of each, if there is one.
        sweeps: plots by what they are along.
        alike: whether all rows were measured in the same columns, so that their means can be sorted.
    """

    anchor: str
    table: Table
    caveats: list[str]
    boards: list[tuple[Leaderboard, bytes | None]]
    sweeps: dict[str, bytes]
    alike: bool


def report_page(content: Content) -> str:
    """One HTML document, UTF-8, without references to anything outside it; the same for the same records."""
    page = _template().render(
        shown=[_shown(f"t{number}", table, content) for number, table in enumerate(content.tables, 1)],
        content=content,
        facts=_facts(content),
    )
    return writable(page)


def _shown(anchor: str, table: Table, content: Content) -> Shown:
    rms = _rms(table, content)
    measured = {frozenset(summary.columns) for row in table.rows if (summary := table.summary(row))}
    return Shown(
        anchor=anchor,
        table=table,
        caveats=caveats(table),
        boards=[(board, budget_plot(board, rms)) for board in boards(table)],
        sweeps=sweeps(table),
        alike=len(measured) < 2,
    )


def _rms(table: Table, content: Content) -> Mapping[TableRow, float]:
    """How far each row's pictures are changed, in grey levels."""
    data = table.train and table.train.what.data
    sets = [one for one in content.protected if one.made.what.data == data]
    found = {one.made.what.protecting: one.measured.rms for one in sets}  # a record may spell it otherwise
    named = {row: protecting(row.protection) for row in table.rows}
    return {row: found[protection] for row, protection in named.items() if protection in found}


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
        "none_sign": NONE,
        "over": over,
        "lines": _lines,
        "height_of": height_of,
        "plot": PLOT,
        "record": _record,
    }
    return environment.get_template("page.html.j2")


def _facts(content: Content) -> list[tuple[str, str]]:
    results = [trained.result for trained in content.trained.values()]
    asked, measured = (sum(getattr(table, name) for table in content.tables) for name in ("asked", "measured"))
    facts = [
        ("Trainings", f"{measured:,} of {asked:,} done"),
        ("Protected sets", f"{len(content.protected):,}"),
    ]
    if results:
        facts += [
            ("Time of all trainings", duration(sum(result.seconds for result in results))),
            ("Hardware", ", ".join(_distinct(result.device for result in results))),
            ("Versions", ", ".join(_distinct(_versions(trained) for trained in content.trained.values()))),
        ]
    return facts


def _record(trained: Trained) -> list[tuple[str, str]]:
    """What a figure comes from."""
    result, made, what = trained.result, trained.made, trained.made.what
    cell = result.cell
    protection = what.protection + (f", {what.share:.0%} of the pictures" if what.share < 1 else "")
    return [
        ("Trained on", f"{what.data}: {made.count:,} pictures of {made.size} px"),
        ("Protection", f"{protection}, seed {what.seed}"),
        ("Training set", f"SHA-256 {cell.train}, made in {duration(made.seconds)} on {made.device}"),
        ("Tested on", f"{trained.entry.test}, SHA-256 {cell.test}"),
        ("Clean set", f"SHA-256 {cell.clean}"),
        ("Weights", f"SHA-256 {cell.weights}" if cell.weights else "none"),
        ("Victim", cell.victim),
        ("Countermeasure", cell.countermeasure),
        ("Recipe", f"{cell.recipe}, {len(result.epochs)} epochs, seed {cell.seed}"),
        ("Trained in", f"{duration(result.seconds)} on {result.device}"),
        ("Versions", _versions(trained)),
        ("Cell", cell.key),
    ]


def _versions(trained: Trained) -> str:
    versions = {"unlearnable": trained.result.cell.version} | trained.result.versions
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _lines(trained: Trained) -> list[object]:
    """Accuracy on the training pictures, and in the test above it."""
    epochs = trained.result.epochs
    return [
        line("train", [epoch.train_accuracy for epoch in epochs]),
        line("published", [epoch.test_accuracy for epoch in epochs]),
    ]


def _distinct(texts: Iterable[str]) -> list[str]:
    return sorted(set(texts))


def _breakable(text: str) -> Markup:
    """A name with parameters that lines may break at."""
    return escape(text).replace(",", Markup(",<wbr>")).replace(":", Markup(":<wbr>"))
