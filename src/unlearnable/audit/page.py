"""An audit as one HTML file that needs nothing else."""

import io
from dataclasses import dataclass
from functools import cache
from statistics import fmean

from jinja2 import Template
from markupsafe import Markup
from PIL import Image

from unlearnable.audit.facts import facts, means, points, quality_facts
from unlearnable.audit.outcome import AuditRow, Outcome, Sample
from unlearnable.audit.verdict import by_status, ordinary, percent, status, verdict
from unlearnable.bench.worst import IN_WORDS, WorstCase
from unlearnable.images.budget import Pixels
from unlearnable.images.quality import GAIN, magnified
from unlearnable.images.visibility import in_words
from unlearnable.pages.curves import Curve, curve
from unlearnable.pages.html import data_uri, html_environment
from unlearnable.pages.text import MISSING, as_utf8, score

SAMPLES = 10
NAMED_CLASSES = 20  # more make a table of confusions that nobody can read
SMALL_PICTURE = 64  # px; up to this side, pixels are drawn as squares
SMALL_WIDTH, LARGE_WIDTH = 96, 192  # CSS px on the page, about and at most


@dataclass(frozen=True)
class Heat:
    """A matrix of confusions.

    Attributes:
        kind: CSS class.
        title: what it shows.
        shares: by true class, how often it was taken for each.
    """

    kind: str
    title: str
    shares: list[list[float]]


def audit_page(outcome: Outcome) -> str:
    """One HTML document, UTF-8, without references to anything outside it; the same for the same outcome."""
    lead, *others, limits = (sentence.replace(" %", "\u00a0%") for sentence in verdict(outcome))
    page = _template().render(
        outcome=outcome,
        lead=lead,
        sentences=others,
        limits=limits,
        tiles=_tiles(outcome),
        facts=facts(outcome),
        rows=outcome.worst_first(),
        ordinary=ordinary(outcome),
        heats=_heats(outcome),
        quality=quality_facts(outcome.published),
        samples=outcome.published.samples[:SAMPLES],
    )
    return as_utf8(page)


@cache
def _template() -> Template:
    environment = html_environment("unlearnable.audit")
    environment.filters |= {"percent": _percent, "score": score, "png": _png}
    environment.globals |= {
        "status": status,
        "points": points,
        "means": means,
        "curves": _curves,
        "describe_curves": _describe_curves,
        "stages": _stages,
        "display_width": _display_width,
        "named_classes": NAMED_CLASSES,
        "small_picture": SMALL_PICTURE,
        "in_words": in_words,
    }
    return environment.get_template("page.html.j2")


def _tiles(outcome: Outcome) -> list[tuple[str, str, str]]:
    """The figures that matter most: what it is, the figure, what belongs to it."""
    plain, found, seen = ordinary(outcome), by_status(outcome), outcome.published.visibility
    tiles = [_worst_tile(case) for case in outcome.worst_cases.values()]
    if seen:
        tiles.append(("To the eye", f"{seen.ssimulacra2_mean:.0f}", f"SSIMULACRA2, {in_words(seen.ssimulacra2_mean)}"))
    if plain:
        tiles.append(("Ordinary training", _percent(plain.peak.mean), "on the published pictures"))
        tiles.append(("The same, clean", _percent(plain.clean_peak.mean), "on the original pictures"))
    if outcome.counted:
        tiles.append(("Guessing", _percent(outcome.chance), f"one of {len(outcome.classes)} classes"))
    if total := sum(map(len, found.values())):
        tiles.append(("Holds against", f"{len(found['holds'])} of {total}", "countermeasures measured"))
    return tiles


def _worst_tile(case: WorstCase) -> tuple[str, str, str]:
    clean = _percent(case.clean.mean if case.clean else None)
    return (
        f"Worst case with {IN_WORDS[case.advantage]}",
        _percent(case.share),
        f"of what clean pictures give: {_percent(case.peak.mean)} of {clean}, {case.countermeasure}",
    )


def _heats(outcome: Outcome) -> list[Heat]:
    """Confusions after the last epoch of ordinary training, for the first seed."""
    row = ordinary(outcome)
    if row is None or len(outcome.classes) > NAMED_CLASSES:
        return []
    return [
        Heat("clean", "Trained on clean pictures", _shares(row.clean[0].confusion)),
        Heat("published", "Trained on published pictures", _shares(row.protected[0].confusion)),
    ]


def _shares(confusion: tuple[tuple[int, ...], ...]) -> list[list[float]]:
    return [[count / max(1, sum(counts)) for count in counts] for counts in confusion]


def _curves(row: AuditRow) -> list[Curve]:
    """The curves of every seed: training first, so that tests lie above it."""
    return [
        *(curve("train", [epoch.train_accuracy for epoch in result.epochs]) for result in row.protected),
        *(curve("clean", result.curve(row.classes)) for result in row.clean),
        *(curve("published", result.curve(row.classes)) for result in row.protected),
    ]


def _describe_curves(row: AuditRow) -> str:
    """The curves in words."""
    last = [
        _percent(fmean(result.curve(row.classes)[-1] for result in results)) for results in (row.clean, row.protected)
    ]
    train = _percent(fmean(result.epochs[-1].train_accuracy for result in row.protected))
    return (
        f"Learning curves with {row.countermeasure}: after the last of {len(row.protected[0].epochs)} epochs, test "
        f"accuracy {last[0]} on clean and {last[1]} on published pictures; accuracy on the published training "
        f"pictures {train}."
    )


def _stages(sample: Sample) -> list[tuple[str, Pixels]]:
    """A sample's three pictures and their titles."""
    return [
        ("original", sample.original),
        ("published", sample.published),
        (f"perturbation × {GAIN}", magnified(sample.original, sample.published)),
    ]


def _png(picture: Pixels) -> Markup:
    """A picture as a data URI."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", optimize=True)
    return data_uri(buffer.getvalue(), "image/png")


def _display_width(picture: Pixels) -> int:
    """CSS pixels: small pictures are enlarged by a whole factor, large ones reduced."""
    height, width, _ = picture.shape
    return width * max(1, round(SMALL_WIDTH / width)) if max(height, width) <= SMALL_PICTURE else LARGE_WIDTH


def _percent(share: float | None) -> str:
    """As in the verdict, kept on one line; a dash for what is not there."""
    return MISSING if share is None else percent(share).replace(" ", "\u00a0")
