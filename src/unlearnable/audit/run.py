"""Train every countermeasure on the clean and on the published pictures, and write down what came out."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import torch

from unlearnable.audit.outcome import AuditRow, Outcome
from unlearnable.audit.page import audit_page, markdown_table
from unlearnable.audit.sets import Sets, load_sets
from unlearnable.audit.verdict import verdict
from unlearnable.bench.cell import Cell, Result
from unlearnable.bench.columns import columns
from unlearnable.bench.timing import TrainingTimes, Workload, left, too_late, work
from unlearnable.compute.devices import DivergedError, device_named, name_of
from unlearnable.countermeasures import countermeasure_named
from unlearnable.images.imageset import fingerprint
from unlearnable.storage.atomic import write
from unlearnable.storage.records import Store
from unlearnable.training.history import Epoch
from unlearnable.training.recipes import recipe_named
from unlearnable.victims.architectures import Victim, built_for, victim_named

PAGE, TABLE, SUMMARY, CELLS = "audit.html", "audit.md", "audit.json", "cells"


@dataclass(frozen=True)
class AuditProgress:
    """The state of an audit that a progress line shows.

    Attributes:
        what: the training that runs.
        cell, cells: its number from 1, and how many there are.
        done, total: work, in ordinary epochs; what had to be left out counts as done.
        accuracy: on the test set after the last epoch, in [0, 1]; None before the first.
    """

    what: str
    cell: int
    cells: int
    done: float
    total: float
    accuracy: float | None = None


@dataclass(frozen=True)
class AuditedCell:
    """A cell, and what its training needs.

    Attributes:
        which: the set that is trained on.
        epochs: for which it is trained.
    """

    cell: Cell
    which: Literal["clean", "protected"]
    epochs: int

    @property
    def work(self) -> float:
        """In ordinary epochs, about."""
        return work(self.cell.countermeasure, self.epochs)


def audit_folder(
    protected: str | Path,
    clean_train: str | Path,
    clean_test: str | Path,
    out: str | Path,
    *,
    countermeasures: str = "table1",
    victim: str = "resnet9",
    recipe: str = "quick",
    seeds: int = 1,
    minutes: float | None = None,
    size: int | None = None,
    backbone: str | None = None,
    device: str | None = None,
    command: str = "",
    on_progress: Callable[[AuditProgress], None] | None = None,
) -> Outcome:
    """Measure what a trainer would get, and write ``audit.html``, ``audit.md``, ``audit.json`` and one JSON a cell.

    A cell whose result lies in ``out`` is not trained again, and one that was killed goes on from the last epoch that
    was saved, so that the same call resumes. Whatever ends the audit, the page shows what is known by then.

    Args:
        protected: folder of the published pictures, in class sub-folders; the classes that it lacks are taken from
            the clean ones, and the figures are then those of its own classes.
        clean_train: folder of the originals, or a data set such as ``cifar10:root=…``. Attackers who hold clean
            pictures take them from here: the case that favours them most.
        clean_test: the same for pictures that nobody trains on.
        out: folder for the results.
        countermeasures: ``table1``, ``all``, or names with parameters, chained by ``+``, separated by commas.
        victim: see `victims`; any timm name.
        recipe: ``quick``, ``paper`` or ``transformer``.
        seeds: trainings a cell.
        minutes: no training starts that would not end within so many, as far as can be foreseen.
        size: side in pixels at which is trained; that of the published pictures, at most 224, when None.
        backbone: safetensors file of pretrained weights for ``victim``.
        device: torch device; CUDA where there is one when None.
        command: how it was called, for the page.
        on_progress: called after every epoch.

    Raises:
        ValueError: something does not fit; nothing has been trained.
        FileNotFoundError: there are no pictures.
    """
    if seeds < 1:
        raise ValueError(f"expected at least one seed, got {seeds}")
    end = None if minutes is None else time.monotonic() + 60 * minutes
    names, where, out = columns(countermeasures, recipe, backbone), device_named(device), Path(out)
    recipe_named(recipe)
    _check_place(out, [Path(protected), Path(clean_train), Path(clean_test)])
    sets = load_sets(Path(protected), str(clean_train), str(clean_test), size)
    _check_victims(victim_named(victim), names, len(sets.clean.classes), sets.clean.images.shape[-1])
    out.mkdir(parents=True, exist_ok=True)
    run = AuditRun(sets, list(_tasks(sets, names, victim, recipe, seeds)), where, Store(out / CELLS, Result), end)
    try:
        run.train(on_progress)
    finally:
        outcome = Outcome(
            classes=sets.clean.classes,
            protected_classes=sets.protected_classes,
            train_count=len(sets.protected),
            test_count=len(sets.test),
            size=sets.clean.images.shape[-1],
            victim=victim,
            recipe=recipe,
            epochs=recipe_named(recipe).suited(sets.clean).epochs,
            seeds=seeds,
            rows=run.rows(),
            missing=run.missing,
            published=sets.published,
            command=command,
        )
        _write(outcome, out)
    return outcome


class AuditRun:
    """Goes through the tasks, as far as the time allows.

    Attributes:
        results: by the cells' keys.
        missing: countermeasures that are not whole, and why.
    """

    def __init__(
        self, sets: Sets, tasks: list[AuditedCell], device: torch.device, store: Store[Result], end: float | None
    ) -> None:
        self.sets, self.tasks, self.device, self.store, self.end = sets, tasks, device, store, end
        stored = {task.cell.key: store.load(task.cell.key) for task in tasks}
        self.results = {key: result for key, result in stored.items() if result}
        self.missing: dict[str, str] = {}
        for result in self.results.values():  # a kill may have come between keeping one and forgetting its training
            result.cell.forget(store.folder)

    def train(self, on_progress: Callable[[AuditProgress], None] | None) -> None:
        """Train what has no result yet."""
        total = sum(task.work for task in self.tasks)
        for number, task in enumerate(self.tasks, 1):
            name = task.cell.countermeasure
            if task.cell.key in self.results or name in self.missing:
                continue
            if self.end is not None and (late := too_late(self._seconds(task), self.end)):
                self.missing[name] = late
                continue
            done = total - sum(other.work for other in self._open() if other.cell.countermeasure not in self.missing)
            now = AuditProgress(f"{name}, {task.which}", number, len(self.tasks), done, total)
            try:
                self._train(task, now, on_progress)
            except (ValueError, DivergedError, OSError, RuntimeError) as error:
                self.missing[name] = str(error)
            except BaseException:
                self.missing |= {other.cell.countermeasure: "the audit was interrupted" for other in self._open()}
                raise

    def rows(self) -> tuple[AuditRow, ...]:
        """The countermeasures that were trained on both sets, with the seeds for which they were."""
        rows = []
        for name in dict.fromkeys(task.cell.countermeasure for task in self.tasks):
            found: dict[int, dict[str, Result]] = {}
            for task in self.tasks:
                if task.cell.countermeasure == name and task.cell.key in self.results:
                    found.setdefault(task.cell.seed, {})[task.which] = self.results[task.cell.key]
            pairs = [pair for pair in found.values() if len(pair) == 2]
            if pairs:
                clean, protected = (tuple(pair[which] for pair in pairs) for which in ("clean", "protected"))
                rows.append(AuditRow(name, clean, protected, self.sets.protected_classes))
        return tuple(rows)

    def _open(self) -> list[AuditedCell]:
        return [task for task in self.tasks if task.cell.key not in self.results]

    def _train(
        self, task: AuditedCell, now: AuditProgress, on_progress: Callable[[AuditProgress], None] | None
    ) -> None:
        def on_epoch(epoch: int, epochs: int, measured: Epoch) -> None:
            if on_progress:
                done = now.done + task.work * epoch / epochs
                on_progress(replace(now, done=done, accuracy=measured.test_accuracy))

        if on_progress:
            on_progress(now)
        train = self.sets.protected if task.which == "protected" else self.sets.clean
        trained = task.cell.fit(
            train, self.sets.test, self.sets.clean, self.device, folder=self.store.folder, on_epoch=on_epoch
        )
        result = Result.of(task.cell, trained, name_of(self.device))
        self.store.save(result)
        task.cell.forget(self.store.folder)
        self.results[task.cell.key] = result

    def _seconds(self, task: AuditedCell) -> float | None:
        """How long it takes, about; None where nothing has been measured on this device. Both sets are as large."""
        cell, clean, paces = task.cell, self.sets.clean, TrainingTimes()
        for result in self.results.values():
            paces.add(Workload.of(result, len(clean)), result.seconds)
        how = (cell.victim, cell.countermeasure, task.epochs, name_of(self.device))
        asked = Workload(cell.clean, len(clean), len(self.sets.test), len(clean.classes), cell.size, *how)
        guess = left(paces.guess(asked), cell.training(self.store.folder, self.device))
        return guess.seconds if guess else None


def summary(outcome: Outcome) -> dict[str, object]:
    """The figures of the page, for programs."""
    rows = {
        row.countermeasure: {
            name: asdict(getattr(row, name)) for name in ("clean_final", "clean_peak", "final", "peak")
        }
        for row in outcome.rows
    }
    settings = "classes protected_classes train_count test_count size victim recipe epochs seeds chance"
    return {
        **{name: getattr(outcome, name) for name in settings.split()},
        "rows": rows,
        "means": outcome.means,
        "missing": outcome.missing,
        "published": outcome.published.summary,
        "verdict": verdict(outcome),
        "command": outcome.command,
    }


def _check_place(out: Path, sets: list[Path]) -> None:
    if out.exists() and not out.is_dir():
        raise ValueError(f"expected a folder to write to, got the file {out}")
    for folder in sets:
        if folder.is_dir() and out.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"{out} lies in {folder}, whose pictures are read; name another folder")


def _check_victims(victim: Victim, names: tuple[str, ...], classes: int, size: int) -> None:
    """Build every victim that will be trained, and show it a picture: what cannot be is found before any training."""
    for chosen in dict.fromkeys(countermeasure_named(name).trainable(victim) for name in names):
        built_for(chosen, classes, size, size)


def _tasks(sets: Sets, names: tuple[str, ...], victim: str, recipe: str, seeds: int) -> Iterator[AuditedCell]:
    """Clean and protected side by side, so that a row is whole as early as possible."""
    data = {"clean": fingerprint(sets.clean), "protected": fingerprint(sets.protected)}
    test, size = fingerprint(sets.test), sets.clean.images.shape[-1]
    suited = recipe_named(recipe).suited(sets.clean)
    for seed in range(seeds):
        for name in names:
            epochs = countermeasure_named(name).adjust(suited).epochs
            for which in ("clean", "protected"):
                cell = Cell.of(data[which], test, data["clean"], size, victim, name, recipe, seed)
                yield AuditedCell(cell, which, epochs)


def _write(outcome: Outcome, out: Path) -> None:
    written = {
        PAGE: audit_page(outcome),
        TABLE: markdown_table(outcome),
        SUMMARY: json.dumps(summary(outcome), indent=2) + "\n",
    }
    for name, text in written.items():
        write(out / name, text)
