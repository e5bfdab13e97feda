"""The trainings of an audit: every countermeasure on the clean and on the published pictures."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Literal

from unlearnable.audit.outcome import AuditRow
from unlearnable.audit.sets import Sets
from unlearnable.bench.cell import Cell
from unlearnable.bench.failure import StepError
from unlearnable.bench.steps import Purify, Step, Train
from unlearnable.bench.store import RunFolder
from unlearnable.bench.timing import Workload
from unlearnable.compute.devices import device_named, name_of
from unlearnable.countermeasures import countermeasure_named
from unlearnable.images.imageset import fingerprint
from unlearnable.training.recipes import recipe_named

Side = Literal["clean", "protected"]
SIDES: tuple[Side, ...] = ("clean", "protected")


@dataclass(frozen=True)
class AuditTrainings:
    """The trainings, in the order in which they are begun.

    Attributes:
        names: of the countermeasures, as text.
        seeds: how many.
        steps: by countermeasure, seed and which pictures are trained on.
    """

    names: tuple[str, ...]
    seeds: int
    steps: dict[tuple[str, int, Side], Train]

    @classmethod
    def of(
        cls,
        sets: Sets,
        names: tuple[str, ...],
        victim: str,
        recipe: str,
        seeds: int,
        runs: RunFolder,
        device: str | None = None,
    ) -> "AuditTrainings":
        """All of them: clean and protected side by side, so that a row is complete as early as possible.

        Raises:
            FileNotFoundError: weights that a countermeasure needs are not there.
        """
        train = {"clean": fingerprint(sets.clean), "protected": fingerprint(sets.protected)}
        test, size = fingerprint(sets.test), sets.clean.images.shape[-1]
        suited, where = recipe_named(recipe).suited(sets.clean), name_of(device_named(device))
        counts = (len(sets.clean), len(sets.test), len(sets.clean.classes), size)
        shared: dict[tuple[str, Side], Purify] = {}
        steps: dict[tuple[str, int, Side], Train] = {}
        for seed, name, side in product(range(seeds), names, SIDES):
            countermeasure = countermeasure_named(name)
            if countermeasure.repeatable and seeds > 1 and (name, side) not in shared:
                shared[name, side] = Purify(f"{name} of {side} pictures", runs, device, (), name)
            needs = (shared[name, side],) if (name, side) in shared else ()
            cell = Cell.of(train[side], test, train["clean"], size, victim, name, recipe, seed)
            workload = Workload(cell.clean, *counts, victim, name, countermeasure.adjust_recipe(suited).epochs, where)
            find, title = partial(_itself, cell), f"{name}, {side}"
            steps[name, seed, side] = Train(title, runs, device, needs, find, workload, cell.key)
        return cls(names, seeds, steps)

    def in_order(self) -> list[Step]:
        """All steps, each after those that it needs."""
        return list(dict.fromkeys(step for train in self.steps.values() for step in (*train.needs, train)))

    def rows(self, classes: tuple[int, ...]) -> tuple[AuditRow, ...]:
        """The countermeasures that were trained on both sets, with the seeds for which they were.

        Args:
            classes: indices of the protected classes, where only some are.
        """
        rows = []
        for name in self.names:
            results = [[self.steps[name, seed, side].result for side in SIDES] for seed in range(self.seeds)]
            pairs = [(clean, protected) for clean, protected in results if clean and protected]
            if pairs:
                clean, protected = zip(*pairs, strict=True)
                rows.append(AuditRow(name, clean, protected, classes))
        return tuple(rows)

    def missing(self, failed: Mapping[Step, StepError]) -> dict[str, str]:
        """Countermeasures of which a training has no result, and why."""
        reasons: dict[str, str] = {}
        for (name, _, _), step in self.steps.items():
            if step.result is None:
                reasons.setdefault(name, str(failed.get(step, "the audit was interrupted")))
        return reasons


def _itself(cell: Cell) -> Cell:
    return cell
