"""Measure what a trainer gets, and what that needs: a classifier trained, a data set as a folder."""

from pathlib import Path
from typing import Annotated

import typer

from unlearnable.cli.console import SKIPPED, USAGE, Device, Ray, RayAddress, command, console, errors, say


def audit(
    protected: Annotated[Path, typer.Argument(help="The published pictures, in class sub-folders.")],
    clean_train: Annotated[str, typer.Option(help="Folder of the originals, or a data set such as cifar10:root=….")],
    clean_test: Annotated[str, typer.Option(help="The same of pictures that nobody trains on.")],
    out: Annotated[Path, typer.Option(help="Folder for the page and the results; resumes what it holds.")],
    countermeasures: Annotated[
        str, typer.Option(help="table1, jpeg_sweep, all, NAME+NAME,NAME:key=value,…")
    ] = "table1",
    victim: Annotated[str, typer.Option(help="The classifier, or any timm name.")] = "resnet9",
    recipe: Annotated[str, typer.Option(help="quick, for CPUs; paper; transformer, AdamW for vit.")] = "quick",
    seeds: Annotated[int, typer.Option(help="Trainings a cell.")] = 1,
    minutes: Annotated[float | None, typer.Option(help="Start no training that would end later.")] = None,
    size: Annotated[int | None, typer.Option(help="Side in px.", show_default="the pictures', at most 224")] = None,
    published_size: Annotated[int | None, typer.Option(help="Side in px before platform and scraper.")] = None,
    backbone: Annotated[str | None, typer.Option(help="Pretrained weights of the victim, as safetensors.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that train side by side.")] = 1,
    device: Device = None,
    ray: Ray = False,
    ray_address: RayAddress = None,
) -> None:
    """Measure what somebody gets who trains on the published pictures, and write a page about it.

    Exit codes: 0 everything was measured, 2 nothing, 3 a part.

    Example:
        unlearnable audit protected --clean-train photos --clean-test other_photos --out audit
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from unlearnable.audit.large import memory_needed
    from unlearnable.audit.options import AuditOptions
    from unlearnable.audit.progress import AuditProgress
    from unlearnable.audit.run import PAGE, audit_folder
    from unlearnable.audit.verdict import verdict
    from unlearnable.bench.store import RunFolder

    shown = TextColumn("{task.description}", markup=False)
    columns = TextColumn("training {task.fields[cell]}"), BarColumn(20), shown
    # Epochs are far between: the speed is taken over half an hour.
    progress = Progress(*columns, TimeRemainingColumn(), console=console(), speed_estimate_period=1800)
    with errors(), progress:
        task = progress.add_task("reading the pictures", total=None, cell="")

        def on_progress(now: AuditProgress) -> None:
            text = now.what + (f" {now.accuracy:.1%}" if now.accuracy is not None else "")
            progress.update(task, description=text, completed=now.done, total=now.total, cell=f"{now.cell}/{now.cells}")
            if not progress.console.is_terminal and now.accuracy is None:  # a log file gets lines, not a bar
                say(f"training {now.cell}/{now.cells}: {now.what}")

        if published_size:
            folders = Path(protected), Path(clean_train), Path(clean_test)
            memory = memory_needed(folders, published_size) / 1e9
            say(f"the pictures at {published_size} px take about {memory:.2f} GB of memory")
        outcome = audit_folder(
            protected,
            clean_train,
            clean_test,
            out,
            AuditOptions(countermeasures, victim, recipe, seeds, size, published_size, backbone),
            minutes=minutes,
            workers=workers,
            device=device,
            ray=ray_address or ray,
            command=command(),
            on_progress=on_progress,
        )
    for file in RunFolder(out).corrupt():
        say(f"{file} is no result of its training; it was set aside, and the training done again")
    for name, reason in outcome.missing.items():
        say(f"not measured: {name}: {reason}")
    for sentence in verdict(outcome):
        say(sentence)
    say(f"look at {out / PAGE}")
    if not outcome.rows:
        raise typer.Exit(USAGE)
    if outcome.missing:
        raise typer.Exit(SKIPPED)


def fit(
    train: Annotated[str, typer.Argument(help="Data set to train on, such as folder:path=photos,size=64.")],
    test: Annotated[str, typer.Argument(help="Data set to test on.")],
    out: Annotated[Path, typer.Option(help="File for the weights, as safetensors: a backbone for audit.")],
    countermeasure: Annotated[str, typer.Option(help="NAME, NAME:parameter=value, or NAME+NAME.")] = "vanilla",
    victim: Annotated[str, typer.Option(help="The classifier, or any timm name.")] = "resnet9",
    recipe: Annotated[str, typer.Option(help="quick, paper or transformer.")] = "quick",
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 0,
    device: Device = None,
) -> None:
    """Train one classifier and keep its weights; the same command resumes one that was killed.

    Example:
        unlearnable fit folder:path=photos,size=64 folder:path=other_photos,size=64 --out model.safetensors
    """
    from unlearnable.bench.cell import Cell
    from unlearnable.compute.devices import DivergedError, device_named
    from unlearnable.datasets import load
    from unlearnable.images.imageset import fingerprint
    from unlearnable.training.history import Epoch
    from unlearnable.victims.features import save_weights

    def on_epoch(epoch: int, epochs: int, now: Epoch) -> None:
        say(f"epoch {epoch}/{epochs}  train {now.train_accuracy:.1%}  test {now.test_accuracy:.1%}")

    with errors(DivergedError):
        if out.is_dir():
            raise ValueError(f"expected a file to write the weights to, got the folder {out}")
        pictures, tested = load(train), load(test)
        sets = (fingerprint(pictures), fingerprint(tested), "")
        cell = Cell.of(*sets, pictures.images.shape[-1], victim, countermeasure, recipe, seed)
        out.parent.mkdir(parents=True, exist_ok=True)
        where = device_named(device)
        trained = cell.fit(pictures, tested, None, where, folder=out.parent, on_epoch=on_epoch)
        save_weights(trained.model, out, pictures.classes)
        cell.forget(out.parent)
    say(f"final {trained.final:.1%}, peak {trained.peak:.1%}: {out}")


def export(
    data: Annotated[str, typer.Argument(help="Data set, such as cifar10:root=…,split=test.")],
    out: Annotated[Path, typer.Argument(help="New folder for PNGs in class sub-folders.")],
) -> None:
    """Write a data set as a folder of pictures.

    Example:
        unlearnable export cifar10:root=CIFAR,split=train,per_class=1000 train
    """
    from unlearnable.datasets import load

    with errors():
        pictures = load(data)
        pictures.save(out)
    say(f"{len(pictures)} pictures of {len(pictures.classes)} classes: {out}")
