"""How long a step will take, judged by those that have been measured."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import median

import torch
from torch.utils.flop_counter import FlopCounterMode

from unlearnable.bench.cell import Result
from unlearnable.bench.planned_cell import TrainingSet
from unlearnable.bench.sets import SetRecord
from unlearnable.bench.store import RunFolder
from unlearnable.countermeasures import countermeasure_named
from unlearnable.storage.checkpoint import elapsed_seconds
from unlearnable.victims.architectures import Victim, victim_named


@dataclass(frozen=True)
class TimeEstimate:
    """How long a step takes, about.

    Attributes:
        seconds: it takes.
        alike: whether the like of it has been measured; else something else has, and this is in proportion.
    """

    seconds: float
    alike: bool


@dataclass(frozen=True)
class Workload:
    """A training, as far as its time depends on it.

    Attributes:
        clean: fingerprint of the clean set.
        pictures: of the training set.
        tests: pictures of the test set.
        classes: how many.
        size: side of the pictures in pixels.
        victim: as text.
        countermeasure: as text.
        epochs: for which it is trained.
        device: where, by name.
    """

    clean: str
    pictures: int
    tests: int
    classes: int
    size: int
    victim: str
    countermeasure: str
    epochs: int
    device: str

    @classmethod
    def of(cls, result: Result, pictures: int) -> "Workload":
        """What a measured one was, on a training set of so many pictures."""
        cell, tests = result.cell, sum(map(sum, result.confusion))
        how = (cell.victim, cell.countermeasure, len(result.epochs), result.device)
        return cls(cell.clean, pictures, tests, len(result.confusion), cell.size, *how)

    @property
    def multiplications(self) -> float:
        """About so many, in units of the same size for all."""
        victim = countermeasure_named(self.countermeasure).adjust_victim(victim_named(self.victim))
        passes = 1 if victim.frozen else 3  # there, and back through weights and features
        pictures = passes * self.pictures * work(self.countermeasure, self.epochs) + self.tests * self.epochs
        return pictures * _multiplications(victim, self.classes, self.size)


class StepTimes:
    """What trainings and sets took.

    Args:
        records: of sets, and then of trainings on them.
        pictures: how many there are in sets of which there is no record, by their fingerprints.
    """

    def __init__(self, records: Iterable[SetRecord | Result], pictures: Mapping[str, int] | None = None) -> None:
        self._sets: list[SetRecord] = []
        self._pictures = dict(pictures or {})
        self._trainings: list[tuple[Workload, float]] = []  # and the seconds of one multiplication
        for record in records:
            self.add(record)

    @classmethod
    def of(cls, runs: RunFolder) -> "StepTimes":
        """All that is stored there."""
        return cls([*runs.sets.all(), *runs.cells.all()])

    def add(self, record: SetRecord | Result) -> None:
        """One more has been measured; a training whose set is not known tells nothing."""
        if isinstance(record, SetRecord):
            self._sets.append(record)
            self._pictures[record.fingerprint] = record.count
        elif pictures := self._pictures.get(record.cell.train):
            done = Workload.of(record, pictures)
            self._trainings.append((done, record.seconds / done.multiplications))

    def training(self, asked: Workload) -> TimeEstimate | None:
        """How long a training takes; None where none has been measured on its device.

        In proportion to what is multiplied, by the likest that have been measured: on pictures of the same clean set
        with the same victim, and the same countermeasure where there is such a one; else with the same victim on other
        pictures; else by all.
        """
        here = [(done, rate) for done, rate in self._trainings if done.device == asked.device]
        victim = [(done, rate) for done, rate in here if done.victim == asked.victim]
        alike = [(done, rate) for done, rate in victim if done.clean == asked.clean]
        same = [(done, rate) for done, rate in alike if done.countermeasure == asked.countermeasure]
        if not (nearest := same or alike or victim or here):
            return None
        return TimeEstimate(asked.multiplications * median(rate for _, rate in nearest), bool(alike))

    def making(self, what: TrainingSet, clean: SetRecord, device: str) -> TimeEstimate | None:
        """How long a set takes to make; None where this protection has never been measured on this device.

        It takes as long as it did the last time, else as long as others of the same protection, in proportion to the
        number of pixels.

        Args:
            what: it is.
            clean: the clean set of which it is made.
            device: where it will be made, by name.
        """
        here = [made for made in self._sets if made.device == device]
        if last := [made.seconds for made in here if made.key == what.key]:
            return TimeEstimate(last[-1], alike=True)
        rates = [made.seconds / _pixels(made) for made in here if _kind(made.what) == _kind(what)]
        return TimeEstimate(_pixels(clean) * median(rates), alike=False) if rates else None


def _kind(what: TrainingSet) -> tuple[str, bool]:
    """What its time depends on, beside its pixels: a share is mixed of sets that are there already."""
    return what.canonical, what.fully_protected is None


def _pixels(made: SetRecord) -> int:
    return made.count * made.size**2


def too_late(needed: float | None, end: float) -> str:
    """Why a step is not to begin; empty where it can end in time, or where time is left and nothing is known of it.

    Args:
        needed: how long it takes, in seconds.
        end: when it has to be over, as of `time.monotonic`.
    """
    seconds = end - time.monotonic()
    if seconds > 0 and (needed is None or needed <= seconds):
        return ""
    takes = "nobody knows how long it takes" if needed is None else f"it takes about {needed / 60:.0f} min"
    return f"no time left: {takes}, {max(0, seconds) / 60:.0f} min were left"


def remaining(guess: TimeEstimate | None, checkpoint: Path) -> TimeEstimate | None:
    """A guess, less what a checkpoint, if there is one, already holds of it."""
    return guess and replace(guess, seconds=max(0.0, guess.seconds - elapsed_seconds(checkpoint)))


def work(countermeasure: str, epochs: int) -> float:
    """What a training takes, in epochs without a countermeasure."""
    return countermeasure_named(countermeasure).effort * epochs


@cache
def _multiplications(victim: Victim, classes: int, size: int) -> int:
    """What a victim multiplies to classify one picture of ``size`` px."""
    with torch.device("meta"):
        network, picture = victim.network(classes, size).eval(), torch.zeros(1, 3, size, size)
    with FlopCounterMode(display=False) as counter:
        network(picture)
    flops: int = counter.get_total_flops()
    return flops // 2
