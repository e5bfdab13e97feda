"""Train every countermeasure on the clean and on the published pictures, and write down what came out."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Literal

import torch

from unlearnable.atomic import replacing
from unlearnable.audit.columns import columns
from unlearnable.audit.outcome import Outcome, Row
from unlearnable.audit.sets import Sets, load_sets
from unlearnable.audit.verdict import verdict
from unlearnable.cells import Cell, Result, Store, fingerprint
from unlearnable.countermeasures import Chain, countermeasure_named
from unlearnable.devices import device_named, name_of
from unlearnable.recipes import Recipe, recipe_named
from unlearnable.report.audit_page import audit_page, markdown_table
from unlearnable.training import DivergedError, Epoch, fit
from unlearnable.victims import Victim, victim_named

PAGE, TABLE, SUMMARY, CELLS = "audit.html", "audit.md", "audit.json", "cells"


@dataclass(frozen=True)
class Progress:
    """The state of an audit that a progress line shows.

    Attributes:
        what: the training that runs.
        cell, cells: its number from 1, and how many there are.
        done, total: work, in ordinary trainings.
        accuracy: on the test set after the last epoch, in [0, 1]; None before the first.
    """

    what: str
    cell: int
    cells: int
    done: float
    total: float
    accuracy: float | None = None


@dataclass(frozen=True)
class _Task:
    """A cell with what its training needs."""

    cell: Cell
    which: Literal["clean", "protected"]
    work: float  # in ordinary trainings


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
    on_progress: Callable[[Progress], None] | None = None,
) -> Outcome:
    """Measure what a trainer would get, and write ``audit.html``, ``audit.md``, ``audit.json`` and one JSON a cell.

    A cell whose result lies in ``out`` is not trained again, so that the same call resumes.

    Args:
        protected: folder of the published pictures, in class sub-folders; the classes that it lacks are taken from
            the clean ones, and the figures are then those of its own classes.
        clean_train: folder of the originals, or a data set such as ``cifar10:root=…``. Attackers who hold clean
            pictures take them from here: the case that favours them most.
        clean_test: the same for pictures that nobody trains on.
        out: folder for the results.
        countermeasures: ``table1``, ``all``, or names with parameters, chained by ``+``, separated by commas.
        victim: see `victims`; any timm name.
        recipe: ``quick`` or ``paper``.
        seeds: trainings a cell.
        minutes: no training starts that would not end within so many.
        size: side in pixels at which is trained; that of the published pictures, at most 224, when None.
        backbone: safetensors file of pretrained weights for ``victim``.
        device: torch device; CUDA where there is one when None.
        command: how it was called, for the page.
        on_progress: called after every epoch.

    Raises:
        ValueError: something does not fit; nothing has been trained.
        FileNotFoundError: there are no pictures.
    """
    start = time.monotonic()
    if seeds < 1:
        raise ValueError(f"expected at least one seed, got {seeds}")
    names = columns(countermeasures, recipe, backbone)
    trained_by, trainee, where = recipe_named(recipe), victim_named(victim), device_named(device)
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise ValueError(f"expected a folder to write to, got the file {out}")
    sets = load_sets(Path(protected), str(clean_train), str(clean_test), size)
    trainee.build(len(sets.clean.classes), sets.clean.images.shape[-1])
    tasks = list(_tasks(sets, names, victim, recipe, trained_by, seeds))
    store = Store(out / CELLS)
    run = _Run(sets, trainee, trained_by, where, store, start + 60 * minutes if minutes is not None else None)
    missing = run.train(tasks, on_progress)
    outcome = Outcome(
        classes=sets.clean.classes,
        protected_classes=sets.protected_classes,
        train_count=len(sets.protected),
        test_count=len(sets.test),
        size=sets.clean.images.shape[-1],
        victim=victim,
        recipe=recipe,
        epochs=trained_by.long_epochs if trained_by.is_long(sets.clean) else trained_by.epochs,
        seeds=seeds,
        rows=tuple(_rows(tasks, run.results, sets.protected_classes)),
        missing=missing,
        published=sets.published,
        command=command,
    )
    _write(outcome, out)
    return outcome


class _Run:
    """Goes through the tasks, as far as the time allows."""

    def __init__(
        self, sets: Sets, victim: Victim, recipe: Recipe, device: torch.device, store: Store, end: float | None
    ) -> None:
        self.sets, self.victim, self.recipe, self.device = sets, victim, recipe, device
        self.store, self.end = store, end
        self.results: dict[str, Result] = {}
        self.paces: list[float] = []  # seconds of an ordinary training

    def train(self, tasks: list[_Task], on_progress: Callable[[Progress], None] | None) -> dict[str, str]:
        """Train what has no result yet; which countermeasures are not whole, and why."""
        missing: dict[str, str] = {}
        for task in tasks:
            if result := self.store.load(task.cell):
                self._keep(task, result)
        total = sum(task.work for task in tasks)
        for number, task in enumerate(tasks, 1):
            name = task.cell.countermeasure
            if task.cell.key in self.results or name in missing:
                continue
            if late := self._too_late(task):
                missing[name] = late
                continue
            done = sum(other.work for other in tasks if other.cell.key in self.results)
            now = Progress(f"{name}, {task.which}", number, len(tasks), done, total)
            try:
                self._keep(task, self._result(task, now, on_progress))
            except (ValueError, DivergedError) as error:
                missing[name] = str(error)
        return missing

    def _result(self, task: _Task, now: Progress, on_progress: Callable[[Progress], None] | None) -> Result:
        def on_epoch(epoch: int, epochs: int, measured: Epoch) -> None:
            if on_progress:
                done = now.done + task.work * epoch / epochs
                on_progress(replace(now, done=done, accuracy=measured.test_accuracy))

        if on_progress:
            on_progress(now)
        trained = fit(
            self.victim,
            self.sets.protected if task.which == "protected" else self.sets.clean,
            self.sets.test,
            countermeasure_named(task.cell.countermeasure),
            self.recipe,
            task.cell.seed,
            clean=self.sets.clean,
            device=self.device,
            on_epoch=on_epoch,
        )
        result = Result.of(task.cell, trained, name_of(self.device))
        self.store.save(result)
        return result

    def _keep(self, task: _Task, result: Result) -> None:
        self.results[task.cell.key] = result
        self.paces.append(result.seconds / task.work)

    def _too_late(self, task: _Task) -> str | None:
        """Why the task cannot end in time; a first one is always tried."""
        if self.end is None or not self.paces:
            return None
        needed, left = task.work * median(self.paces), self.end - time.monotonic()
        if needed <= left:
            return None
        return f"no time left: it takes about {needed / 60:.0f} min, {max(0, left) / 60:.0f} were left"


def _tasks(
    sets: Sets, names: tuple[str, ...], victim: str, recipe: str, trained_by: Recipe, seeds: int
) -> Iterator[_Task]:
    """Clean and protected side by side, so that a row is whole as early as possible."""
    data = {"clean": fingerprint(sets.clean), "protected": fingerprint(sets.protected)}
    test, size = fingerprint(sets.test), sets.clean.images.shape[-1]
    for seed in range(seeds):
        for name in names:
            countermeasure = countermeasure_named(name)
            work = countermeasure.effort * countermeasure.adjust(trained_by).epochs / trained_by.epochs
            for which in ("clean", "protected"):
                cell = Cell(
                    train=data[which],
                    test=test,
                    clean=data["clean"],
                    weights=_weights(victim, name),
                    size=size,
                    victim=victim,
                    countermeasure=name,
                    recipe=recipe,
                    seed=seed,
                )
                yield _Task(cell, which, work)


def _weights(victim: str, countermeasure: str) -> str:
    """Fingerprint of the weight files that a training starts from."""
    parts = countermeasure_named(countermeasure)
    links = parts.links if isinstance(parts, Chain) else (parts,)
    names = [victim_named(victim).pretrained, *(getattr(link, "weights", "") for link in links)]
    files = [file for file in map(Path, filter(None, names)) if file.is_file()]
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16] if files else ""


def _rows(tasks: list[_Task], results: dict[str, Result], classes: tuple[int, ...]) -> Iterator[Row]:
    for name in dict.fromkeys(task.cell.countermeasure for task in tasks):
        by_seed: dict[int, dict[str, Result]] = {}
        for task in tasks:
            if task.cell.countermeasure == name and (result := results.get(task.cell.key)):
                by_seed.setdefault(task.cell.seed, {})[task.which] = result
        pairs = [found for found in by_seed.values() if len(found) == 2]
        if pairs:
            clean, protected = (tuple(pair[which] for pair in pairs) for which in ("clean", "protected"))
            yield Row(name, clean, protected, classes)


def _write(outcome: Outcome, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    written = {
        PAGE: audit_page(outcome),
        TABLE: markdown_table(outcome),
        SUMMARY: json.dumps(summary(outcome), indent=2) + "\n",
    }
    for name, text in written.items():
        with replacing(out / name) as temporary:
            temporary.write_text(text, encoding="utf-8")


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
        "missing": outcome.missing,
        "verdict": verdict(outcome),
        "command": outcome.command,
    }
