"""What a command costs before its work begins, against what no program of its kind can do without.

    python benchmarks/startup.py --out results/startup.json

`ratio_protect` is the time of `unlearnable protect` on one small photo, against that of `python -c "import torch"` and
that of hiding itself: the second of two calls of `protect_folder` in one process. The command measures what people see,
too; these calls do not. `ratio_help` is the time of `unlearnable --help` against that of the help of a typer program
with one command. Everything runs in new processes of one thread each, as two wait for each other where the cores are
busy, one kind after the other, so many rounds after one to warm up; what counts is the median of each kind. The last
line is one JSON object.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import median

from PIL import Image
from sklearn.datasets import load_sample_images

from unlearnable.storage.atomic import write

SIZE = (224, 150)
HIDE = """
import sys, time
from unlearnable import protect_folder
for call in "12":
    start = time.perf_counter()
    protect_folder(sys.argv[1], sys.argv[2] + call, key=sys.argv[3], visibility=0)
print(time.perf_counter() - start)
"""
LEAST_HELP = "import typer; app = typer.Typer(); app.command()(lambda: None); app(['--help'])"


def python(*words: str | Path) -> str:
    """What Python prints to the standard output in a process of its own."""
    alone = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *words], env=alone, capture_output=True, text=True, check=True).stdout


def seconds(*words: str | Path) -> float:
    """How long Python takes, its own start included."""
    start = time.perf_counter()
    python(*words)
    return time.perf_counter() - start


def medians(kinds: dict[str, Callable[[Path], float]], rounds: int) -> dict[str, float]:
    """The median of each kind of seconds; every one is measured with a new folder."""
    measured: dict[str, list[float]] = {kind: [] for kind in kinds}
    for turn in range(rounds + 1):
        for kind, measure in kinds.items():
            with tempfile.TemporaryDirectory() as folder:
                took = measure(Path(folder))
            if turn:
                measured[kind].append(took)
    return {kind: median(values) for kind, values in measured.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, help="file for the result")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        photos, key = Path(folder) / "photos", Path(folder) / "key"
        photos.mkdir()
        Image.fromarray(load_sample_images().images[0]).resize(SIZE).save(photos / "photo.jpg")
        command = ("-m", "unlearnable")
        took = medians(
            {
                "torch": lambda _: seconds("-c", "import torch"),
                "protect": lambda work: seconds(*command, "protect", photos, work / "out", "--key", key),
                "hiding": lambda work: float(python("-c", HIDE, photos, work / "out", key)),
                "least_help": lambda _: seconds("-c", LEAST_HELP),
                "help": lambda _: seconds(*command, "--help"),
            },
            options.rounds,
        )
    result = {
        **{f"{kind}_seconds": round(value, 3) for kind, value in took.items()},
        "rounds": options.rounds,
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "torch": version("torch"),
        "ratio_protect": round(took["protect"] / (took["torch"] + took["hiding"]), 2),
        "ratio_help": round(took["help"] / took["least_help"], 2),
    }
    if options.out:
        write(options.out, json.dumps(result, indent=2) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
