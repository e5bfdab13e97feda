"""Small plans, and what comes out of them."""

from pathlib import Path

from unlearnable.bench.places import Here
from unlearnable.bench.plan import Plan
from unlearnable.bench.run import Run, jobs_of
from unlearnable.bench.runs import Runs

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


def ran(plan: Plan, folder: Path) -> Runs:
    """What is there when the plan has been run in this process."""
    runs = Runs(folder)
    run = Run(jobs_of(plan, runs), Here(), runs)
    run()
    assert not run.failed
    return runs
