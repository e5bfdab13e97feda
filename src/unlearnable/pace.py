"""How long a training will take, judged by those that have been measured."""

import time
from collections.abc import Iterable
from statistics import median

from unlearnable.cells import Result
from unlearnable.countermeasures import countermeasure_named


def seconds_for(
    clean: str, victim: str, countermeasure: str, epochs: int, measured: Iterable[Result], device: str
) -> float | None:
    """How long a training takes, about; None where nothing like it has been measured.

    Like it is what was trained on the same device, on pictures of the same clean set, with the same victim; with the
    same countermeasure where there is such a one, else in proportion to what the countermeasures take.

    Args:
        clean: fingerprint of the clean set.
        victim: as text.
        countermeasure: as text.
        epochs: for which it is trained.
        measured: results to judge by.
        device: where it will be trained, by name.
    """
    alike = [
        result
        for result in measured
        if (result.cell.clean, result.cell.victim, result.device) == (clean, victim, device)
    ]
    same = [result for result in alike if result.cell.countermeasure == countermeasure]
    paces = [result.seconds / work(result.cell.countermeasure, len(result.epochs)) for result in same or alike]
    return work(countermeasure, epochs) * median(paces) if paces else None


def too_late(needed: float | None, end: float) -> str:
    """Why a step is not to begin; empty where it can end in time, or where time is left and nothing is known of it.

    Args:
        needed: how long it takes, in seconds.
        end: when it has to be over, as of `time.monotonic`.
    """
    left = end - time.monotonic()
    if left > 0 and (needed is None or needed <= left):
        return ""
    takes = "nobody knows how long it takes" if needed is None else f"it takes about {needed / 60:.0f} min"
    return f"no time left: {takes}, {max(0, left) / 60:.0f} min were left"


def work(countermeasure: str, epochs: int) -> float:
    """What a training takes, in epochs without a countermeasure."""
    return countermeasure_named(countermeasure).effort * epochs
