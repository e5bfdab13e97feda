"""Small pictures and small networks for tests."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from unlearnable.hiding.network import Hider


def random_hider(blocks: int = 2, growth: int = 4, scale: float = 0.02, **config: Any) -> Hider:
    """A small network that is not the identity."""
    torch.manual_seed(1)
    hider = Hider(blocks, growth, **config)
    for name, parameter in hider.named_parameters():
        if ".convs.4." in name:
            torch.nn.init.normal_(parameter, std=scale)
    return hider.eval()


def picture(seed: int = 0, width: int = 40, height: int = 30) -> Image.Image:
    """A smooth random RGB picture."""
    grid = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC)


def opened(file) -> Image.Image:
    """A picture file's picture, with the file closed again."""
    with Image.open(file) as image:
        image.load()
        return image


def red_and_blue(place: Path, count: int) -> None:
    """A folder of two class folders, each with so many pictures of noise of its own colour."""
    rng = np.random.default_rng(0)
    for name, colour in {"red": (200, 90, 90), "blue": (90, 90, 200)}.items():
        (place / name).mkdir(parents=True)
        for number in range(count):
            noise = rng.normal(colour, 40, (40, 48, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(noise).save(place / name / f"{number}.png")
