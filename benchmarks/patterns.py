"""What patterns without any network do to a trainer at RMS 8: which waves a secret needs.

One fixed pattern a class, or the drawings themselves (``first drawings``; ``second drawings``, with a sign in every
picture; ``stretched drawings``, those with waves of the key's own lengths, on 32 px, too): their waves, in the colours
and the places where a network hides them that hides perfectly.

One JSON object a line: pattern, countermeasure, final and peak test accuracy. Six epochs of the quick recipe and 2,000
test pictures make it a comparison, not a result.

    python benchmarks/patterns.py --cifar10 ../shared/data/cifar10 --patterns blocks,waves --countermeasures gray
"""

import argparse
import json
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from unlearnable.countermeasures import countermeasure_named
from unlearnable.datasets import load
from unlearnable.hider_training.losses import waves_in_planes
from unlearnable.hiding.masking import PLANES_POWER, masked
from unlearnable.images.budget import Budget
from unlearnable.images.imageset import ImageSet
from unlearnable.keys import Key
from unlearnable.semantics.assignment import contrary, evenly, mean_spectrum, spectrum
from unlearnable.semantics.render import FIRST, SECOND, THIRD, Style, slowest_wave
from unlearnable.semantics.secrets import RenderedSecrets
from unlearnable.training.loop import fit
from unlearnable.training.recipes import recipe_named
from unlearnable.victims.architectures import victim_named

SIDE, CLASSES = 32, 10
LONG = [(2, 0), (0, 2), (2, 2), (3, 0), (0, 3), (3, 1), (1, 3), (2, 1), (1, 2), (1, 1)]
SHORT = [(5, 0), (0, 5), (4, 4), (4, 2), (2, 4), (5, 2), (2, 5), (4, 0), (0, 4), (5, 5)]


def waves(codes: list[tuple[int, int]]) -> Tensor:
    """Products of cosines; a code of 1 is a wave of 16 px, of 2 one of 8 px: the cosines of JPEG's blocks."""
    phase = (torch.arange(SIDE) + 0.5 - SIDE / 2) * math.pi / 8
    across, down = (
        torch.cos(phase[None] * torch.tensor(codes)[:, :1]),
        torch.cos(phase[None] * torch.tensor(codes)[:, 1:]),
    )
    return grey(down[:, :, None] * across[:, None])


def grey(planes: Tensor) -> Tensor:
    return planes[:, None].expand(-1, 3, -1, -1)


def unit(patterns: Tensor) -> Tensor:
    return patterns / patterns.square().mean((1, 2, 3), keepdim=True).sqrt()


def blocks() -> Tensor:
    """Plus and minus one on blocks of 8x8."""
    signs = torch.randint(0, 2, (CLASSES, 4, 4), generator=torch.Generator().manual_seed(0)) * 2.0 - 1
    return grey(signs.repeat_interleave(8, 1).repeat_interleave(8, 2))


def scattered() -> Tensor:
    """The long waves of all classes, with signs that change from block to block."""
    signs = torch.randint(0, 2, (CLASSES, len(LONG), 4, 4), generator=torch.Generator().manual_seed(0)) * 2.0 - 1
    return torch.einsum("kwyx,wcyx->kcyx", signs.repeat_interleave(8, 2).repeat_interleave(8, 3), unit(waves(LONG)))


def coloured() -> Tensor:
    """The long waves, two thirds of their energy in luma, one third red against green or blue against yellow."""
    hues = torch.tensor([[1.0, -0.5, -0.02], [-0.15, -0.3, 1.6]])
    hues -= (hues @ torch.tensor([0.299, 0.587, 0.114]))[:, None]
    hues /= hues.square().mean(1, keepdim=True).sqrt()
    tint = hues[torch.arange(CLASSES) % 2][:, :, None, None]
    return math.sqrt(0.65) * unit(waves(LONG)) + math.sqrt(0.35) * unit(waves(LONG)) * tint


PATTERNS: dict[str, Callable[[], Tensor]] = {
    "none": lambda: torch.zeros(CLASSES, 3, SIDE, SIDE),
    "blocks": blocks,
    "scattered": scattered,
    "long waves": lambda: waves(LONG),
    "short waves": lambda: waves(SHORT),
    "long and short waves": lambda: math.sqrt(0.6) * unit(waves(LONG)) + math.sqrt(0.4) * unit(waves(SHORT)),
    "coloured waves": coloured,
}
STYLES = {
    "first drawings": FIRST,
    "second drawings": SECOND,
    "stretched drawings": replace(THIRD, light=0.0, small=SIDE // 2),
}


def drawn(data: ImageSet, style: Style) -> Tensor:
    """What a perfect network would add to each picture: its drawing's waves, where and in the colours it hides them."""
    secrets = RenderedSecrets(Key.of_seed(0), style)
    chosen = [evenly((data.labels == label).nonzero().flatten().tolist(), 200) for label in range(CLASSES)]
    spectra = [mean_spectrum(spectrum(data.images[index].numpy()) for index in indices) for indices in chosen]
    numbers = contrary(spectra, secrets, SIDE, SIDE)
    drawings = [
        secrets.draw(numbers[label], secrets.index(0, label, place), SIDE, SIDE)
        for place, label in enumerate(data.labels.tolist())
    ]
    waves = waves_in_planes(torch.from_numpy(np.stack(drawings)) / 255, slowest_wave(SIDE, SIDE, style))
    return masked(waves, data.images / 255, PLANES_POWER)


def published(data: ImageSet, patterns: Tensor) -> ImageSet:
    """The pictures with their changes, inside RMS 8."""
    changes = (unit(patterns).nan_to_num() * 8).permute(0, 2, 3, 1).numpy()
    pictures = data.images.permute(0, 2, 3, 1).contiguous().numpy()
    budget = Budget()
    kept = [budget.project(*pair) for pair in zip(pictures, changes, strict=True)]
    return replace(data, images=torch.from_numpy(np.stack(kept)).permute(0, 3, 1, 2).contiguous())


def changes_named(name: str, data: ImageSet) -> Tensor:
    """One change a picture."""
    return PATTERNS[name]()[data.labels] if name in PATTERNS else drawn(data, STYLES[name])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cifar10", default="../shared/data/cifar10")
    parser.add_argument("--patterns", default=",".join([*PATTERNS, *STYLES]))
    parser.add_argument("--countermeasures", default="gray,median,jpeg:quality=50,jpeg:quality=10")
    parser.add_argument("--epochs", type=int, default=6)
    options = parser.parse_args()
    root = options.cifar10
    train = load(f"cifar10:root={root},split=train,per_class=1000")
    test = load(f"cifar10:root={root},split=test,per_class=200")
    for name in options.patterns.split(","):
        data = published(train, changes_named(name, train))
        for spec in options.countermeasures.split(","):
            recipe = replace(recipe_named("quick"), epochs=options.epochs)
            done = fit(victim_named("resnet9"), data, test, countermeasure_named(spec), recipe, seed=0)
            row = {"pattern": name, "countermeasure": spec, "final": round(done.final, 4), "peak": round(done.peak, 4)}
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
