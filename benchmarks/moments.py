"""What a random sign a picture does to a class's pattern, and what second moments see: vanilla, orthogonal, covariance.

A pattern of long and short waves a class (benchmarks/patterns.py), grey, at RMS 8, turned around in every other
picture at random, so that no class's mean moves. One JSON object a line, that of clean pictures first, and all of
them in the file. Few pictures and epochs make it a comparison, not a result.

    python benchmarks/moments.py --cifar10 ../shared/data/cifar10 --per-class 300 --out results/moments.json
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import torch
from patterns import PATTERNS, unit
from torch import Tensor

from unlearnable.countermeasures import countermeasure_named
from unlearnable.datasets import load
from unlearnable.images.budget import Budget
from unlearnable.images.imageset import ImageSet
from unlearnable.storage.atomic import write
from unlearnable.training.loop import fit
from unlearnable.training.recipes import recipe_named
from unlearnable.victims.architectures import victim_named

ROWS = (
    ("clean", "vanilla"),
    ("clean", "covariance:directions=2"),
    ("random sign", "vanilla"),
    ("random sign", "orthogonal"),
    ("random sign", "covariance:directions=2"),
    ("random sign", "covariance"),
)


def random_signs(data: ImageSet, patterns: Tensor) -> ImageSet:
    """The pictures with plus or minus their class's pattern, inside RMS 8."""
    signs = torch.randint(0, 2, (len(data), 1, 1, 1), generator=torch.Generator().manual_seed(0)) * 2 - 1
    changes = 8 * signs * unit(patterns)[data.labels]
    budget = Budget()
    pairs = zip(*(pictures.permute(0, 2, 3, 1).numpy() for pictures in (data.images, changes)), strict=True)
    kept = torch.stack([torch.from_numpy(budget.project(picture, change)) for picture, change in pairs])
    return replace(data, images=kept.permute(0, 3, 1, 2).contiguous())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cifar10", default="../shared/data/cifar10")
    parser.add_argument("--per-class", type=int, default=1000, help="training pictures a class")
    parser.add_argument("--epochs", type=int, default=7)
    parser.add_argument("--out", type=Path, required=True, help="JSON file for the lines")
    options = parser.parse_args()
    root = options.cifar10
    clean = load(f"cifar10:root={root},split=train,per_class={options.per_class}")
    test = load(f"cifar10:root={root},split=test,per_class=200")
    sets = {"clean": clean, "random sign": random_signs(clean, PATTERNS["long and short waves"]())}
    recipe = replace(recipe_named("quick"), epochs=options.epochs)
    lines = []
    for name, spec in ROWS:
        start = time.perf_counter()
        done = fit(victim_named("resnet9"), sets[name], test, countermeasure_named(spec), recipe, seed=0)
        line = {"trained_on": name, "countermeasure": spec, "per_class": options.per_class, "epochs": options.epochs}
        line |= {"peak": round(done.peak, 4), "final": round(done.final, 4)}
        lines.append(line | {"seconds": round(time.perf_counter() - start, 1)})
        print(json.dumps(lines[-1]), flush=True)
    write(options.out, json.dumps(lines, indent=1) + "\n")


if __name__ == "__main__":
    main()
