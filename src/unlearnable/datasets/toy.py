"""Drawn shapes: a task for tests and first tries, ready in a second without any file."""

import numpy as np
import torch
from jaxtyping import UInt8
from numpy import ndarray

from unlearnable.datasets.base import datasets
from unlearnable.images.imageset import ImageSet
from unlearnable.options import PositiveInt, Seed


@datasets.register("toy")
class Toy:
    """Grey shapes of random polarity in noise, four classes: hard enough that a shortcut is easier.

    Attributes:
        count: number of pictures.
        size: side in pixels.
        seed: of everything.
    """

    count: PositiveInt = 1500
    size: PositiveInt = 16
    seed: Seed = 0

    def load(self) -> ImageSet:
        """Draw the pictures: a disc, a square, a cross or a triangle, anywhere, light or dark."""
        rng = np.random.default_rng(self.seed)
        labels = rng.integers(4, size=self.count)
        pictures = np.stack([_shape(int(label), self.size, rng) for label in labels])
        images = torch.from_numpy(pictures)[:, None].expand(-1, 3, -1, -1).contiguous()
        return ImageSet(images, torch.from_numpy(labels), ("disc", "square", "cross", "triangle"))


def _shape(label: int, size: int, rng: np.random.Generator) -> UInt8[ndarray, "h w"]:
    ys, xs = np.mgrid[0:size, 0:size]
    radius = rng.uniform(0.22, 0.32) * size
    x, y = xs - rng.uniform(radius, size - radius), ys - rng.uniform(radius, size - radius)
    inside = (
        np.hypot(x, y) < radius,
        np.maximum(abs(x), abs(y)) < radius * 0.85,
        (np.minimum(abs(x), abs(y)) < radius * 0.35) & (np.maximum(abs(x), abs(y)) < radius),
        (y < radius * 0.8) & (y > 2 * abs(x) - radius),
    )[label]
    grey = 128 + rng.choice((-1, 1)) * rng.uniform(30, 60) * inside + rng.normal(0, 15, (size, size))
    drawn: UInt8[ndarray, "h w"] = grey.clip(0, 255).astype(np.uint8)
    return drawn
