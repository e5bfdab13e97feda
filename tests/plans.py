"""Small plans, and what comes out of them."""

from collections.abc import Callable
from pathlib import Path

from unlearnable.bench.plan import Plan
from unlearnable.bench.plan_steps import steps_of
from unlearnable.bench.scheduler import Scheduler, StepUpdate
from unlearnable.bench.store import RunFolder
from unlearnable.bench.timing import StepTimes
from unlearnable.bench.workers import InProcess

TOY = """
title: toys
data:
  toy: {train: "toy:count=64", test: "toy:count=40,seed=1"}
victims: ["resnet9:width=4"]
recipe: "quick:epochs=1"
countermeasures: [vanilla, "jpeg:quality=50"]
"""


def read(folder: Path, text: str, name: str = "toy") -> Plan:
    """The plan of this text."""
    file = folder / f"{name}.yaml"
    file.write_text(text)
    return Plan.read(file)


def ended(updates: list[StepUpdate]) -> Callable[[StepUpdate], None]:
    """Collects what a run tells of the steps that have ended, or will not begin."""
    return lambda update: update.state == "begun" or updates.append(update)


def ran(plan: Plan, folder: Path) -> RunFolder:
    """What is there when the plan has been run in this process."""
    runs = RunFolder(folder)
    run = Scheduler(steps_of(plan, runs), InProcess(), StepTimes.of(runs))
    run.run()
    assert not run.failed
    return runs
