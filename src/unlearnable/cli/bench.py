"""Run plans of many trainings."""

from pathlib import Path
from typing import Annotated

import typer

from unlearnable.cli.shown import SKIPPED, Device, errors, say, stages

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
) -> None:
    """Train what a plan asks for and has no result yet."""
    import time
    from dataclasses import replace

    from unlearnable.bench.places import local
    from unlearnable.bench.plan import Plan
    from unlearnable.bench.plan import shard as part
    from unlearnable.bench.run import Estimate, Event, Run, jobs_of
    from unlearnable.bench.runs import Runs
    from unlearnable.devices import device_named

    end = None if minutes is None else time.monotonic() + 60 * minutes
    with errors():
        device_named(device)
        whole, runs = Plan.read(plan), Runs(out)
        chosen = replace(whole, entries=part(whole.entries, shard))
        if pack and pack.exists():
            say(f"{runs.unpack(pack)} records read from {pack}")
        jobs = jobs_of(chosen, runs, device)
        say(Estimate.of(jobs, runs.cells.all()).told(workers))
        if dry_run:
            return
        with local(workers) as place, stages() as on_stage:

            def on_event(event: Event) -> None:
                on_stage("training", event.done, event.total)
                say(f"{event.done}/{event.total} {event.name}: {'not done: ' if event.failed else ''}{event.said}")

            run = Run(jobs, place, runs, end, on_event)
            try:
                run()
            finally:
                if pack:
                    runs.pack(pack, chosen.entries)
    for store in (runs.sets, runs.cells):
        for file in store.corrupt():
            say(f"{file} was no record; it was set aside, and what it was of done again")
    if run.failed:
        say(f"{len(run.failed)} steps were not done")
        raise typer.Exit(SKIPPED)
