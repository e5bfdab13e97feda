"""Which carriers a trainer learns from photographs on which they are hardly seen: one wave a class, or other features.

    python benchmarks/carriers.py --photos ../shared/data/imagenette --out results/carriers.json \
        --carriers wave:period=12 wave:period=12,colour=yellow-blue,sign=random

A ``wave`` of a class has a direction of its own across 224 px, and one colour, strongest where the picture is busy;
``features`` pull each picture's to those of another class, against pretrained backbones (`hiding.targeting`), and
``scratch`` the answers of a network that has learnt the originals. What is ``hidden`` by the weights of a generation is
a carrier, too. All pictures get the same strength: the one at which SSIMULACRA2 of twenty of them is `--ssimulacra2` on
average. Carriers joined with `+` are added before that, each so many ``times`` as strong as its RMS would be alone. One
JSON object a line, clean pictures first, and all of them in the file; a line is there as soon as it is measured, and
the same command goes on from there.
Few pictures and epochs, one seed: a comparison, not a result.
"""

import argparse
import math
import time
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from lines import Lines
from torch import Tensor
from torch.nn import functional as F

from unlearnable.compute.devices import best_device
from unlearnable.countermeasures import countermeasure_named
from unlearnable.datasets import load
from unlearnable.hiding.masking import luma
from unlearnable.hiding.surrogates import SURROGATES, Surrogate
from unlearnable.hiding.targeting import Targeting, pairs_of, scaled
from unlearnable.images.budget import Budget
from unlearnable.images.imageset import ImageSet
from unlearnable.images.ssimulacra2 import Ssimulacra2
from unlearnable.images.visibility import VisibilitySummary, continued, spread_out, visibility
from unlearnable.keys import Key
from unlearnable.options import NonNegativeFloat, PositiveFloat, PositiveInt
from unlearnable.protections.base import protection_named
from unlearnable.protections.learnt import Learnt
from unlearnable.registry import Registry
from unlearnable.training.loop import fit
from unlearnable.training.recipes import recipe_named
from unlearnable.victims.architectures import victim_named

LOOKED_AT = 20  # pictures at which the strength is found
HALVINGS = 8  # of the range of strengths
WEAKEST, STRONGEST = 0.5, 32.0  # RMS in grey levels, over all pictures
TRAINED_AT = 64  # px, at which what is left is stated
COLOURS = {
    "luma": (1.0, 1.0, 1.0),
    "red": (1.0, 0.0, 0.0),
    "green": (0.0, 1.0, 0.0),
    "blue": (0.0, 0.0, 1.0),
    "red-green": (1.0, -0.509, 0.0),  # the luma of both is zero
    "yellow-blue": (-0.129, -0.129, 1.0),
}

CARRIERS: Registry["Wave | Features | Scratch | Hidden"] = Registry("carriers")


@CARRIERS.register("wave")
class Wave:
    """One wave a class.

    Attributes:
        period: px of 224.
        colour: in which it is.
        sign: of a class, or another for every picture, so that no class's mean moves.
        power: of the local deviation of luma.
        even: whether every picture has as much of it, or busy ones more.
    """

    period: PositiveFloat = 12.0
    colour: Literal["luma", "red", "green", "blue", "red-green", "yellow-blue"] = "luma"
    sign: Literal["fixed", "random"] = "random"
    power: NonNegativeFloat = 1.7
    even: bool = True

    def changes(self, data: ImageSet) -> Float[Tensor, "n 3 h w"]:
        """Of all pictures, at RMS 1 over all of them."""
        height, width = data.images.shape[-2:]
        directions = torch.linspace(0, math.pi / 2, len(data.classes))
        waves = torch.stack([wave(self.period, float(angle), height, width) for angle in directions])
        signs = torch.ones(len(data))
        if self.sign == "random":
            signs = torch.randint(0, 2, (len(data),), generator=torch.Generator().manual_seed(0)) * 2.0 - 1
        weights = torch.cat([busy(chunk.float()) for chunk in data.images.split(64)]) ** self.power
        change = weights * (signs[:, None, None] * waves[data.labels])[:, None]
        change -= change.mean((2, 3), keepdim=True)
        change = change * torch.tensor(COLOURS[self.colour])[:, None, None]
        over = (1, 2, 3) if self.even else (0, 1, 2, 3)
        return change / change.square().mean(over, keepdim=True).sqrt()


@CARRIERS.register("features")
class Features:
    """Pulled features, of `SURROGATES`.

    Attributes:
        steps: of every picture.
        power: of the mask.
        times: how strong beside others.
    """

    steps: PositiveInt = 36
    power: NonNegativeFloat = 0.7
    times: PositiveFloat = 1.0

    def changes(self, data: ImageSet) -> Float[Tensor, "n 3 h w"]:
        """Of all pictures, at the same RMS of each."""
        classes, device = len(data.classes), best_device()
        surrogates = [Surrogate.of(name, data.images, data.labels, classes, device) for name in SURROGATES]
        pull = Targeting(
            surrogates, pairs_of(Key.of_seed(0), classes).to(device), 0, steps=self.steps, power=self.power
        )
        change = pull(data.images, torch.zeros(data.images.shape), data.labels)
        return scaled(change, self.times)


@CARRIERS.register("scratch")
class Scratch:
    """Away from what a network trained from scratch at 64 px has learnt of them (`protections.learnt`).

    Attributes:
        network: a victim's name.
        steps: of every picture.
        power: of the mask.
        times: how strong beside others.
    """

    network: str = "resnet9"
    steps: PositiveInt = 36
    power: NonNegativeFloat = 0.7
    times: PositiveFloat = 1.0

    def changes(self, data: ImageSet) -> Float[Tensor, "n 3 h w"]:
        """Of all pictures, at the same RMS of each."""
        device, pairs = best_device(), pairs_of(Key.of_seed(0), len(data.classes))
        learnt = Learnt.of(self.network, data, 1, device)
        pull = Targeting([learnt], pairs.to(device), 0, steps=self.steps, power=self.power)
        return scaled(pull(data.images, torch.zeros(data.images.shape), data.labels), self.times)


@CARRIERS.register("hidden")
class Hidden:
    """Secrets, as a network hides them.

    Attributes:
        weights: of the network, as `deep_hiding` takes them.
    """

    weights: str = ""

    def changes(self, data: ImageSet) -> Float[Tensor, "n 3 h w"]:
        """Of all pictures, at RMS 1 over all of them."""
        change = protection_named("deep_hiding" + (f":weights={self.weights}" if self.weights else "")).changes(data, 0)
        return change / change.square().mean().sqrt()


def wave(period: float, direction: float, height: int, width: int) -> Float[Tensor, "h w"]:
    """A product of cosines of mean square 1, so that a mirror image is the same; ``direction`` in radians."""
    x, y = (torch.arange(side) - (side - 1) / 2 for side in (width, height))
    turn = 2 * math.pi / period
    product = torch.cos(turn * math.sin(direction) * y)[:, None] * torch.cos(turn * math.cos(direction) * x)
    return product / product.square().mean().sqrt()


def busy(pictures: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 1 h w"]:
    """The deviation of luma around each place, in grey levels, at least one."""
    plane = luma(pictures)
    mean = F.avg_pool2d(plane, 5, 1, 2, count_include_pad=False)
    variance = F.avg_pool2d(plane.square(), 5, 1, 2, count_include_pad=False) - mean.square()
    return F.avg_pool2d(variance.clamp_min(0).sqrt(), 5, 1, 2, count_include_pad=False) + 1


def published(data: ImageSet, change: Float[Tensor, "n 3 h w"], strength: float) -> ImageSet:
    """The pictures with so many times the change, rounded."""
    budget = Budget("linf", 255)
    pictures = data.images.permute(0, 2, 3, 1).numpy()
    steps = (strength * change).permute(0, 2, 3, 1).numpy()
    kept = [torch.from_numpy(budget.project(*pair)) for pair in zip(pictures, steps, strict=True)]
    return replace(data, images=torch.stack(kept).permute(0, 3, 1, 2).contiguous())


def score(originals: Ssimulacra2, made: ImageSet) -> float:
    """SSIMULACRA2 of the pictures, on average."""
    return float(originals(whole(made)).mean())


def whole(data: ImageSet) -> Float[Tensor, "n 3 h w"]:
    """The pictures in [0, 1], `continued` so that all scales are there."""
    pictures = (torch.from_numpy(continued(picture)) for picture in data.images.permute(0, 2, 3, 1).numpy())
    return torch.stack([*pictures]).permute(0, 3, 1, 2).float() / 255


def seen(data: ImageSet, made: ImageSet) -> VisibilitySummary:
    """What people see of the pictures."""
    pairs = zip(*(pictures.images.permute(0, 2, 3, 1).numpy() for pictures in (data, made)), strict=True)
    summary = VisibilitySummary.of([one for pair in pairs if (one := visibility(*pair))])
    assert summary
    return summary


def strength(data: ImageSet, change: Float[Tensor, "n 3 h w"], target: float) -> tuple[float, VisibilitySummary]:
    """How many times the change makes SSIMULACRA2 of a sample ``target`` on average, and what is seen of it."""
    sample = torch.tensor(spread_out(range(len(data)), LOOKED_AT))
    few = replace(data, images=data.images[sample], labels=data.labels[sample])
    originals = Ssimulacra2(whole(few))
    low, high = WEAKEST, STRONGEST
    for _ in range(HALVINGS):
        middle = math.sqrt(low * high)
        enough = score(originals, published(few, change[sample], middle)) > target
        low, high = (middle, high) if enough else (low, middle)
    return low, seen(few, published(few, change[sample], low))


def left(data: ImageSet, made: ImageSet) -> dict[str, float]:
    """RMS of the change in grey levels, as published and at the size at which is trained."""
    sizes = {"rms": None, "rms_trained": TRAINED_AT}
    found = {}
    for name, size in sizes.items():
        total = 0.0
        for before, after in zip(data.images.split(64), made.images.split(64), strict=True):
            change = after.float() - before.float()
            if size:
                change = F.interpolate(change, (size, size), mode="bilinear", antialias=True)
            total += float(change.square().mean((1, 2, 3)).sum())
        found[name] = round(math.sqrt(total / len(data)), 2)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", required=True, help="an `imagenet` folder, with train and val")
    parser.add_argument("--carriers", nargs="+", default=[f"wave:period={period}" for period in (8, 12, 16, 24)])
    parser.add_argument("--ssimulacra2", type=float, default=78.0, help="of the copies, on average")
    parser.add_argument("--ways", nargs="+", default=["size:pixels=64"], help="countermeasures")
    parser.add_argument("--fraction", type=float, default=0.4, help="of the photographs")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--out", type=Path, required=True, help="JSON file for the lines")
    options = parser.parse_args()
    of = f"imagenet:root={options.photos},classes=10,size=224"
    train, test = load(f"{of},split=train,fraction={options.fraction}"), load(f"{of},split=val,fraction=1")
    made = cache(lambda part: CARRIERS.make(part).changes(train))
    recipe = replace(recipe_named("quick"), epochs=options.epochs, long_epochs=0)
    lines = Lines(options.out)
    for spec in ("", *options.carriers):
        what = {"carrier": spec, "fraction": options.fraction, "epochs": options.epochs}
        what |= {"target": options.ssimulacra2} if spec else {}
        todo = [way for way in options.ways if not lines.has(what | {"way": way})]
        if not todo:
            continue
        data = train
        if spec:
            change = torch.stack([made(part) for part in spec.split("+")]).sum(0)
            times, summary = strength(train, change, options.ssimulacra2)
            data = published(train, change, times)
            what |= left(train, data) | {"visibility": asdict(summary)}
        for way in todo:
            start = time.perf_counter()
            done = fit(victim_named("resnet9"), data, test, countermeasure_named(way), recipe, seed=0)
            measured = {"way": way, "peak": round(done.peak, 4), "final": round(done.final, 4)}
            lines.add(what | measured | {"seconds": round(time.perf_counter() - start)})


if __name__ == "__main__":
    main()
