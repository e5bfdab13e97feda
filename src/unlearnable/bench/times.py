"""How long the steps of a run take, judged by what has been measured."""

from collections.abc import Iterable
from statistics import median

from unlearnable.bench.entry import TrainingSet
from unlearnable.bench.runs import Runs
from unlearnable.bench.sets import Made
from unlearnable.cells import Result
from unlearnable.pace import Guess, Paces, Workload


class Times:
    """What trainings and sets took.

    Args:
        records: of sets, and then of trainings on them.
    """

    def __init__(self, records: Iterable[Made | Result]) -> None:
        self._sets: list[Made] = []
        self._pictures: dict[str, int] = {}
        self._paces = Paces()
        for record in records:
            self.add(record)

    @classmethod
    def of(cls, runs: Runs) -> "Times":
        """All that is kept there."""
        return cls([*runs.sets.all(), *runs.cells.all()])

    def add(self, record: Made | Result) -> None:
        """One more has been measured; a training whose set is not known tells nothing."""
        if isinstance(record, Made):
            self._sets.append(record)
            self._pictures[record.fingerprint] = record.count
        elif pictures := self._pictures.get(record.cell.train):
            self._paces.add(Workload.of(record, pictures), record.seconds)

    def training(self, asked: Workload) -> Guess | None:
        """How long a training takes: see `Paces`."""
        return self._paces.guess(asked)

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


def _pixels(made: Made) -> int:
    return made.count * made.size**2
