"""The worst case: the most that a trainer gets, by what he has beside the published pictures."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from unlearnable.countermeasures import countermeasure_named
from unlearnable.pages.score import Score
from unlearnable.training.countermeasure import ADVANTAGES, Advantage
from unlearnable.victims.architectures import victim_named

IN_WORDS: Mapping[Advantage, str] = {
    "none": "the published pictures alone",
    "clean": "clean pictures of his own",
    "pairs": "leaked originals",
    "pretrained": "a pretrained network",
}


@dataclass(frozen=True)
class WorstCase:
    """The countermeasure with which a trainer gets most.

    Attributes:
        advantage: what he has beside the published pictures.
        countermeasure: how the table names it.
        peak: his accuracy after the best epoch, in [0, 1].
        clean: the same trained on clean pictures; None where that was not measured.
    """

    advantage: Advantage
    countermeasure: str
    peak: Score
    clean: Score | None

    @property
    def share(self) -> float | None:
        """His accuracy as a share of what clean pictures give with the same countermeasure."""
        return self.peak.mean / self.clean.mean if self.clean and self.clean.mean else None


def worst_cases(measured: Iterable[WorstCase]) -> dict[Advantage, WorstCase]:
    """Of each advantage the one of the highest peak, in the order of `ADVANTAGES`; the first of several alike.

    Examples:
        >>> score = Score(0.6, None)
        >>> list(worst_cases([WorstCase("clean", "mix", score, score), WorstCase("none", "gray", score, score)]))
        ['none', 'clean']
    """
    found: dict[Advantage, WorstCase] = {}
    for case in measured:
        if case.advantage not in found or case.peak.mean > found[case.advantage].peak.mean:
            found[case.advantage] = case
    return {advantage: found[advantage] for advantage in ADVANTAGES if advantage in found}


def advantage_of(countermeasure: str, victim: str) -> Advantage:
    """What a trainer must have who trains this victim with this countermeasure: a victim's weights count, too."""
    return "pretrained" if victim_named(victim).pretrained else countermeasure_named(countermeasure).advantage
