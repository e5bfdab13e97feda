"""How much faster a plan runs than its cells one by one, each a process of its own that begins from nothing.

    python benchmarks/table.py --out results/table.json

The plan runs once as `unlearnable bench --workers 2` runs it, but for the start of the first process: a set is made
once for all its cells, each process trains one victim on one core. Then every cell runs as a plan of its own, in a new
process with all cores, and an empty folder. The plan is the quick Table 1 with fewer pictures, so that both end within
an hour; rows whose optimisation takes as long however few pictures there are (SEM, REM) are left out, since fewer
pictures would make of them more of the whole than they are.

One JSON object: seconds a cell both ways, and their ratio; the overhead of the cells, which is what the plan's
processes took for them beside training, their own start included, in parts of the training; and idle, the part of the
processes' time in which they had nothing to do. What has been measured is kept in `--work`: a benchmark that was killed
goes on from there.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import yaml

from unlearnable.bench.cell import Result
from unlearnable.bench.plan import Plan
from unlearnable.bench.plan_steps import steps_of
from unlearnable.bench.scheduler import Scheduler
from unlearnable.bench.store import RunFolder
from unlearnable.bench.timing import StepTimes
from unlearnable.bench.workers import Processes, ending
from unlearnable.storage.atomic import write
from unlearnable.storage.provenance import versions

WORKERS = 2
FEW = ["vanilla", "jpeg:quality=10", "gray"]
ROWS = ("Clean", "LSP", "AR", "OPS", "EM", "TAP", "EM (S)", "CUDA", "EntF", "Deep Hiding (C)")


class Timed(Processes):
    """Notes of every step that is done its answer and the seconds from its beginning to that."""

    def __init__(self, slots: int) -> None:
        super().__init__(slots)
        self.took: list[tuple[Any, float]] = []

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """See `Processes`."""
        start = time.perf_counter()
        future = super().submit(function, *arguments)
        future.add_done_callback(lambda done: self._note(done, time.perf_counter() - start))
        return future

    def _note(self, done: Future[Any], seconds: float) -> None:
        if not done.cancelled() and not done.exception():
            self.took.append((done.result(), seconds))


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


def together(plan: Path, out: Path) -> dict[str, Any]:
    """Run a plan as the command does, in this process and its workers."""
    start = time.perf_counter()
    runs = RunFolder(out)
    with ending(Timed(WORKERS)) as executor:
        scheduler = Scheduler(steps_of(Plan.read(plan), runs), executor, StepTimes.of(runs))
        scheduler.run()
    if scheduler.failed:
        raise SystemExit("; ".join(map(str, scheduler.failed.values())))
    trained = [(answer[0], took) for answer, took in executor.took if isinstance(answer, tuple)]
    cells = [(record.seconds, took) for record, took in trained if isinstance(record, Result)]
    return {
        "seconds": time.perf_counter() - start,
        "training": sum(seconds for seconds, _ in cells),
        "cell_seconds": sum(took for _, took in cells),
        "steps": sum(took for _, took in executor.took),
        "device": ", ".join(sorted({result.device for result in runs.cells.all()})),
    }


def process(plan: Path, out: Path) -> dict[str, Any]:
    """Run a plan by the command, in a process of its own."""
    start = time.perf_counter()
    words = [sys.executable, "-m", "unlearnable", "bench", plan, "--out", out, "--workers", "1"]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return {"seconds": time.perf_counter() - start}


def measured(how: Callable[[Path, Path], dict[str, Any]], content: dict[str, Any], work: Path) -> dict[str, Any]:
    """What was measured of a plan in ``work`` by the same versions; else it runs now, in an empty folder there."""
    text = yaml.safe_dump(content, sort_keys=False)
    folder = work / hashlib.sha256(f"{how.__name__} {versions()} {text}".encode()).hexdigest()[:12]
    kept = folder / "measured.json"
    if not kept.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        plan, out = folder / "plan.yaml", folder / "runs"
        plan.write_text(text)
        write(kept, json.dumps(how(plan, out)))
        shutil.rmtree(out, ignore_errors=True)
    answer: dict[str, Any] = json.loads(kept.read_text())
    return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plan", type=Path, default=Path("plans/table1_quick.yaml"))
    parser.add_argument("--per-class", type=int, default=200)
    parser.add_argument("--rows", default=",".join(ROWS), help="of the plan")
    parser.add_argument("--work", type=Path, default=Path("runs/table"), help="folder for what has been measured")
    parser.add_argument("--out", type=Path, help="file for the result")
    options = parser.parse_args()
    content = smaller(options.plan, options.per_class, options.rows.split(","))
    ours = measured(together, content, options.work)
    plain = [measured(process, one, options.work)["seconds"] for one in alone(content)]
    result = {
        "rows": list(content["protections"]),
        "per_class": options.per_class,
        "cells": len(plain),
        "workers": WORKERS,
        "seconds_per_cell": round(ours["seconds"] / len(plain), 2),
        "one_by_one_seconds_per_cell": round(sum(plain) / len(plain), 2),
        "ratio": round(sum(plain) / ours["seconds"], 2),
        "overhead": round(ours["cell_seconds"] / ours["training"] - 1, 3),
        "idle": round(1 - ours["steps"] / (WORKERS * ours["seconds"]), 3),
        "device": ours["device"],
        "versions": versions(),
    }
    print(json.dumps(result))
    if options.out:
        write(options.out, json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
