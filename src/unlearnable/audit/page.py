"""An audit as one HTML file that needs nothing else, and its table as Markdown."""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from statistics import fmean

from jinja2 import Template
from markupsafe import Markup
from PIL import Image

from unlearnable.audit.outcome import AuditRow, Outcome, PublishedFolder, Sample
from unlearnable.audit.verdict import by_status, ordinary, percent, status, verdict, worst_case
from unlearnable.bench.cell import Result
from unlearnable.datasets.checks import some
from unlearnable.images.budget import Pixels
from unlearnable.images.quality import GAIN, magnified
from unlearnable.images.visibility import in_words
from unlearnable.pages.curves import Curve, curve
from unlearnable.pages.html import data_uri, html_environment
from unlearnable.pages.score import Score
from unlearnable.pages.text import as_utf8, duration, markdown_cell, score

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
        facts=_facts(outcome),
        rows=outcome.worst_first(),
        ordinary=ordinary(outcome),
        heats=_heats(outcome),
        quality=_quality_facts(outcome.published),
        samples=outcome.published.samples[:SAMPLES],
    )
    return as_utf8(page)


def markdown_table(outcome: Outcome) -> str:
    """The table of an audit in percent, worst row first; what was not measured, what was trained, the files' budget."""
    lines = [
        "| countermeasure | clean final | clean peak | published final | published peak | difference | status |",
        "|---|---:|---:|---:|---:|---:|---|",
    ]
    for row in outcome.worst_first():
        scores = [score(value) for value in (row.clean_final, row.clean_peak, row.final, row.peak)]
        cells = [
            markdown_cell(row.countermeasure),
            *scores,
            _points(row.clean_peak, row.peak),
            status(row, outcome.chance),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    for name, reason in outcome.missing.items():
        lines.append(f"| {markdown_cell(name)} | – | – | – | – | – | not measured: {markdown_cell(reason)} |")
    if outcome.counted:
        lines.append(f"| mean of {len(outcome.counted)} | {' | '.join(_means(outcome))} | |")
    trained = _sentence(_facts(outcome))
    files = f"Published files as written. {_sentence(_quality_facts(outcome.published))}"
    return as_utf8("\n".join([*lines, "", trained, "", files]) + "\n")


def _sentence(facts: list[tuple[str, str]]) -> str:
    """Facts as one line of Markdown."""
    return "; ".join(f"{what}: {markdown_cell(known)}" for what, known in facts) + "."


@cache
def _template() -> Template:
    environment = html_environment("unlearnable.audit")
    environment.filters |= {"percent": _percent, "score": score, "png": _png}
    environment.globals |= {
        "status": status,
        "points": _points,
        "means": _means,
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
    best, plain, found = worst_case(outcome), ordinary(outcome), by_status(outcome)
    tiles = []
    if best:
        way = "by ordinary training" if best is plain else f"countermeasure: {best.countermeasure}"
        tiles.append(("Most that a trainer got", _percent(best.peak.mean), way))
    if plain:
        tiles.append(("Ordinary training", _percent(plain.peak.mean), "on the published pictures"))
        tiles.append(("The same, clean", _percent(plain.clean_peak.mean), "on the original pictures"))
    if best:
        tiles.append(("Guessing", _percent(outcome.chance), f"one of {len(outcome.classes)} classes"))
    if total := sum(map(len, found.values())):
        tiles.append(("Holds against", f"{len(found['holds'])} of {total}", "countermeasures measured"))
    return tiles


def _trained(outcome: Outcome) -> str:
    return f", reduced to {outcome.trained} × {outcome.trained} px for training" if outcome.trained else ""


def _facts(outcome: Outcome) -> list[tuple[str, str]]:
    """What was audited, how and on what."""
    results = [result for row in outcome.rows for result in (*row.clean, *row.protected)]
    facts = [
        ("Training pictures", f"{outcome.train_count:,}"),
        ("Test pictures", f"{outcome.test_count:,}, clean"),
        ("Published pictures", f"{outcome.published.count:,}"),
        ("Classes", f"{len(outcome.classes):,}"),
        ("Picture size", f"{outcome.size} × {outcome.size} px" + _trained(outcome)),
        ("Victim", outcome.victim),
        ("Recipe", f"{outcome.recipe}, {outcome.epochs} epoch{'' if outcome.epochs == 1 else 's'}"),
        ("Trainings a row and set", f"{outcome.seeds}" + _seeds(results)),
    ]
    if outcome.protected_classes:
        names = [outcome.classes[index] for index in outcome.protected_classes]
        facts.insert(4, ("Protected classes", f"{len(names)}: {', '.join(names)}"))
    if results:
        facts += [
            ("Hardware", ", ".join(_distinct(result.device for result in results))),
            ("Time of all trainings", duration(sum(result.seconds for result in results))),
            ("Versions", ", ".join(_versions(results))),
        ]
    return facts


def _seeds(results: list[Result]) -> str:
    seeds = sorted({result.cell.seed for result in results})
    return f" (seed{'' if len(seeds) == 1 else 's'} {', '.join(map(str, seeds))})" if seeds else ""


def _versions(results: list[Result]) -> list[str]:
    return _distinct(f"{name} {version}" for result in results for name, version in result.versions.items())


def _distinct(texts: Iterable[str]) -> list[str]:
    return sorted(set(texts))


def _quality_facts(published: PublishedFolder) -> list[tuple[str, str]]:
    """The budget and the measures of the published set."""
    facts = [("Promised budget", published.budget or "none: there is no report of the set")]
    if published.ambiguous:
        facts.append(("Not measured, as originals share the name but for the suffix", some(published.ambiguous)))
    rms, linf, psnr, ssim = map(published.spread, ("rms", "linf", "psnr", "ssim"))
    if rms is None or linf is None or ssim is None:
        return facts
    measured = len(published.qualities)
    if published.budget:
        facts.append(("Files over it", f"{published.over_budget:,} of {measured:,} measured"))
    unchanged = sum(quality.psnr is None for quality in published.qualities)
    psnrs = f"mean {psnr.mean:.2f}, lowest {psnr.worst:.2f}" if psnr else "–"
    return [
        *facts,
        ("RMS difference, grey levels", f"mean {rms.mean:.2f}, highest {rms.worst:.2f}"),
        ("L-inf, grey levels", f"highest {linf.worst:g}"),
        ("PSNR, dB", psnrs + (f" (without {unchanged:,} unchanged)" if unchanged else "")),
        ("SSIM", f"mean {ssim.mean:.4f}, lowest {ssim.worst:.4f}"),
        *_visibility_facts(published),
    ]


def _visibility_facts(published: PublishedFolder) -> list[tuple[str, str]]:
    """What people see of the sample, in figures and in words."""
    seen = published.visibility
    if seen is None:
        return []
    return [
        ("Files of which visibility was measured", f"{seen.files:,}, from all over the set"),
        ("To the eye, on average", in_words(seen.ssimulacra2_mean)),
        (
            "SSIMULACRA2",
            f"mean {seen.ssimulacra2_mean:.1f}, tenth percentile {seen.ssimulacra2_p10:.1f}, "
            f"lowest {seen.ssimulacra2_min:.1f}",
        ),
        ("Worst crop at 100 %", f"{seen.worst_crop_min:.1f}, {in_words(seen.worst_crop_min)}"),
        ("FLIP", f"mean {seen.flip_mean:.3f}"),
    ]


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


def _means(outcome: Outcome) -> list[str]:
    """The last row of the table: the four accuracies, and what the best epoch lost against clean pictures."""
    means = {name: Score(mean, None) for name, mean in outcome.means.items()}
    return [*map(score, means.values()), _points(means["clean_peak"], means["peak"])]


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


def _percent(share: float) -> str:
    """As in the verdict, kept on one line."""
    return percent(share).replace(" ", "\u00a0")


def _points(clean: Score, published: Score) -> str:
    """What the trainer's best lost against clean pictures, in points."""
    return f"{100 * (clean.mean - published.mean) + 0:.1f}"
