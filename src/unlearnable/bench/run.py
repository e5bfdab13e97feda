"""Run the steps of a plan: whatever has no result yet, every set made once, as many at a time as the place takes."""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from dataclasses import dataclass
from typing import Any

from safetensors import SafetensorError

from unlearnable.bench.checks import check
from unlearnable.bench.figure import Draw
from unlearnable.bench.plan import Plan
from unlearnable.bench.planned_cell import PlannedCell, TrainingSet
from unlearnable.bench.sets import SetRecord, make
from unlearnable.bench.steps import MakeSet, Purify, Step, Train
from unlearnable.bench.store import RunFolder
from unlearnable.bench.timing import StepTimes, too_late
from unlearnable.bench.workers import Executor, InProcess
from unlearnable.compute.devices import DivergedError
from unlearnable.countermeasures import countermeasure_named
from unlearnable.datasets import load
from unlearnable.images.imageset import ImageSet, fingerprint
from unlearnable.training.recipes import recipe_named

AGAIN = 10.0  # s; then the place is asked again how many steps it does at a time

KILLED = (
    "its process, or one beside it, was killed by the system, most often for want of memory; the same command does it "
    "again, and fewer --workers need less"
)


@dataclass(frozen=True)
class Event:
    """A step has ended, or will not begin.

    Attributes:
        name: of the step.
        done, total: trainings that are done, of all.
        said: what came out, or why nothing did.
        failed: whether nothing did.
    """

    name: str
    done: int
    total: int
    said: str
    failed: bool = False


def steps_of(plan: Plan, runs: RunFolder, device: str | None = None) -> list[Step]:
    """All steps, those of one training set together; the clean sets are loaded, and kept.

    Args:
        plan: whole, or a part of one.
        runs: where everything is kept.
        device: on which to compute; CUDA where there is one when None.

    Raises:
        ValueError: a set cannot be read, or something cannot be done with it that the plan asks for (see `check`).
        FileNotFoundError: a set is not there.
    """
    clean = {
        text: _clean(text, runs)
        for text in dict.fromkeys(text for entry in plan.entries for text in (entry.training.data, entry.test))
    }
    check(plan, {text: pictures for text, (_, pictures) in clean.items()})
    drawing = Draw(runs, device, (), plan) if plan.figure else None
    beginnings = Counter((entry.training, entry.countermeasure) for entry in plan.entries)
    jobs: dict[TrainingSet | tuple[TrainingSet, str] | PlannedCell, Step] = {}

    def making(what: TrainingSet) -> MakeSet:
        if what not in jobs:
            needs = (making(what.whole),) if what.whole else ()
            jobs[what] = MakeSet(runs, device, needs, what, clean[what.data][0])
        job = jobs[what]
        assert isinstance(job, MakeSet)
        return job

    for entry in plan.entries:
        begin = (entry.training, entry.countermeasure)
        needs: tuple[Step, ...] = (making(entry.training),)
        countermeasure = countermeasure_named(entry.countermeasure)
        if countermeasure.repeatable and beginnings[begin] > 1:
            jobs.setdefault(begin, Purify(runs, device, needs, *begin))
            needs = (*needs, jobs[begin])
        (made, pictures), (test, _) = clean[entry.training.data], clean[entry.test]
        epochs = countermeasure.adjust(recipe_named(entry.recipe).suited(pictures)).epochs
        if plan.trains:
            jobs[entry] = Train(runs, device, needs, entry, made, test.count, epochs, drawing is not None)
    if drawing:
        drawing.needs = tuple(jobs.values())
    steps = [*jobs.values(), *([drawing] if drawing else [])]
    for step in steps:
        for need in step.needs:
            need.wanted.append(step)
    return steps


class PlanRun:
    """Goes through the steps; whatever ends it, the next one goes on from there.

    Args:
        jobs: of `steps_of`.
        place: where they are done.
        runs: where results are, by which the time is judged that a training takes.
        end: `time.monotonic` after which no training may end, as far as can be foreseen; None for never.
        on_event: called with every step that ends, and with every one that cannot be done or begun.

    Attributes:
        failed: why a step was not done.
        times: what steps took, by which it is judged what others will take.
    """

    def __init__(
        self,
        jobs: Sequence[Step],
        place: Executor,
        runs: RunFolder,
        end: float | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        self.jobs, self.place, self.end = jobs, place, end
        self.on_event = on_event or (lambda event: None)
        self.times = StepTimes.of(runs)
        self.failed: dict[Step, str] = {}
        self._done: set[Step] = set()
        self._running: dict[Future[Any], Step] = {}

    def __call__(self) -> None:
        """Do all that can be done, the first in order first."""
        waiting = list(self.jobs)
        while waiting or self._running:
            slots = self.place.slots
            waiting = [job for job in waiting if not self._begun(job, slots)]
            for future in wait(self._running, AGAIN, FIRST_COMPLETED).done:
                self._end(self._running.pop(future), future)

    def _begun(self, job: Step, slots: int) -> bool:
        """Whether a step is under way now, or need not wait any longer."""
        if broken := [self.failed[need] for need in job.needs if need in self.failed]:
            self._fail(job, broken[0])
        elif len(self._running) >= slots or not self._done.issuperset(job.needs):
            return False
        else:
            try:
                self._begin(job)
            except (ValueError, OSError) as error:  # a file that was there when the run began
                self._fail(job, str(error))
        return True

    def _begin(self, job: Step) -> None:
        if job.done:
            self._done.add(job)
        elif self.end is not None and (late := too_late(self._seconds(job), self.end)):
            self._fail(job, late)
        else:
            function, arguments = job.call()
            place = InProcess() if job.here else self.place
            self._running[place.submit(function, *arguments)] = job

    def _end(self, job: Step, future: Future[Any]) -> None:
        try:
            answer = future.result()
            said = job.keep(answer)
        except BrokenExecutor:
            self._fail(job, KILLED)
            return
        except (ValueError, DivergedError, OSError, RuntimeError, MemoryError, SafetensorError) as error:
            self._fail(job, str(error) or repr(error))
            return
        self._done.add(job)
        if isinstance(job, (MakeSet, Train)):
            self.times.add(answer[0])
        self._tell(job, said)

    def _seconds(self, job: Step) -> float | None:
        guess = job.guess(self.times)
        return guess.seconds if guess else None

    def _fail(self, job: Step, why: str) -> None:
        self.failed[job] = why
        self._tell(job, why, failed=True)

    def _tell(self, job: Step, said: str, failed: bool = False) -> None:
        trainings = [other for other in self.jobs if isinstance(other, Train)]
        done = sum(other in self._done for other in trainings)
        self.on_event(Event(job.name, done, len(trainings), said, failed))


def _clean(text: str, runs: RunFolder) -> tuple[SetRecord, ImageSet]:
    """A clean set, its pictures kept."""
    data, what = load(text), TrainingSet(text)
    made = runs.sets.load(what.key)
    if made is None or not made.holds(fingerprint(data)):
        made, _ = make(what, data)
        runs.sets.save(made)
    kept = runs.kept(made.fingerprint)
    if not kept.whole:
        kept.save(data)
    return made, data
