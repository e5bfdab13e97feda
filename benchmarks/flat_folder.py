"""What a trainer with labels of his own gets from a flat folder: all pictures one class, or grouped by what they show.

    python benchmarks/flat_folder.py --photos ../shared/data/imagenette --out results/flat_folder.json

Ten ImageNet classes at 224 px are protected as if nobody had said which picture is of which class: under one secret, or
under one a group, as many groups as are asked for or as the pictures suggest. The trainer has the ten true labels,
reduces the pictures to 64 px and trains `resnet9` from scratch, as in plans/strengths_quick.yaml. Beside it clean
pictures, and the same protection that was told the true classes. One JSON object a line of the file; a line is there as
soon as it is measured, and the same command goes on from there. Beside the file stands the table: means over the seeds
of the training, of which `--seeds` says how many.
"""

import argparse
import time
from collections import Counter
from dataclasses import asdict, replace
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from statistics import mean

import numpy as np
import torch
from lines import Lines

from unlearnable.bench.sets import SetQuality
from unlearnable.compute.devices import best_device, name_of
from unlearnable.countermeasures import countermeasure_named
from unlearnable.datasets import load
from unlearnable.folder.grouping import AT_ONCE, SEEN_BY, Groups, look_of
from unlearnable.images.imageset import ImageSet
from unlearnable.protections import protection_named
from unlearnable.storage.atomic import write
from unlearnable.storage.provenance import __version__, file_fingerprint
from unlearnable.training.loop import fit
from unlearnable.training.recipes import recipe_named
from unlearnable.victims.architectures import victim_named

RECIPE, WAY = "quick:epochs=12,long_epochs=0", "size:pixels=64"
WAYS = ("groups:10", "one", "groups:20", "groups:5", "auto", "classes", "clean")


@lru_cache
def seen(train: ImageSet) -> np.ndarray:
    """Features of the pictures."""
    look = look_of(SEEN_BY, best_device())
    return np.concatenate([look(pictures) for pictures in train.images.split(AT_ONCE)])


def grouped(train: ImageSet, way: str) -> ImageSet:
    """The pictures under the labels that the protection is told."""
    _, _, count = way.partition(":")
    if way == "classes":
        return train
    if way == "one":
        return replace(train, labels=torch.zeros_like(train.labels), classes=(".",))
    groups = Groups.of(SEEN_BY, seen(train), int(count) if count else None)
    labels = [groups.names.index(name) for name in groups.nearest(seen(train))]
    return replace(train, labels=torch.tensor(labels), classes=tuple(groups.names))


def purity(train: ImageSet, told: ImageSet) -> float:
    """The share of pictures that are of the commonest true class of their group."""
    pairs = Counter(zip(told.labels.tolist(), train.labels.tolist(), strict=True))
    commonest: dict[int, int] = {}
    for (group, _), count in pairs.items():
        commonest[group] = max(commonest.get(group, 0), count)
    return round(sum(commonest.values()) / len(train), 4)


def protected(train: ImageSet, way: str, strength: str) -> tuple[ImageSet, dict[str, object]]:
    """What is published, under the true labels, and what was done to the pictures."""
    if way == "clean":
        return train, {}
    start, protection = time.perf_counter(), protection_named(f"deep_hiding:strength={strength}")
    told = grouped(train, way)
    made = protection(told, 0)
    line = {
        "groups": len(told.classes),
        "sizes": sorted(Counter(told.labels.tolist()).values(), reverse=True),
        "purity": purity(train, told),
        "measured": asdict(SetQuality.of(protection.budget, train, made)),
        "files": file_fingerprint(protection.find_files()),
        "hiding_seconds": round(time.perf_counter() - start),
    }
    return replace(train, images=made.images), line


def trained(published: ImageSet, test: ImageSet, seed: int) -> dict[str, object]:
    """What a trainer gets."""
    done = fit(victim_named("resnet9"), published, test, countermeasure_named(WAY), recipe_named(RECIPE), seed=seed)
    epochs = [round(epoch.test_accuracy, 4) for epoch in done.epochs]
    return {"peak": round(done.peak, 4), "final": round(done.final, 4), "epochs": epochs}


def table(lines: list[dict[str, object]]) -> str:
    """The lines in Markdown; accuracies in percent."""
    rows = [
        "| told to the protection | groups | purity | SSIMULACRA2 | seeds | last epoch | best epoch |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    same = itemgetter("way", "strength", "fraction", "version")
    for of_way in ([line for line in lines if same(line) == one] for one in dict.fromkeys(map(same, lines))):
        line, quality = of_way[0], of_way[0].get("measured") or {}
        seen_as = f"{quality['visibility']['ssimulacra2_mean']:.1f}" if quality else ""
        pure = f"{line['purity']:.2f}" if quality else ""
        final, peak = (f"{100 * mean(line[name] for line in of_way):.1f}" for name in ("final", "peak"))
        what = f"`{line['way']}` | {line.get('groups', '')} | {pure} | {seen_as}"
        rows.append(f"| {what} | {len(of_way)} | {final} | {peak} |")
    return "\n".join(rows) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", required=True, help="an `imagenet` folder, with train and val")
    parser.add_argument("--ways", nargs="+", default=WAYS, help="one, classes, clean, auto, groups:N")
    parser.add_argument("--fraction", type=float, default=1.0, help="of the photographs of each class")
    parser.add_argument("--strength", default="standard")
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each")
    parser.add_argument("--out", type=Path, required=True, help="JSON file for the lines")
    options = parser.parse_args()
    of = f"imagenet:root={options.photos},classes=10,size=224"
    train, test = load(f"{of},split=train,fraction={options.fraction}"), load(f"{of},split=val,fraction=1")
    lines = Lines(options.out)
    for way in options.ways:
        what = {"way": way, "strength": options.strength, "fraction": options.fraction, "version": __version__}
        seeds = [{"seed": seed} for seed in range(options.seeds)]
        if not (todo := [seed for seed in seeds if not lines.has(what | seed)]):
            continue
        published, done = protected(train, way, options.strength)
        for seed in todo:
            start = time.perf_counter()
            found = done | trained(published, test, **seed) | {"seconds": round(time.perf_counter() - start)}
            lines.add(what | seed | found | {"device": name_of(best_device())})
            write(options.out.with_suffix(".md"), table(lines.measured))


if __name__ == "__main__":
    main()
