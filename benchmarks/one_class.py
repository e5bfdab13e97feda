"""What a probe of a frozen backbone knows of one class whose pictures alone are protected, among nine that are not.

    python benchmarks/one_class.py --photos ../shared/data/imagenette --out results/one_class.json

Ten ImageNet classes at 224 px; the pictures of one of them are protected as a folder of one class, against backbones,
and all others are clean. The trainer fits a last layer on frozen EfficientNet-Lite1, which nothing was made against.
Stated: the share of clean test pictures of that class that he gets right (its recall), and of all ten classes (his
accuracy). One JSON object a line of the file, for each class and protection; clean pictures are the protection `clean`.
A line is there as soon as it is measured, and the same command goes on from there. One seed.
"""

import argparse
import time
from dataclasses import asdict, replace
from pathlib import Path

import torch
from lines import Lines

from unlearnable.bench.sets import SetQuality
from unlearnable.compute.devices import best_device, name_of
from unlearnable.countermeasures import countermeasure_named
from unlearnable.datasets import load
from unlearnable.images.imageset import ImageSet
from unlearnable.protections import protection_named
from unlearnable.storage.provenance import __version__
from unlearnable.training.loop import fit
from unlearnable.training.recipes import recipe_named
from unlearnable.victims.architectures import victim_named

PROBE = "probe:weights=efficientnet_lite1"
WAYS = (PROBE, f"jpeg:quality=75+{PROBE}")
PROTECTIONS = ("clean", "deep_hiding:strength=standard,pull=0.9", "deep_hiding:strength=strong,pull=0.9")


def published(train: ImageSet, label: int, name: str) -> tuple[ImageSet, dict[str, object]]:
    """All pictures, those of one class protected; and how."""
    if name == "clean":
        return train, {}
    places, protection = torch.nonzero(train.labels == label)[:, 0], protection_named(name)
    alone = ImageSet(train.images[places], torch.zeros(len(places), dtype=torch.int64), (train.classes[label],))
    made, images = protection(alone, 0), train.images.clone()
    images[places] = made.images
    return replace(train, images=images), {"measured": asdict(SetQuality.of(protection.budget, alone, made))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", required=True, help="an `imagenet` folder, with train and val")
    parser.add_argument("--classes", nargs="+", type=int, default=[0, 4, 7], help="that are protected, one by one")
    parser.add_argument("--protections", nargs="+", default=PROTECTIONS)
    parser.add_argument("--ways", nargs="+", default=WAYS, help="countermeasures")
    parser.add_argument("--fraction", type=float, default=0.16, help="of the photographs of each class")
    parser.add_argument("--out", type=Path, required=True, help="JSON file for the lines")
    options = parser.parse_args()
    of = f"imagenet:root={options.photos},classes=10,size=224"
    train, test = load(f"{of},split=train,fraction={options.fraction}"), load(f"{of},split=val,fraction=1")
    lines = Lines(options.out)
    for name in options.protections:
        for label in options.classes:
            what = {"protection": name, "class": label, "fraction": options.fraction, "version": __version__}
            todo = [way for way in options.ways if not lines.has(what | {"way": way})]
            if not todo:
                continue
            data, done = published(train, label, name)
            for way in todo:
                start, recipe = time.perf_counter(), recipe_named("quick")
                found = fit(victim_named("resnet9"), data, test, countermeasure_named(way), recipe, seed=0)
                right = found.confusion.diagonal()
                line = (
                    what | done | {"way": way, "recall": round(float(right[label] / found.confusion[label].sum()), 4)}
                )
                line |= {"accuracy": round(found.final, 4), "seconds": round(time.perf_counter() - start)}
                lines.add(line | {"device": name_of(best_device())})


if __name__ == "__main__":
    main()
