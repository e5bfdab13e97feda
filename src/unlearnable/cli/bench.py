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
    """Train what a plan asks for and has no result yet.

    Exit codes: 0 all is done, 2 nothing could be, 3 a part.

    Example:
        unlearnable bench plans/table1_quick.yaml --workers 2
    """
    import time
    from contextlib import nullcontext

    from unlearnable.bench.estimate import Estimate
    from unlearnable.bench.plan import Plan
    from unlearnable.bench.plan_steps import steps_of
    from unlearnable.bench.ray import executor_for
    from unlearnable.bench.scheduler import Scheduler, StepUpdate
    from unlearnable.bench.store import RunFolder
    from unlearnable.bench.timing import StepTimes
    from unlearnable.storage.lock import locked

    end = None if minutes is None else time.monotonic() + 60 * minutes
    with errors():
        chosen_executor = executor_for(workers, ray_address or ray, device, cpus_per_cell, gpus_per_cell)
        chosen, runs = Plan.read(plan).part(shard), RunFolder(out.absolute())
        if pack and pack.exists():
            say(f"{runs.unpack(pack)} records read from {pack}")
        steps = steps_of(chosen, runs, device)
        only_run = nullcontext() if dry_run else locked(runs.folder)
        with only_run, chosen_executor as executor, stages() as on_stage:

            def on_step(update: StepUpdate) -> None:
                if update.state != "begun":
                    failed = "not done: " if update.state == "failed" else ""
                    on_stage("training", update.done, update.total)
                    say(f"{update.done}/{update.total} {update.step.name}: {failed}{update.message}")

            scheduler = Scheduler(steps, executor, StepTimes.of(runs), end, on_step)
            say(Estimate.of(steps, scheduler.times).line(executor.slots))
            say_aside(runs.corrupt())
            if dry_run:
                return
            try:
                scheduler.run()
            finally:
                if pack:
                    runs.pack(pack, chosen.cells)
    if scheduler.failed:
        say(f"{len(scheduler.failed)} steps were not done; what was thrown is in {runs.failures.folder}")
        raise typer.Exit(SKIPPED)
