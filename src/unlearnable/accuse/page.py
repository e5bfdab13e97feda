"""A judgement as JSON, and as one HTML file that needs nothing else."""

import json
from dataclasses import asdict
from functools import cache
from pathlib import Path

from jinja2 import Template

from unlearnable.accuse.judge import Judgement
from unlearnable.accuse.sealed import Shown
from unlearnable.accuse.words import headline, in_percent, sentences
from unlearnable.pages.html import html_environment
from unlearnable.pages.text import MISSING, as_utf8
from unlearnable.storage.atomic import write

PAGE, RECORD = "judgement.html", "judgement.json"
MAPPED = {"given": "as you gave it", "by name": "by their names", "found": "found on half of the pictures"}
EACH: dict[Shown, str] = {"secrets": "{} pictures of every class each", "pairs": "all by the same {} of every class"}
WIDTH, LEFT, RIGHT = 720, 20, 700  # of the line of keys, in px


def write_judgement(judgement: Judgement, out: Path) -> None:
    """Write both files into a folder, each whole or not at all."""
    out.mkdir(parents=True, exist_ok=True)
    write(out / RECORD, json.dumps(asdict(judgement), indent=1) + "\n")
    write(out / PAGE, judgement_page(judgement))


def judgement_page(judgement: Judgement) -> str:
    """One HTML document, UTF-8, without references to anything outside it."""
    page = _template().render(
        judgement=judgement,
        lead=headline(judgement).replace(" %", "\u00a0%"),
        sentences=[sentence.replace(" %", "\u00a0%") for sentence in sentences(judgement)],
        facts=_facts(judgement),
        places=_places(judgement.responses),
        width=WIDTH,
        left=LEFT,
        right=RIGHT,
    )
    return as_utf8(page)


@cache
def _template() -> Template:
    environment = html_environment("unlearnable.accuse")
    environment.filters["in_percent"] = in_percent
    return environment.get_template("page.html.j2")


def _facts(judgement: Judgement) -> list[tuple[str, str]]:
    paired = MISSING if judgement.paired is None else f"{judgement.paired:.4f}"
    return [
        ("Pictures shown", f"{judgement.queries:,}"),
        ("Keys", f"yours and {judgement.decoys} decoys, {EACH[judgement.shown].format(judgement.turns)}"),
        ("Answers", judgement.kind),
        ("Classes assigned", MAPPED.get(judgement.mapped or "", MISSING)),
        ("Level that was asked", f"{judgement.level:g}"),
        ("Cross-check: p if classes were independent", paired),
        ("Fingerprint of your key", judgement.key),
        ("Seal of the record (SHA-256)", judgement.seal),
    ]


def _places(responses: tuple[float, ...]) -> list[float]:
    """Where each key stands on the line, in px."""
    low, high = min(responses, default=0.0), max(responses, default=1.0)
    return [LEFT + (RIGHT - LEFT) * (response - low) / max(high - low, 1e-9) for response in responses]
