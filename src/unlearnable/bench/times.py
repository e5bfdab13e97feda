"""How long the steps of a run take, judged by what has been measured."""

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
from unlearnable.pace import seconds_for, work
from unlearnable.victims import Victim, victim_named


@dataclass(frozen=True)
class Guess:
    """How long a step takes, about.

    Attributes:
        seconds: alone.
        alike: whether the like of it has been measured; else something else has, and this is in proportion.
    """

    seconds: float
    alike: bool


@dataclass
class Times:
    """What trainings and sets took.

    Attributes:
        results: of trainings.
        sets: those on which they were trained among them.
    """

    results: list[Result]
    sets: list[Made]

    @classmethod
    def of(cls, runs: Runs) -> "Times":
        """All that is kept there."""
        return cls(runs.cells.all(), runs.sets.all())

    def training(
        self, clean: Made, tests: int, victim: str, countermeasure: str, epochs: int, device: str
    ) -> Guess | None:
        """How long a training takes; None where none has been measured on this device.

        Where nothing alike has been (see `seconds_for`), in proportion to the pictures and to what the victim
        multiplies to classify one: by trainings of the same victim on other pictures, else of any victim.

        Args:
            clean: the clean set.
            tests: pictures of the test set.
            victim: as text.
            countermeasure: as text.
            epochs: for which it is trained.
            device: where it will be trained, by name.
        """
        if seconds := seconds_for(clean.fingerprint, victim, countermeasure, epochs, self.results, device):
            return Guess(seconds, alike=True)
        here = [result for result in self.results if result.device == device]
        same = [result for result in here if result.cell.victim == victim]
        sets = {made.fingerprint: made for made in self.sets}
        paces = [
            result.seconds / _load(sets[cell.clean], tested, cell.victim, cell.countermeasure, len(result.epochs))
            for result in same or here
            if (cell := result.cell).clean in sets
            for tested in [sum(map(sum, result.confusion))]
        ]
        load = _load(clean, tests, victim, countermeasure, epochs)
        return Guess(load * median(paces), alike=False) if paces else None

    def making(self, what: TrainingSet, clean: Made, device: str) -> Guess | None:
        """How long a set takes to make; None where this protection has never been measured on this device.

        It takes as long as it did the last time, else as long as others of the same protection, in proportion to the
        number of pixels.

        Args:
            what: it is.
            clean: the clean set of which it is made.
            device: where it will be made, by name.
        """
        here = [made for made in self.sets if made.device == device]
        if last := [made.seconds for made in here if made.key == what.key]:
            return Guess(last[-1], alike=True)
        kind = (what.spelled, what.whole is None)  # a share is mixed of sets that are there already
        paces = [made.seconds / _pixels(made) for made in here if (made.what.spelled, made.what.whole is None) == kind]
        return Guess(_pixels(clean) * median(paces), alike=False) if paces else None


def _load(clean: Made, tests: int, victim: str, countermeasure: str, epochs: int) -> float:
    """What a training multiplies: there and back for each of its pictures, thrice what a test of one takes."""
    trained = countermeasure_named(countermeasure).choose(victim_named(victim))
    seen = 3 * clean.count * work(countermeasure, epochs) + tests * epochs
    return seen * _multiplications(trained, clean.classes, clean.size)


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
