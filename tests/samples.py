"""Small pictures and small networks for tests."""

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
