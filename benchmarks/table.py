"""How much faster a plan runs than its cells one by one, each a process of its own that begins from nothing.

    python benchmarks/table.py --out results/table.json

The plan runs once as `unlearnable bench --workers 2` runs it: a set is made once for all its cells, what a
countermeasure makes of it is kept, each process trains one victim on one core. Then every cell runs as a plan of its
own, in a new process with all cores, and an empty folder. The plan is the quick Table 1 with fewer pictures, so that
both end within an hour; rows whose optimisation takes as long however few pictures there are (SEM, REM) are left out,
since fewer pictures would make of them more of the whole than they are. One JSON object: seconds a cell both ways,
their ratio, and the overhead, which is whatever the processes' time was spent on that is neither training nor making a
set, in parts of the training.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from unlearnable.atomic import write
from unlearnable.bench.runs import Runs
from unlearnable.cells import versions

WORKERS = 2
FEW = ["vanilla", "jpeg:quality=10", "gray"]
ROWS = ("Clean", "LSP", "AR", "OPS", "EM", "TAP", "EM (S)", "CUDA", "EntF", "Deep Hiding (C)")


def smaller(plan: Path, per_class: int, rows: list[str]) -> dict[str, Any]:
    """The content of a plan of one grid: these rows, few columns, and so many pictures a class."""
    content = yaml.safe_load(plan.read_text())
    protections = {row: text for grid in content["grids"] for row, text in grid["protections"].items() if row in rows}
    (train,) = (sets["train"] for sets in content["data"].values())
    (test,) = (sets["test"] for sets in content["data"].values())
    data = {"train": train.replace("per_class=1000", f"per_class={per_class}"), "test": f"{test},per_class={per_class}"}
    kept = {name: content[name] for name in ("victims", "recipe", "seeds")}
    return kept | {"data": {"CIFAR-10": data}, "countermeasures": FEW, "protections": protections}


def alone(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A plan for each cell."""
    for row, protection in content["protections"].items():
        for countermeasure in content["countermeasures"]:
            yield content | {"protections": {row: protection}, "countermeasures": [countermeasure]}


def seconds(content: dict[str, Any], folder: Path, workers: int) -> float:
    """How long the command takes that runs a plan into ``folder``."""
    folder.mkdir()
    plan = folder / "plan.yaml"
    plan.write_text(yaml.safe_dump(content))
    words = [sys.executable, "-m", "unlearnable", "bench", plan, "--out", folder / "runs", "--workers", str(workers)]
    start = time.perf_counter()
    subprocess.run(words, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plan", type=Path, default=Path("plans/table1_quick.yaml"))
    parser.add_argument("--per-class", type=int, default=200)
    parser.add_argument("--rows", default=",".join(ROWS), help="of the plan")
    parser.add_argument("--out", type=Path, help="file for the result")
    options = parser.parse_args()
    content = smaller(options.plan, options.per_class, options.rows.split(","))
    with TemporaryDirectory() as work:
        ours = seconds(content, Path(work) / "all", WORKERS)
        runs = Runs(Path(work) / "all" / "runs")
        training = sum(result.seconds for result in runs.cells.all())
        making = sum(made.seconds for made in runs.sets.all())
        plain = [seconds(one, Path(work) / str(number), 1) for number, one in enumerate(alone(content))]
        devices = {result.device for result in runs.cells.all()}
    result = {
        "rows": list(content["protections"]),
        "per_class": options.per_class,
        "cells": len(plain),
        "workers": WORKERS,
        "seconds_per_cell": round(ours / len(plain), 2),
        "one_by_one_seconds_per_cell": round(sum(plain) / len(plain), 2),
        "ratio": round(sum(plain) / ours, 2),
        "overhead": round((WORKERS * ours - training - making) / training, 3),
        "device": ", ".join(sorted(devices)),
        "versions": versions(),
    }
    print(json.dumps(result))
    if options.out:
        write(options.out, json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
