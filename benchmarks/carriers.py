"""Which waves a trainer learns from photographs on which they are hardly seen: no network, grey, a sign a picture.

    python benchmarks/carriers.py --photos ../shared/data/imagenette --periods 8 12 16 24 --out results/carriers.json

Each class has a wave of one period across 224 px and a direction of its own, mirror-symmetric, strongest where the
picture is busy (`hiding.masking`), and a sign that is drawn for every picture, so that no class's mean moves. All
pictures get the same RMS: the one at which SSIMULACRA2 of twenty of them is `--ssimulacra2` on average. One JSON object
a line, clean pictures first, and all of them in the file; a line is there as soon as it is measured, and the same
command goes on from there. Few pictures and epochs, one seed: a comparison, not a result.
"""

import argparse
import json
import math
import time
from dataclasses import replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from unlearnable.countermeasures import countermeasure_named
from unlearnable.datasets import load
from unlearnable.hiding.masking import activity
from unlearnable.images.budget import Budget
from unlearnable.images.imageset import ImageSet
from unlearnable.images.visibility import VisibilitySummary, spread_out, visibility
from unlearnable.storage.atomic import write
from unlearnable.training.loop import fit
from unlearnable.training.recipes import recipe_named
from unlearnable.victims.architectures import victim_named

LOOKED_AT = 20  # pictures at which the strength is found
HALVINGS = 5  # of the range of RMS
WEAKEST, STRONGEST = 1.0, 12.0  # RMS in grey levels


def wave(period: float, direction: float, height: int, width: int) -> Float[Tensor, "h w"]:
    """A product of cosines of mean square 1, so that a mirror image is the same; ``direction`` in radians."""
    x, y = (torch.arange(side) - (side - 1) / 2 for side in (width, height))
    turn = 2 * math.pi / period
    product = torch.cos(turn * math.sin(direction) * y)[:, None] * torch.cos(turn * math.cos(direction) * x)
    return product / product.square().mean().sqrt()


def changes(data: ImageSet, period: float) -> Float[Tensor, "n 1 h w"]:
    """The class's wave with the picture's sign, masked, at RMS 1."""
    height, width = data.images.shape[-2:]
    directions = torch.linspace(0, math.pi / 2, len(data.classes))
    waves = torch.stack([wave(period, float(angle), height, width) for angle in directions])
    signs = torch.randint(0, 2, (len(data),), generator=torch.Generator().manual_seed(0)) * 2.0 - 1
    masks = torch.cat([activity(chunk.float() / 255) for chunk in data.images.split(64)])
    change = masks * (signs[:, None, None] * waves[data.labels])[:, None]
    change -= change.mean((2, 3), keepdim=True)
    return change / change.square().mean((2, 3), keepdim=True).sqrt()


def published(data: ImageSet, change: Float[Tensor, "n 1 h w"], rms: float) -> ImageSet:
    """The pictures at this RMS, rounded."""
    budget = Budget(radius=rms)
    pictures = data.images.permute(0, 2, 3, 1).numpy()
    steps = (rms * change.expand(-1, 3, -1, -1)).permute(0, 2, 3, 1).numpy()
    kept = [torch.from_numpy(budget.project(*pair)) for pair in zip(pictures, steps, strict=True)]
    return replace(data, images=torch.stack(kept).permute(0, 3, 1, 2).contiguous())


def seen(data: ImageSet, made: ImageSet) -> VisibilitySummary:
    """What people see of the pictures."""
    pairs = zip(*(pictures.images.permute(0, 2, 3, 1).numpy() for pictures in (data, made)), strict=True)
    summary = VisibilitySummary.of([one for pair in pairs if (one := visibility(*pair))])
    assert summary
    return summary


def strength(data: ImageSet, change: Float[Tensor, "n 1 h w"], target: float) -> tuple[float, VisibilitySummary]:
    """The RMS at which SSIMULACRA2 of a sample is ``target`` on average, and what is seen of it."""
    sample = torch.tensor(spread_out(range(len(data)), LOOKED_AT))
    low, high = WEAKEST, STRONGEST
    for _ in range(HALVINGS):
        middle = math.sqrt(low * high)
        found = seen(data[sample], published(data[sample], change[sample], middle))
        low, high = (middle, high) if found.ssimulacra2_mean > target else (low, middle)
    return low, seen(data[sample], published(data[sample], change[sample], low))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", required=True, help="an `imagenet` folder, with train and val")
    parser.add_argument("--periods", type=float, nargs="+", default=[8, 12, 16, 24], help="in pixels of 224")
    parser.add_argument("--ssimulacra2", type=float, default=78.0, help="of the copies, on average")
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 96], help="at which is trained")
    parser.add_argument("--qualities", type=int, nargs="*", default=[50], help="of JPEG before that, beside none")
    parser.add_argument("--fraction", type=float, default=1.0, help="of the photographs")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--out", type=Path, required=True, help="JSON file for the lines")
    options = parser.parse_args()
    of = f"imagenet:root={options.photos},classes=10,size=224"
    train, test = load(f"{of},split=train,fraction={options.fraction}"), load(f"{of},split=val,fraction=1")
    recipe = replace(recipe_named("quick"), epochs=options.epochs, long_epochs=0)
    ways = [
        f"{way}size:pixels={size}"
        for size in options.sizes
        for way in ("", *(f"jpeg:quality={quality}+" for quality in options.qualities))
    ]
    lines = json.loads(options.out.read_text()) if options.out.exists() else []
    for period in (None, *options.periods):
        data, about = (
            train,
            {"period": period, "ssimulacra2": 100.0, "fraction": options.fraction, "epochs": options.epochs},
        )
        if period is not None:
            change = changes(train, period)
            rms, summary = strength(train, change, options.ssimulacra2)
            data = published(train, change, rms)
            about |= {
                "rms": round(rms, 2),
                "ssimulacra2": summary.ssimulacra2_mean,
                "lowest": summary.ssimulacra2_min,
                "flip": summary.flip_mean,
            }
        for way in ways:
            if any(line | about | {"way": way} == line for line in lines):
                continue
            start = time.perf_counter()
            done = fit(victim_named("resnet9"), data, test, countermeasure_named(way), recipe, seed=0)
            lines.append(
                about
                | {
                    "way": way,
                    "peak": round(done.peak, 4),
                    "final": round(done.final, 4),
                    "seconds": round(time.perf_counter() - start),
                }
            )
            print(json.dumps(lines[-1]), flush=True)
            write(options.out, json.dumps(lines, indent=1) + "\n")


if __name__ == "__main__":
    main()
