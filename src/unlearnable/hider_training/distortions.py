"""What a trainer may do to published pictures, differentiably: a hidden picture must be there afterwards.

The countermeasures of `unlearnable.countermeasures` answer in 8 bits and have no gradient. These are the same
operations on pictures in [0, 1]; rounding passes its gradient straight through.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from unlearnable.hiding.masking import luma
from unlearnable.images.imageset import Images
from unlearnable.images.jpeg import jpeg

TRAINED_AT = 64  # px, to which trainers reduce photographs

Operation = Callable[[Images, torch.Generator], Images]


@dataclass(frozen=True)
class Distortion:
    """One operation, drawn for the whole batch; its strength is drawn, too.

    Attributes:
        share: of the batches that are distorted at all.
    """

    share: float = 0.9

    def __call__(self, published: Images, generator: torch.Generator) -> Images:
        """Distort pictures (n, 3, h, w) in [0, 1]."""
        if _uniform(generator) >= self.share:
            return published
        operation = list(OPERATIONS.values())[int(torch.multinomial(WEIGHTS, 1, generator=generator))][1]
        return operation(published, generator)


def jpeg_compressed(pictures: Images, generator: torch.Generator) -> Images:
    """JPEG, each picture at its own quality from 10 to 90, half of them at 30 or less."""
    drawn = torch.rand(len(pictures), generator=generator)
    return jpeg(pictures, (10 + 80 * drawn**2).long().to(pictures.device))


def mean_filtered(pictures: Images, generator: torch.Generator) -> Images:
    """Mean over 3x3."""
    return F.avg_pool2d(F.pad(pictures, (1, 1, 1, 1), mode="reflect"), 3, stride=1)


def median_filtered(pictures: Images, generator: torch.Generator) -> Images:
    """Median over 3x3."""
    height, width = pictures.shape[-2:]
    padded = F.pad(pictures, (1, 1, 1, 1), mode="replicate")
    shifted = [padded[..., y : y + height, x : x + width] for y in range(3) for x in range(3)]
    return torch.stack(shifted).median(0).values


def blurred(pictures: Images, generator: torch.Generator) -> Images:
    """Gaussian over 5x5, its sigma from 0.4 to 1.2 px."""
    from torchvision.transforms.v2 import functional as V

    softened: Tensor = V.gaussian_blur(pictures, [5, 5], [0.4 + 0.8 * _uniform(generator)])
    return softened


def greyed(pictures: Images, generator: torch.Generator) -> Images:
    """Luma in all three colours."""
    return luma(pictures).expand_as(pictures)


def posterised(pictures: Images, generator: torch.Generator) -> Images:
    """The highest two to four bits, mostly two, as the paper does."""
    levels = 2 ** (2 + int(3 * _uniform(generator) ** 2))
    lowered = (pictures * 255 / 256 * levels).floor() / levels * 256 / 255
    passed: Tensor = pictures + (lowered - pictures).detach()
    return passed


def noised(pictures: Images, generator: torch.Generator) -> Images:
    """Gaussian noise of a standard deviation up to the paper's 0.1."""
    noise = torch.randn(pictures.shape, generator=generator).to(pictures.device)
    return (pictures + 0.1 * _uniform(generator) * noise).clamp(0, 1)


def resized(pictures: Images, generator: torch.Generator) -> Images:
    """Reduced to between a half (large ones to `TRAINED_AT` px) and nine tenths of the side, and enlarged again."""
    height, width = pictures.shape[-2:]
    least = min(0.5, TRAINED_AT / min(height, width))
    factor = least + (0.9 - least) * _uniform(generator)
    small = (max(1, round(height * factor)), max(1, round(width * factor)))
    reduced = F.interpolate(pictures, small, mode="bicubic", antialias=True)
    enlarged: Tensor = F.interpolate(reduced, (height, width), mode="bicubic")
    return enlarged.clamp(0, 1)


OPERATIONS: dict[str, tuple[float, Operation]] = {
    "jpeg": (5, jpeg_compressed),
    "mean": (1, mean_filtered),
    "median": (1, median_filtered),
    "blur": (1, blurred),
    "grey": (0.5, greyed),
    "bits": (1.5, posterised),
    "noise": (1.5, noised),
    "resize": (1, resized),
}  # weights, of how often each is drawn: JPEG is the hardest
WEIGHTS = torch.tensor([weight for weight, _ in OPERATIONS.values()])


def _uniform(generator: torch.Generator) -> float:
    return float(torch.rand((), generator=generator))
