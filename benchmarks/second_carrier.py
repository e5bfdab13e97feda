"""What a second carrier beside the hidden picture does, inside one budget: another protection's change, at a share.

    python benchmarks/second_carrier.py --sets deep_hiding deep_hiding+cuda@0.3 deep_hiding:stamp=0.33 \
        --countermeasures vanilla "at:steps=1,step=10" --out results/second_carrier.json

CIFAR-10, 1,000 pictures a class, RMS 8, `resnet9`, the quick recipe, 2,000 test pictures, one seed. In `a+b@SHARE` both
changes are brought to the whole budget and mixed so that the second has that share of the energy. One JSON object a
line: the set, RMS of the published pictures, countermeasure, final and peak test accuracy; all of them in the file, a
line as soon as it is measured, and the same command goes on from there.
"""

import argparse
import math
from functools import cache
from pathlib import Path

from lines import Lines
from torch import Tensor

from unlearnable.countermeasures import countermeasure_named
from unlearnable.datasets import load
from unlearnable.hiding.targeting import scaled
from unlearnable.images.budget import Budget
from unlearnable.images.imageset import ImageSet
from unlearnable.protections.base import protection_named
from unlearnable.storage.provenance import __version__
from unlearnable.training.loop import fit
from unlearnable.training.recipes import recipe_named
from unlearnable.victims.architectures import victim_named


def at_full_budget(changes: Tensor, radius: float) -> Tensor:
    """Without a mean (a cast would be seen and not learnt), at an RMS of ``radius``."""
    return scaled(changes - changes.mean((2, 3), keepdim=True), radius)


def published(data: ImageSet, name: str) -> ImageSet:
    """The set of a protection, or of two with the second's share of the energy."""
    hidden, _, second = name.partition("+")
    protection = protection_named(hidden)
    changes = protection.changes(data, 0)
    if second:
        carrier, _, share = second.rpartition("@")
        others, radius = protection_named(carrier).changes(data, 0), Budget.parse(protection.budget).radius
        parts = (changes, 1 - float(share)), (others, float(share))
        changes = sum(math.sqrt(part) * at_full_budget(change, radius) for change, part in parts)
    return protection.publish(data, changes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cifar10", default="../shared/data/cifar10")
    parser.add_argument("--sets", nargs="+", default=["deep_hiding", "deep_hiding+cuda@0.3"])
    parser.add_argument("--countermeasures", nargs="+", default=["vanilla", "at:steps=1,step=10"])
    parser.add_argument("--out", type=Path, required=True, help="JSON file for the lines")
    options = parser.parse_args()
    train, test = (
        load(f"cifar10:root={options.cifar10},split={split},per_class={count}")
        for split, count in (("train", 1000), ("test", 200))
    )
    lines = Lines(options.out)
    made = cache(lambda name: published(train, name))
    for name in options.sets:
        for spec in options.countermeasures:
            what = {"set": name, "countermeasure": spec, "unlearnable": __version__}
            if lines.has(what):
                continue
            rms = (made(name).images.float() - train.images.float()).square().mean().sqrt().item()
            done = fit(
                victim_named("resnet9"), made(name), test, countermeasure_named(spec), recipe_named("quick"), seed=0
            )
            lines.add(what | {"rms": round(rms, 2), "final": round(done.final, 4), "peak": round(done.peak, 4)})


if __name__ == "__main__":
    main()
