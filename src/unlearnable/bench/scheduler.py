"""Go through the steps of a run: whatever is not done yet, as many at a time as the executor takes."""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from unlearnable.bench.failure import NoTimeError, StepError
from unlearnable.bench.steps import Step, Train
from unlearnable.bench.timing import StepTimes, too_late
from unlearnable.bench.workers import Executor, InProcess

POLL_SECONDS = 10.0  # then the executor is asked again how many steps it does at a time

KILLED = (
    "its process, or another of this run, was killed by the system, most often for want of memory; the same command "
    "does it again, and fewer --workers need less"
)


@dataclass(frozen=True)
class StepUpdate:
    """A step has begun, has ended, or will not begin.

    Attributes:
        step: which.
        state: what has become of it.
        message: what came out, or why nothing did; empty of one that has begun.
        done, total: trainings that are done, of all.
    """

    step: Step
    state: Literal["begun", "done", "failed"]
    message: str
    done: int
    total: int


class Scheduler:
    """Goes through the steps; whatever ends a run, the next run goes on from there.

    What a step throws is its own failure, and that of the steps that need it: the others are done.

    Args:
        steps: a step comes after those that it needs.
        executor: where they are done.
        times: what steps took, by which it is judged what others will take.
        end: `time.monotonic` after which no step may end, as far as can be foreseen; None for never.
        on_step: called with every step that begins or ends, and with every one that cannot be done or begun.

    Attributes:
        failed: why a step was not done.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        executor: Executor,
        times: StepTimes,
        end: float | None = None,
        on_step: Callable[[StepUpdate], None] | None = None,
    ) -> None:
        self.steps, self.executor, self.times, self.end = steps, executor, times, end
        self.on_step = on_step or (lambda update: None)
        self.failed: dict[Step, StepError] = {}
        self._done: set[Step] = set()
        self._running: dict[Future[Any], Step] = {}

    def run(self) -> None:
        """Do all that can be done, the first in order first."""
        waiting = list(self.steps)
        while waiting or self._running:
            slots = self.executor.slots
            waiting = [step for step in waiting if not self._settled(step, slots)]
            for future in wait(self._running, POLL_SECONDS, FIRST_COMPLETED).done:
                self._end(self._running.pop(future), future)

    def _settled(self, step: Step, slots: int) -> bool:
        """Whether a step is under way now, or need not wait any longer."""
        errors = [self.failed[need] for need in step.needs if need in self.failed]
        if not errors and (len(self._running) >= slots or not self._done.issuperset(step.needs)):
            return False
        self._begin(step, errors)
        return True

    def _begin(self, step: Step, errors: Sequence[StepError]) -> None:
        """Begin a step, unless it is done, or a step that it needs has one of the ``errors``."""
        try:
            if step.done:
                self._done.add(step)
                return
            if errors:
                raise errors[0]
            guess = step.guess(self.times) if self.end is not None else None
            if self.end is not None and (late := too_late(guess.seconds if guess else None, self.end)):
                raise NoTimeError(late)
            function, arguments = step.call()
        except Exception as error:  # such as a file that was there when the run began
            self._fail(step, errors[0] if errors else error)
            return
        self._tell(step, "begun")
        executor = InProcess() if step.in_this_process else self.executor
        try:
            self._running[executor.submit(function, *arguments)] = step
        except Exception as error:  # such as a set that cannot be sent to a cluster
            self._fail(step, error)

    def _end(self, step: Step, future: Future[Any]) -> None:
        try:
            answer = future.result()
            message = step.keep(answer)
        except BrokenExecutor:
            self._fail(step, StepError(KILLED))
        except Exception as error:
            self._fail(step, error)
        else:
            self._done.add(step)
            if step.timed:
                self.times.add(answer[0])
            self._tell(step, "done", message)

    def _fail(self, step: Step, error: Exception) -> None:
        failure = self.failed[step] = error if isinstance(error, StepError) else StepError.of(error)
        if isinstance(step, Train) and not isinstance(failure, NoTimeError):
            with suppress(OSError):  # it is said all the same
                step.record_failure(failure)
        self._tell(step, "failed", failure.reason)

    def _tell(self, step: Step, state: Literal["begun", "done", "failed"], message: str = "") -> None:
        trainings = [other for other in self.steps if isinstance(other, Train)]
        done = sum(other in self._done for other in trainings)
        self.on_step(StepUpdate(step, state, message, done, len(trainings)))
