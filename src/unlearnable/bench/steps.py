"""The steps of any run: what a countermeasure makes of a set is stored, and a victim is trained."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from os.path import isdir
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from safetensors.torch import save_file
from torch import Tensor

from unlearnable.bench.cell import Cell, Result
from unlearnable.bench.failure import Failure, StepError
from unlearnable.bench.store import RunFolder, StoredSet
from unlearnable.bench.timing import StepTimes, TimeEstimate, Workload, remaining
from unlearnable.compute.devices import device_named, name_of
from unlearnable.countermeasures import Knowledge, countermeasure_named
from unlearnable.images.imageset import ImageSet
from unlearnable.storage.atomic import replacing
from unlearnable.storage.tensors import is_readable
from unlearnable.training.history import Epoch
from unlearnable.victims.features import network_of

T = TypeVar("T")
Call = tuple[Callable[..., Any], tuple[Any, ...]]


@dataclass(eq=False)
class Step(ABC):
    """One step.

    Attributes:
        name: for progress and messages.
        runs: where its outcome is stored.
        device: on which to compute, as text; None for CUDA where there is one.
        needs: steps to be done before it.
        needed_by: the steps for whose sake it is done.
        in_this_process: whether no other can do it.
        timed: whether its function answers with a record of how long it took, and then with what it made.
    """

    in_this_process: ClassVar[bool] = False
    timed: ClassVar[bool] = False

    name: str
    runs: RunFolder
    device: str | None
    needs: tuple["Step", ...]
    needed_by: list["Step"] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        for need in self.needs:
            need.needed_by.append(self)

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
        """Store what the function answered, and say in a few words what it was."""

    def guess(self, times: StepTimes) -> TimeEstimate | None:
        """How long it takes; None where nothing is known."""
        return None


def present(record: T | None) -> T:
    """What is there when all that a step needs has been done."""
    assert record is not None
    return record


@dataclass(eq=False)
class Train(Step):
    """Train one cell.

    Attributes:
        find_cell: answers with the cell; with None while one of its sets has not been made.
        workload: what its time depends on.
        failure_key: under which a failure is recorded; known even where its sets cannot be made.
        with_weights: whether a figure shows the trained victim, whose weights are stored then.
        on_epoch: called after each epoch; only where the training is done in this process.
    """

    timed = True

    find_cell: Callable[[], Cell | None]
    workload: Workload
    failure_key: str
    with_weights: bool = False
    on_epoch: Callable[[int, int, Epoch], None] | None = None

    @property
    def result(self) -> Result | None:
        """What came out of it, if it has been done.

        Raises:
            FileNotFoundError: weights that it begins with have gone.
        """
        cell = self.find_cell()
        return self.runs.cells.load(cell.key) if cell else None

    @property
    def done(self) -> bool:
        """Its result is there, and its weights, if they are shown and the figure has not been drawn."""
        try:
            result = self.result
        except OSError:  # it cannot be begun, and what it needs can
            return False
        if result is None or not self.with_weights:
            return result is not None
        return is_readable(self.runs.weights(result.cell)) or all(step.done for step in self.needed_by)

    def call(self) -> Call:
        """See `Step`."""
        cell, trainings = present(self.find_cell()), self.runs.cells.folder
        trainings.mkdir(parents=True, exist_ok=True)
        purified = any(isinstance(need, Purify) for need in self.needs)
        train = self.runs.stored_set(cell.train, cell.countermeasure if purified else "")
        test, clean = self.runs.stored_set(cell.test), self.runs.stored_set(cell.clean)
        how = (not purified, self.with_weights, trainings, self.device, self.on_epoch)
        return train_cell, (cell, train, test, clean, *how)

    def keep(self, answer: tuple[Result, dict[str, Tensor]]) -> str:
        """See `Step`."""
        result, weights = answer
        if weights:
            with replacing(self.runs.weights(result.cell)) as temporary:
                save_file(weights, temporary)
        if not self.runs.cells.load(result.key):  # what is there was measured; this training was for the weights alone
            self.runs.cells.save(result)
        result.cell.forget(self.runs.cells.folder)
        self.runs.failures.file(self.failure_key).unlink(missing_ok=True)
        return f"final {result.final():.1%}, peak {result.peak():.1%}, {result.seconds:.0f} s"

    def record_failure(self, error: StepError) -> None:
        """Write down why it could not be done, until it can."""
        self.runs.failures.save(Failure(self.failure_key, self.name, error.reason, error.traceback))

    def guess(self, times: StepTimes) -> TimeEstimate | None:
        """See `Step`."""
        guess, cell = times.training(self.workload), self.find_cell()
        return remaining(guess, cell.training(self.runs.cells.folder, device_named(self.device))) if cell else guess


@dataclass(eq=False)
class Purify(Step):
    """Store what a countermeasure makes of a training set, for the trainings that begin with it.

    Attributes:
        countermeasure: as text; one that is repeatable.
    """

    countermeasure: str

    @property
    def done(self) -> bool:
        """It is there, or nobody needs it."""
        return all(step.done for step in self.needed_by) or self._stored(self.countermeasure).intact

    def call(self) -> Call:
        """See `Step`."""
        return purified, (self.countermeasure, self._stored())

    def keep(self, answer: ImageSet) -> str:
        """See `Step`."""
        self._stored(self.countermeasure).save(answer)
        return "stored"

    def _stored(self, countermeasure: str = "") -> StoredSet:
        """The set that all its trainings have in common, or what the countermeasure makes of it."""
        cells = (step.find_cell() for step in self.needed_by if isinstance(step, Train))
        return self.runs.stored_set(present(next(cells)).train, countermeasure)


def purified(countermeasure: str, train: ImageSet) -> ImageSet:
    """What a repeatable countermeasure makes of a training set."""
    return countermeasure_named(countermeasure).purify(train, Knowledge())


def train_cell(
    cell: Cell,
    train: ImageSet,
    test: ImageSet,
    clean: ImageSet,
    purify: bool,
    with_weights: bool,
    folder: Path,
    device: str | None,
    on_epoch: Callable[[int, int, Epoch], None] | None = None,
) -> tuple[Result, dict[str, Tensor]]:
    """Train a cell: its result, and the victim's weights where they are wanted.

    Args:
        cell: what is trained, and how.
        train: its training set, purified already unless ``purify``.
        test: its test set.
        clean: clean pictures that the trainer may hold.
        purify: whether to purify.
        with_weights: whether the weights are wanted, too.
        folder: for the state of the training, with which one that was killed goes on; where it is not, on a node of a
            cluster that has another disk, nothing is kept.
        device: CUDA where there is one when None.
        on_epoch: called after each epoch.

    Raises:
        ValueError: the sets do not fit the countermeasure or the victim.
        DivergedError: the loss was not finite.
    """
    where = device_named(device)
    reachable = folder if isdir(folder) else None  # noqa: PTH112 - that of Path fails where it may not look
    trained = cell.fit(train, test, clean, where, purify=purify, folder=reachable, on_epoch=on_epoch)
    weights = network_of(trained.model).state_dict() if with_weights else {}
    on_cpu = {name: tensor.cpu().contiguous() for name, tensor in weights.items()}
    return Result.of(cell, trained, name_of(where)), on_cpu
