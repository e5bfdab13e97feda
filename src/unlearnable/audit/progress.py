"""How far an audit is, for whoever waits for it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from unlearnable.bench.scheduler import StepUpdate
from unlearnable.bench.steps import Step, Train
from unlearnable.bench.timing import work
from unlearnable.training.history import Epoch


@dataclass(frozen=True)
class AuditProgress:
    """The state of an audit that a progress line shows.

    Attributes:
        what: the training that has begun, gone on or ended last.
        cell, cells: its number from 1, and how many there are.
        done, total: work, in ordinary epochs; what had to be left out counts as done.
        accuracy: on the test set after its last epoch, in [0, 1]; None before the first.
    """

    what: str
    cell: int
    cells: int
    done: float
    total: float
    accuracy: float | None = None


class ProgressMeter:
    """Tells how far the trainings are whenever one begins, goes on or ends.

    Args:
        trainings: all of an audit; each tells of its epochs where it is done in this process.
        on_progress: called with the state.
    """

    def __init__(self, trainings: Iterable[Train], on_progress: Callable[[AuditProgress], None]) -> None:
        self._on_progress = on_progress
        self._work = {step: work(step.workload.countermeasure, step.workload.epochs) for step in trainings}
        self._numbers: dict[Step, int] = {step: number for number, step in enumerate(self._work, 1)}
        self._left: dict[Step, float] = {step: amount for step, amount in self._work.items() if not step.done}

    def watch_epochs(self) -> None:
        """Tell of every epoch, too: of trainings that are done in this process, one after the other."""
        for step, amount in self._work.items():
            step.on_epoch = partial(self._on_epoch, step, amount)

    def on_step(self, update: StepUpdate) -> None:
        """See `Scheduler`."""
        if update.state != "begun":
            self._left.pop(update.step, None)
        if isinstance(update.step, Train) and update.state != "failed":
            result = update.step.result if update.state == "done" else None
            self._tell(update.step, 0.0, result.final() if result else None)

    def _on_epoch(self, step: Train, amount: float, epoch: int, epochs: int, measured: Epoch) -> None:
        if epoch < epochs:  # the last one is told of when the result is stored
            self._tell(step, amount * epoch / epochs, measured.test_accuracy)

    def _tell(self, step: Step, ahead: float, accuracy: float | None) -> None:
        total = sum(self._work.values())
        done = total - sum(self._left.values()) + ahead
        self._on_progress(AuditProgress(step.name, self._numbers[step], len(self._numbers), done, total, accuracy))
