"""Run plans of many trainings."""

from pathlib import Path
from typing import Annotated

import typer

from unlearnable.cli.console import SKIPPED, Device, Ray, RayAddress, errors, say, say_aside, stages

Folder = Annotated[Path, typer.Option(help="Folder for what is made and measured; resumes what it holds.")]


def bench(
    plan: Annotated[Path, typer.Argument(help="What to train, such as plans/table1_quick.yaml.")],
    out: Folder = Path("runs"),
    minutes: Annotated[float | None, typer.Option(help="Start no training that would end later.")] = None,
    shard: Annotated[str, typer.Option(help="Only this part of the trainings, such as 2/3.")] = "1/1",
    workers: Annotated[int, typer.Option(min=1, help="Processes that work side by side.")] = 1,
    pack: Annotated[
        Path | None, typer.Option(help="One file for all results: those that it holds are read, then it is written.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what is to be done, and how long it takes.")] = (
        False
    ),
    device: Device = None,
    ray: Ray = False,
    ray_address: RayAddress = None,
    cpus_per_cell: Annotated[
        int | None, typer.Option(min=1, help="On Ray: CPUs, and threads, of a training; 1 when left out.")
    ] = None,
    gpus_per_cell: Annotated[
        float | None,
        typer.Option(min=0, help="On Ray: GPUs of a training, such as 0.25; 1 where there are any when left out."),
    ] = None,
) -> None:
    """Train what a plan asks for and has no result yet."""
    import time

    from unlearnable.bench.estimate import Estimate
    from unlearnable.bench.plan import Plan
    from unlearnable.bench.ray import on_ray
    from unlearnable.bench.run import Event, PlanRun, steps_of
    from unlearnable.bench.store import RunFolder
    from unlearnable.bench.workers import local
    from unlearnable.compute.devices import device_named

    end = None if minutes is None else time.monotonic() + 60 * minutes
    with errors():
        device_named(device)
        on_cluster = ray or bool(ray_address)
        if on_cluster and (device or workers > 1):
            raise ValueError("expected --ray without --workers and --device; --gpus-per-cell 0 trains on CPUs")
        if not on_cluster and (cpus_per_cell or gpus_per_cell is not None):
            raise ValueError("expected --ray with --cpus-per-cell and --gpus-per-cell")
        chosen, runs = Plan.read(plan).part(shard), RunFolder(out.absolute())
        if pack and pack.exists():
            say(f"{runs.unpack(pack)} records read from {pack}")
        jobs = steps_of(chosen, runs, device)
        where = on_ray(cpus_per_cell or 1, gpus_per_cell, ray_address) if on_cluster else local(workers)
        with where as place, stages() as on_stage:

            def on_event(event: Event) -> None:
                on_stage("training", event.done, event.total)
                say(f"{event.done}/{event.total} {event.name}: {'not done: ' if event.failed else ''}{event.said}")

            run = PlanRun(jobs, place, runs, end, on_event)
            say(Estimate.of(jobs, run.times).told(place.slots))
            say_aside(runs.corrupt())
            if dry_run:
                return
            try:
                run()
            finally:
                if pack:
                    runs.pack(pack, chosen.entries)
    if run.failed:
        say(f"{len(run.failed)} steps were not done")
        raise typer.Exit(SKIPPED)
