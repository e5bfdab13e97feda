"""What drawings of another style leave a trainer of photographs: that of `semantics.render.FOURTH`, with parts changed.

    python benchmarks/drawings.py --photos ../shared/data/imagenette --styles "" growth=0.15 \
        --ways size:pixels=96 jpeg:quality=50+size:pixels=96 --seeds 3 --out results/drawings.json

Ten ImageNet classes at 224 px, 250 a class, published at `standard` by the weights that ship; `resnet9`, twelve epochs.
One JSON object a line: the style's change, RMS of the published pictures, the way to the trainer, seed, final and peak
test accuracy; all of them in the file, a line as soon as it is measured, and the same command goes on from there.
"""

import argparse
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from lines import Lines

from unlearnable.countermeasures import countermeasure_named
from unlearnable.datasets import load
from unlearnable.images.imageset import ImageSet
from unlearnable.protections.base import protection_named
from unlearnable.semantics.render import FOURTH, STYLES
from unlearnable.storage.provenance import __version__
from unlearnable.training.loop import fit
from unlearnable.training.recipes import recipe_named
from unlearnable.victims.architectures import victim_named

PROTECTION, RECIPE = "deep_hiding:strength=standard", "quick:epochs=12,long_epochs=0"


def parts(text: str) -> dict[str, float]:
    """``growth=0.15,stretch=0.2`` as attributes of a style, of those that are one number."""
    return {name: float(value) for name, _, value in (part.partition("=") for part in text.split(",") if part)}


def published(data: ImageSet, changed: str) -> ImageSet:
    """The set that hides drawings of that style."""
    STYLES[FOURTH.version] = replace(FOURTH, **parts(changed))
    try:
        return protection_named(PROTECTION)(data, seed=0)
    finally:
        STYLES[FOURTH.version] = FOURTH


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", required=True)
    parser.add_argument("--fraction", default="1", help="of the photographs to train on")
    parser.add_argument("--styles", nargs="+", default=["", "growth=0.15"])
    parser.add_argument("--ways", nargs="+", default=["size:pixels=96", "jpeg:quality=50+size:pixels=96"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, required=True, help="JSON file for the lines")
    options = parser.parse_args()
    train, test = (
        load(f"imagenet:root={options.photos},split={split},classes=10,fraction={fraction},size=224")
        for split, fraction in (("train", options.fraction), ("val", "1"))
    )
    lines = Lines(options.out)
    made = lru_cache(1)(lambda changed: published(train, changed))
    for changed in options.styles:
        for way in options.ways:
            for seed in range(options.seeds):
                what = {"style": changed, "fraction": options.fraction, "way": way, "seed": seed}
                what["unlearnable"] = __version__
                if lines.has(what):
                    continue
                pictures = made(changed)
                rms = (pictures.images.float() - train.images.float()).square().mean().sqrt().item()
                victim, recipe = victim_named("resnet9"), recipe_named(RECIPE)
                done = fit(victim, pictures, test, countermeasure_named(way), recipe, seed=seed)
                lines.add(what | {"rms": round(rms, 2), "final": round(done.final, 4), "peak": round(done.peak, 4)})


if __name__ == "__main__":
    main()
