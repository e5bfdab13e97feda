"""The steps of a run: a set is made, what a countermeasure makes of it is kept, a victim is trained."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from os.path import isdir
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from safetensors.torch import save_file
from torch import Tensor

from unlearnable.bench.cell import Cell, Result
from unlearnable.bench.entry import PlannedCell, TrainingSet
from unlearnable.bench.sets import SetRecord, make
from unlearnable.bench.store import RunFolder, StoredSet
from unlearnable.bench.timing import StepTimes, TimeEstimate, Workload, left
from unlearnable.compute.devices import device_named, name_of
from unlearnable.countermeasures import Knowledge, countermeasure_named
from unlearnable.images.imageset import ImageSet
from unlearnable.storage.atomic import replacing
from unlearnable.storage.checkpoint import forget
from unlearnable.storage.tensors import is_readable
from unlearnable.victims.features import network_of

T = TypeVar("T")
Call = tuple[Callable[..., Any], tuple[Any, ...]]


@dataclass(eq=False)
class Step(ABC):
    """One step.

    Attributes:
        runs: where its outcome is kept.
        device: on which to compute, as text; None for CUDA where there is one.
        needs: steps to be done before it.
        wanted: the steps for whose sake it is done.
        here: whether only this process can do it.
    """

    here: ClassVar[bool] = False

    runs: RunFolder
    device: str | None
    needs: tuple["Step", ...]
    wanted: list["Step"] = field(default_factory=list, kw_only=True)

    @property
    @abstractmethod
    def name(self) -> str:
        """For progress and messages."""

    @property
    @abstractmethod
    def done(self) -> bool:
        """Whether nothing is to be done; asked when all that it needs is done."""

    @property
    def stale(self) -> bool:
        """Whether its outcome, if there is one, is not what it would be today: nor is that of what needs it."""
        return any(need.stale for need in self.needs)

    @abstractmethod
    def call(self) -> Call:
        """The function that does it, which any process can call, and its arguments."""

    @abstractmethod
    def keep(self, answer: Any) -> str:
        """Keep what the function answered, and say in a few words what it was."""

    def guess(self, times: StepTimes) -> TimeEstimate | None:
        """How long it takes; None where nothing is known."""
        return None


def known(record: T | None) -> T:
    """What is there when all that a step needs has been done."""
    assert record is not None
    return record


@dataclass(eq=False)
class MakeSet(Step):
    """Make a training set.

    Attributes:
        what: it is.
        clean: the clean set.
    """

    what: TrainingSet
    clean: SetRecord

    @property
    def name(self) -> str:
        """See `Step`."""
        return f"making {self.what.protection}" + (f", {self.what.share:.0%}" if self.what.share < 1 else "")

    @property
    def done(self) -> bool:
        """Its record is there, and its pictures are, or nobody needs them."""
        made = self.runs.sets.load(self.what.key)
        if made is None or self.stale:
            return False
        return all(job.done for job in self.wanted) or self.runs.kept(made.fingerprint).whole

    @property
    def stale(self) -> bool:
        """It was made of other clean pictures, of other files, or by another version."""
        made = self.runs.sets.load(self.what.key)
        return made is not None and not made.holds(self.clean.fingerprint)

    def call(self) -> Call:
        """See `Step`."""
        of = self.what.whole
        whole = self.runs.kept(known(self.runs.sets.load(of.key)).fingerprint) if of else None
        clean = self.runs.kept(self.clean.fingerprint)
        return make, (self.what, clean, whole, self.runs.checkpoint(self.what), self.device)

    def keep(self, answer: tuple[SetRecord, ImageSet]) -> str:
        """See `Step`."""
        made, pictures = answer
        before = self.runs.sets.load(self.what.key)
        if before and before.contradicts(made):
            raise ValueError(
                f"it was made otherwise before, by {before.device}, other threads or other versions, and has results: "
                f"go on there, or with another --out, or delete {self.runs.sets.file(self.what.key)} to begin anew"
            )
        self.runs.kept(made.fingerprint).save(pictures)
        self.runs.sets.save(made)
        forget(self.runs.checkpoint(self.what))
        return f"{made.seconds:.0f} s" + (f", RMS {made.measured.rms:.2f}" if made.measured else "")

    def guess(self, times: StepTimes) -> TimeEstimate | None:
        """See `Step`."""
        guess = times.making(self.what, self.clean, name_of(device_named(self.device)))
        return left(guess, self.runs.checkpoint(self.what))


@dataclass(eq=False)
class Purify(Step):
    """Keep what a countermeasure makes of a training set, for the trainings that begin with it.

    Attributes:
        what: the training set.
        countermeasure: as text; one that is repeatable.
    """

    what: TrainingSet
    countermeasure: str

    @property
    def name(self) -> str:
        """See `Step`."""
        return f"{self.countermeasure} of {self.what.protection}"

    @property
    def done(self) -> bool:
        """It is there, or nobody needs it."""
        return all(job.done for job in self.wanted) or self._kept().whole

    def call(self) -> Call:
        """See `Step`."""
        return purified, (self.countermeasure, self.runs.kept(self._fingerprint()))

    def keep(self, answer: ImageSet) -> str:
        """See `Step`."""
        self._kept().save(answer)
        return "kept"

    def _kept(self) -> StoredSet:
        return self.runs.kept(self._fingerprint(), self.countermeasure)

    def _fingerprint(self) -> str:
        return known(self.runs.sets.load(self.what.key)).fingerprint


@dataclass(eq=False)
class Train(Step):
    """Train one cell.

    Attributes:
        entry: of the plan.
        clean: its clean set.
        tests: pictures of its test set.
        epochs: for which it is trained.
        drawn: whether a figure shows the trained victim, whose weights are kept then.
    """

    entry: PlannedCell
    clean: SetRecord
    tests: int
    epochs: int
    drawn: bool = False

    @property
    def name(self) -> str:
        """See `Step`."""
        return self.entry.name

    @property
    def done(self) -> bool:
        """Its result is there, and its weights, if they are shown and the figure has not been drawn."""
        try:
            result = self.runs.result(self.entry)
        except OSError:  # weights that it begins with have gone: it cannot be begun, and what it needs can
            return False
        if result is None or not self.drawn:
            return result is not None
        return is_readable(self.runs.weights(result.cell)) or all(job.done for job in self.wanted)

    def call(self) -> Call:
        """See `Step`."""
        cell = known(self.runs.cell(self.entry))
        purified = any(isinstance(job, Purify) for job in self.needs)
        train = self.runs.kept(cell.train, self.entry.countermeasure if purified else "")
        test, clean = self.runs.kept(cell.test), self.runs.kept(cell.clean)
        how = (not purified, self.drawn, self.runs.cache, self.device)
        return train_cell, (cell, train, test, clean, *how)

    def keep(self, answer: tuple[Result, dict[str, Tensor]]) -> str:
        """See `Step`."""
        result, weights = answer
        if weights:
            with replacing(self.runs.weights(result.cell)) as temporary:
                save_file(weights, temporary)
        if not self.runs.cells.load(result.key):  # what is there was measured; this training was for the weights alone
            self.runs.cells.save(result)
        result.cell.forget(self.runs.cache)
        return f"final {result.final():.1%}, peak {result.peak():.1%}, {result.seconds:.0f} s"

    def guess(self, times: StepTimes) -> TimeEstimate | None:
        """See `Step`."""
        entry, clean = self.entry, self.clean
        pictures = round(entry.training.left * clean.count)
        how = (entry.victim, entry.countermeasure, self.epochs, name_of(device_named(self.device)))
        asked = Workload(clean.fingerprint, pictures, self.tests, clean.classes, clean.size, *how)
        guess, cell = times.training(asked), self.runs.cell(entry)
        return left(guess, cell.training(self.runs.cache, device_named(self.device))) if cell else guess


def purified(countermeasure: str, train: ImageSet) -> ImageSet:
    """What a repeatable countermeasure makes of a training set."""
    return countermeasure_named(countermeasure).purify(train, Knowledge())


def train_cell(
    cell: Cell,
    train: ImageSet,
    test: ImageSet,
    clean: ImageSet,
    purify: bool,
    drawn: bool,
    folder: Path,
    device: str | None,
) -> tuple[Result, dict[str, Tensor]]:
    """Train a cell: its result, and the victim's weights where they are to be ``drawn``.

    Args:
        cell: what is trained, and how.
        train: its training set, purified already unless ``purify``.
        test: its test set.
        clean: clean pictures that the trainer may hold.
        purify: whether to purify.
        drawn: whether the weights are wanted, too.
        folder: for the state of the training, with which one that was killed goes on; where it is not, on a node of a
            cluster that has another disk, nothing is kept.
        device: CUDA where there is one when None.

    Raises:
        ValueError: the sets do not fit the countermeasure or the victim.
        DivergedError: the loss was not finite.
    """
    where = device_named(device)
    seen = folder if isdir(folder) else None  # noqa: PTH112 - that of Path fails where it may not look
    trained = cell.fit(train, test, clean, where, purify=purify, folder=seen)
    weights = network_of(trained.model).state_dict() if drawn else {}
    kept = {name: tensor.cpu().contiguous() for name, tensor in weights.items()}
    return Result.of(cell, trained, name_of(where)), kept
