"""How long the steps of a run take, judged by what has been measured."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from statistics import median

import torch
from torch.utils.flop_counter import FlopCounterMode

from unlearnable.bench.plan import TrainingSet
from unlearnable.bench.runs import Runs
from unlearnable.bench.sets import Made
from unlearnable.cells import Result
from unlearnable.countermeasures import countermeasure_named
from unlearnable.pace import work
from unlearnable.victims import Victim, victim_named


@dataclass(frozen=True)
class Guess:
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
    def of(cls, result: Result, sets: Mapping[str, Made]) -> "Workload | None":
        """What a measured one was; None where its set is not among ``sets``, by their fingerprints."""
        cell, tests = result.cell, sum(map(sum, result.confusion))
        if (made := sets.get(cell.train)) is None:
            return None
        how = (cell.victim, cell.countermeasure, len(result.epochs), result.device)
        return cls(cell.clean, made.count, tests, made.classes, made.size, *how)

    @property
    def multiplications(self) -> float:
        """About so many, in units of the same size for all."""
        victim = countermeasure_named(self.countermeasure).choose(victim_named(self.victim))
        passes = 1 if victim.frozen else 3  # there, and back through weights and features
        seen = passes * self.pictures * work(self.countermeasure, self.epochs) + self.tests * self.epochs
        return seen * _multiplications(victim, self.classes, self.size)


class Times:
    """What trainings and sets took.

    Args:
        records: of sets, and then of trainings on them.
    """

    def __init__(self, records: Iterable[Made | Result]) -> None:
        self._sets: list[Made] = []
        self._contents: dict[str, Made] = {}
        self._paces: list[tuple[Workload, float]] = []
        for record in records:
            self.add(record)

    @classmethod
    def of(cls, runs: Runs) -> "Times":
        """All that is kept there."""
        return cls([*runs.sets.all(), *runs.cells.all()])

    def add(self, record: Made | Result) -> None:
        """One more has been measured."""
        if isinstance(record, Made):
            self._sets.append(record)
            self._contents[record.fingerprint] = record
        elif done := Workload.of(record, self._contents):
            self._paces.append((done, record.seconds / done.multiplications))

    def training(self, asked: Workload) -> Guess | None:
        """How long a training takes; None where none has been measured on its device.

        In proportion to what is multiplied, by the likest that have been measured: on pictures of the same clean set
        with the same victim, and the same countermeasure where there is such a one; else with the same victim on other
        pictures; else by all.
        """
        here = [(done, pace) for done, pace in self._paces if done.device == asked.device]
        victim = [(done, pace) for done, pace in here if done.victim == asked.victim]
        alike = [(done, pace) for done, pace in victim if done.clean == asked.clean]
        same = [(done, pace) for done, pace in alike if done.countermeasure == asked.countermeasure]
        if not (nearest := same or alike or victim or here):
            return None
        return Guess(asked.multiplications * median(pace for _, pace in nearest), bool(alike))

    def making(self, what: TrainingSet, clean: Made, device: str) -> Guess | None:
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
            return Guess(last[-1], alike=True)
        kind = (what.spelled, what.whole is None)  # a share is mixed of sets that are there already
        paces = [made.seconds / _pixels(made) for made in here if (made.what.spelled, made.what.whole is None) == kind]
        return Guess(_pixels(clean) * median(paces), alike=False) if paces else None


@cache
def _multiplications(victim: Victim, classes: int, size: int) -> int:
    """What a victim multiplies to classify one picture of ``size`` px."""
    with torch.device("meta"):
        network, picture = victim.network(classes, size).eval(), torch.zeros(1, 3, size, size)
    with FlopCounterMode(display=False) as counter:
        network(picture)
    flops: int = counter.get_total_flops()
    return flops // 2


def _pixels(made: Made) -> int:
    return made.count * made.size**2
