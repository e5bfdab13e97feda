"""The steps of a plan: its sets are made, its cells are trained, its figure is drawn."""

from collections import Counter
from dataclasses import dataclass
from functools import partial

from unlearnable.bench.checks import check
from unlearnable.bench.figure import DrawFigure
from unlearnable.bench.plan import Plan
from unlearnable.bench.planned_cell import PlannedCell, TrainingSet
from unlearnable.bench.sets import SetRecord, make
from unlearnable.bench.steps import Call, Purify, Step, Train, present
from unlearnable.bench.store import RunFolder
from unlearnable.bench.timing import StepTimes, TimeEstimate, Workload, remaining
from unlearnable.compute.devices import device_named, name_of
from unlearnable.countermeasures import countermeasure_named
from unlearnable.datasets import load
from unlearnable.images.imageset import ImageSet, fingerprint
from unlearnable.training.recipes import recipe_named


@dataclass(eq=False)
class MakeSet(Step):
    """Make a training set.

    Attributes:
        what: it is.
        clean: the clean set.
    """

    timed = True

    what: TrainingSet
    clean: SetRecord

    @property
    def done(self) -> bool:
        """Its record is there, and its pictures are, or nobody needs them."""
        made = self.runs.sets.load(self.what.key)
        if made is None or self.stale:
            return False
        return all(step.done for step in self.needed_by) or self.runs.stored_set(made.fingerprint).intact

    @property
    def stale(self) -> bool:
        """It was made of other clean pictures, of other files, or by another version."""
        made = self.runs.sets.load(self.what.key)
        return made is not None and not made.holds(self.clean.fingerprint)

    def call(self) -> Call:
        """See `Step`."""
        of = self.what.fully_protected
        full = self.runs.stored_set(present(self.runs.sets.load(of.key)).fingerprint) if of else None
        clean = self.runs.stored_set(self.clean.fingerprint)
        return make, (self.what, clean, full, self.runs.checkpoint(self.what), self.device)

    def keep(self, answer: tuple[SetRecord, ImageSet]) -> str:
        """See `Step`."""
        made, pictures = answer
        before = self.runs.sets.load(self.what.key)
        if before and before.contradicts(made):
            raise ValueError(
                f"it was made otherwise before, by {before.device}, other threads or other versions, and has results: "
                f"go on there, or with another --out, or delete {self.runs.sets.file(self.what.key)} to begin anew"
            )
        self.runs.stored_set(made.fingerprint).save(pictures)
        self.runs.sets.save(made)
        self.runs.checkpoint(self.what).unlink(missing_ok=True)
        return f"{made.seconds:.0f} s" + (f", RMS {made.measured.rms:.2f}" if made.measured else "")

    def guess(self, times: StepTimes) -> TimeEstimate | None:
        """See `Step`."""
        guess = times.making(self.what, self.clean, name_of(device_named(self.device)))
        return remaining(guess, self.runs.checkpoint(self.what))


def steps_of(plan: Plan, runs: RunFolder, device: str | None = None) -> list[Step]:
    """All steps, those of one training set together; the clean sets are loaded, and stored.

    Args:
        plan: all of one, or a part.
        runs: where everything is stored.
        device: on which to compute; CUDA where there is one when None.

    Raises:
        ValueError: a set cannot be read, or something cannot be done with it that the plan asks for (see `check`).
        FileNotFoundError: a set is not there.
    """
    clean = {
        text: _clean(text, runs)
        for text in dict.fromkeys(text for cell in plan.cells for text in (cell.training.data, cell.test))
    }
    check(plan, {text: pictures for text, (_, pictures) in clean.items()})
    trainings = Counter((cell.training, cell.countermeasure) for cell in plan.cells)
    steps: dict[TrainingSet | tuple[TrainingSet, str] | PlannedCell, Step] = {}

    def making(what: TrainingSet) -> Step:
        if what not in steps:
            needs = (making(what.fully_protected),) if what.fully_protected else ()
            name = f"making {what.protection}" + (f", {what.share:.0%}" if what.share < 1 else "")
            steps[what] = MakeSet(name, runs, device, needs, what, clean[what.data][0])
        return steps[what]

    for cell in plan.cells:
        begin = (cell.training, cell.countermeasure)
        needs: tuple[Step, ...] = (making(cell.training),)
        countermeasure = countermeasure_named(cell.countermeasure)
        if countermeasure.repeatable and trainings[begin] > 1:
            if begin not in steps:
                name = f"{cell.countermeasure} of {cell.training.protection}"
                steps[begin] = Purify(name, runs, device, needs, cell.countermeasure)
            needs = (*needs, steps[begin])
        (made, pictures), (test, _) = clean[cell.training.data], clean[cell.test]
        epochs = countermeasure.adjust_recipe(recipe_named(cell.recipe).suited(pictures)).epochs
        count = round(cell.training.left * made.count)
        how = (cell.victim, cell.countermeasure, epochs, name_of(device_named(device)))
        workload = Workload(made.fingerprint, count, test.count, made.classes, made.size, *how)
        if plan.trains:
            find = partial(runs.cell, cell)
            steps[cell] = Train(cell.name, runs, device, needs, find, workload, cell.key, bool(plan.figure))
    if plan.figure:
        return [*steps.values(), DrawFigure(f"drawing {plan.figure}", runs, device, tuple(steps.values()), plan)]
    return list(steps.values())


def _clean(text: str, runs: RunFolder) -> tuple[SetRecord, ImageSet]:
    """A clean set, its pictures stored."""
    data, what = load(text), TrainingSet(text)
    made = runs.sets.load(what.key)
    if made is None or not made.holds(fingerprint(data)):
        made, _ = make(what, data)
        runs.sets.save(made)
    stored = runs.stored_set(made.fingerprint)
    if not stored.intact:
        stored.save(data)
    return made, data
