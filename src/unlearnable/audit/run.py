"""Train every countermeasure on the clean and on the published pictures, and write down what came out."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from unlearnable.audit.large import check_large
from unlearnable.audit.markdown import markdown_table
from unlearnable.audit.options import AuditOptions
from unlearnable.audit.outcome import Outcome
from unlearnable.audit.page import audit_page
from unlearnable.audit.progress import AuditProgress, CallerError, ProgressMeter
from unlearnable.audit.sets import Sets, load_sets
from unlearnable.audit.trainings import AuditTrainings, in_full
from unlearnable.audit.verdict import verdict
from unlearnable.bench.ray import executor_for
from unlearnable.bench.scheduler import Scheduler
from unlearnable.bench.store import RunFolder
from unlearnable.bench.timing import StepTimes
from unlearnable.countermeasures import countermeasure_named
from unlearnable.images.imageset import fingerprint
from unlearnable.storage.atomic import write
from unlearnable.storage.lock import locked
from unlearnable.training.recipes import recipe_named
from unlearnable.victims.architectures import Victim, built_for, victim_named

PAGE, TABLE, SUMMARY = "audit.html", "audit.md", "audit.json"


def audit_folder(
    protected: str | Path,
    clean_train: str | Path,
    clean_test: str | Path,
    out: str | Path,
    options: AuditOptions | None = None,
    *,
    minutes: float | None = None,
    workers: int = 1,
    device: str | None = None,
    ray: bool | str = False,
    command: str = "",
    on_progress: Callable[[AuditProgress], None] | None = None,
    **keywords: Any,
) -> Outcome:
    """Measure what a trainer would get, and write ``audit.html``, ``audit.md``, ``audit.json`` and one JSON a cell.

    A cell whose result lies in ``out`` is not trained again, and one that was killed goes on from the last epoch that
    was saved, so that the same call resumes. Whatever ends the audit, the page shows what is known by then. Whatever a
    cell throws is its own failure: the page gives the reason, ``out/failures`` the traceback, and the others are
    trained.

    Args:
        protected: folder of the published pictures, in class sub-folders; the classes that it lacks are taken from
            the clean ones, and the figures are then those of its own classes.
        clean_train: folder of the originals, or a data set such as ``cifar10:root=…``. Attackers who hold clean
            pictures take them from here: the case that favours them most.
        clean_test: the same for pictures that nobody trains on.
        out: folder for the results.
        options: what is trained; the usual when None.
        minutes: no training starts that would not end within so many, as far as can be foreseen.
        workers: processes that train side by side.
        device: torch device; CUDA where there is one when None.
        ray: train on a Ray cluster: that of this address, or, when True, that of ``RAY_ADDRESS``, else one of this
            machine.
        command: how it was called, for the page.
        on_progress: called when a training begins and when it ends, and after every epoch with one worker.
        keywords: fields of `AuditOptions`, in the place of those of ``options``: ``victim="resnet18"``.

    Returns:
        The rows of the table: accuracies in [0, 1], after the last and the best epoch, clean and protected.

    Raises:
        ValueError: something does not fit; nothing has been trained.
        FileNotFoundError: there are no pictures.
        ClusterError: there is no Ray, or no such cluster.
        LockedError: another run writes to ``out``.

    Examples:
        >>> from pathlib import Path
        >>> from unlearnable import audit_folder, load, protect_folder
        >>> load("toy:count=64").save(Path("photos"))
        >>> _ = protect_folder("photos", "protected", key="key", strength="full")
        >>> brief = {"victim": "resnet9:width=2", "recipe": "quick:epochs=1", "countermeasures": "vanilla"}
        >>> outcome = audit_folder("protected", "photos", "toy:count=40,seed=1", "audit", **brief)
        >>> [row.countermeasure for row in outcome.rows], 0 <= outcome.rows[0].final.mean <= 1
        (['vanilla'], True)
    """
    end = None if minutes is None else time.monotonic() + 60 * minutes
    options, out = replace(options or AuditOptions(), **keywords), Path(out)
    chosen, names, trained = executor_for(workers, ray, device), options.names(), options.trained_at
    folders = [Path(protected), Path(clean_train), Path(clean_test)]
    _check_place(out, folders)
    if options.published_size is not None and trained is not None:
        check_large(folders, options.published_size, trained, names)
    sets = load_sets(Path(protected), str(clean_train), str(clean_test), options.read_at)
    _check_victims(victim_named(options.victim), names, sets, trained)
    runs = RunFolder(out.absolute())
    trainings = AuditTrainings.of(sets, names, options.victim, options.recipe, options.seeds, runs, device, trained)
    with locked(out), _stored(sets, trainings, runs), chosen as executor:
        scheduler = Scheduler(trainings.in_order(), executor, _times(sets, runs), end)
        if on_progress:
            meter = ProgressMeter(trainings.steps.values(), on_progress)
            scheduler.on_step = meter.on_step
            if workers == 1 and not ray:
                meter.watch_epochs()
        try:
            scheduler.run()
        except CallerError as error:
            raise error.cause from None
        finally:
            outcome = _outcome(options, sets, trainings, scheduler, command)
            _write(outcome, out)
    return outcome


def _outcome(
    options: AuditOptions, sets: Sets, trainings: AuditTrainings, scheduler: Scheduler, command: str
) -> Outcome:
    """What is known by now."""
    size, trained = sets.clean.images.shape[-1], options.trained_at
    return Outcome(
        classes=sets.clean.classes,
        protected_classes=sets.protected_classes,
        train_count=len(sets.protected),
        test_count=len(sets.test),
        size=size,
        victim=options.victim,
        recipe=options.recipe,
        epochs=recipe_named(options.recipe).suited(len(sets.clean.classes), trained or size).epochs,
        seeds=options.seeds,
        rows=trainings.rows(sets.protected_classes),
        missing=trainings.missing(scheduler.failed),
        published=sets.published,
        command=command,
        trained=trained,
    )


def _times(sets: Sets, runs: RunFolder) -> StepTimes:
    """What trainings on these sets took."""
    counts = {fingerprint(data): len(data) for data in (sets.clean, sets.protected)}
    return StepTimes(runs.cells.all(), counts)


@contextmanager
def _stored(sets: Sets, trainings: AuditTrainings, runs: RunFolder) -> Iterator[None]:
    """Put the sets where every process finds them, as long as anything is trained on them, and no longer."""
    for step in trainings.steps.values():
        if result := step.result:  # a kill may have come between storing it and forgetting its training
            result.cell.forget(runs.cells.folder)
    stored = {runs.stored_set(fingerprint(data)): data for data in (sets.clean, sets.protected, sets.test)}
    finished = all(step.done for step in trainings.steps.values())
    try:
        for place, data in stored.items():
            if not (finished or place.intact):
                place.save(data)
        yield
    finally:
        for place in stored:
            for file in runs.cache.glob(f"{place.content}*.safetensors"):  # with what was purified of it
                file.unlink(missing_ok=True)
        with suppress(OSError):  # there is something of others in it, or no such folder
            runs.cache.rmdir()


def summary(outcome: Outcome) -> dict[str, object]:
    """The figures of the page, for programs."""
    rows = {
        row.countermeasure: {
            name: asdict(getattr(row, name)) for name in ("clean_final", "clean_peak", "final", "peak")
        }
        for row in outcome.rows
    }
    settings = "classes protected_classes train_count test_count size trained victim recipe epochs seeds chance"
    return {
        **{name: getattr(outcome, name) for name in settings.split()},
        "rows": rows,
        "worst": {advantage: asdict(case) | {"share": case.share} for advantage, case in outcome.worst_cases.items()},
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


def _check_victims(victim: Victim, names: tuple[str, ...], sets: Sets, trained: int | None) -> None:
    """Build every victim that will be trained, and show it a picture: what cannot be is found before any training."""
    chosen = [countermeasure_named(in_full(name, trained)) for name in names]
    size = sets.clean.images.shape[-2:]
    for one, found in dict.fromkeys((each.victim_to_train(victim), each.resized(*size)) for each in chosen):
        built_for(one, len(sets.clean.classes), *found)


def _write(outcome: Outcome, out: Path) -> None:
    written = {
        PAGE: audit_page(outcome),
        TABLE: markdown_table(outcome),
        SUMMARY: json.dumps(summary(outcome), indent=2) + "\n",
    }
    for name, text in written.items():
        write(out / name, text)
