"""Publication of a stego picture, simulated differentiably: what happens between hiding and revealing.

The network must put the secret where publishing leaves it: the perturbation is scaled into the budget, a
photograph is larger than the working size (the perturbation is interpolated up and comes back through a
reduction), a grey picture stays grey, and a file holds eight bits a channel. The paper trains without any of
this and reveals from unrounded floats.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from unlearnable.hiding.masking import FULL, SMALL
from unlearnable.images.imageset import Images


@dataclass(frozen=True)
class Publication:
    """How often each thing happens, a batch at a time.

    Attributes:
        eps: budget, RMS in grey levels of 255.
        enlarge: probability that the picture is larger than the working size.
        largest: the largest such enlargement.
        grey: probability that the pictures are grey.
        weakest: least part of the change with which pictures of `FULL` px are published.
    """

    eps: float = 8.0
    enlarge: float = 0.1
    largest: float = 4.0
    grey: float = 0.02
    weakest: float = 1.0

    def __call__(self, stego: Images, cover: Images, generator: torch.Generator) -> Images:
        """Publish ``stego`` and read it back at the working size; gradients pass straight through rounding."""
        enlarge, grey, scale, strength = torch.rand(4, generator=generator).tolist()
        change = stego - cover
        if enlarge < self.enlarge:
            change = _there_and_back(change, 1 + (self.largest - 1) * scale)
        if grey < self.grey:
            change = change.mean(1, keepdim=True).expand_as(change)
        # The square root comes after the clamp: at a perturbation of zero its gradient would be infinite.
        rms = change.square().flatten(1).mean(1).mul(255**2).clamp_min(self.eps**2).sqrt()
        change = change * (self.eps / rms)[:, None, None, None] * self._part(strength, min(cover.shape[-2:]))
        published = (cover + change).clamp(0, 1)
        return published + ((published * 255).round() / 255 - published).detach()

    def _part(self, drawn: float, side: int) -> float:
        """The part of the change that is published: down to ``weakest`` at `FULL` px, all of it at `SMALL`."""
        small = min(1.0, max(0.0, (FULL - side) / (FULL - SMALL)))
        least = self.weakest + (1 - self.weakest) * small
        return least + (1 - least) * drawn


def _there_and_back(change: Tensor, scale: float) -> Tensor:
    height, width = change.shape[-2:]
    large = (round(height * scale), round(width * scale))
    enlarged = F.interpolate(change, size=large, mode="bicubic", antialias=False)
    return F.interpolate(enlarged, size=(height, width), mode="bicubic", antialias=True)
