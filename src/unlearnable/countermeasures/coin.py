"""COIN: every pixel is taken from a random place near its own (Li et al., AAAI 2025, arXiv 2311.18403)."""

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from unlearnable.images.imageset import Images8, ImageSet, to_bytes
from unlearnable.options import NonNegativeFloat
from unlearnable.training.countermeasure import Countermeasure, Knowledge, countermeasures

CHUNK_VALUES = 1 << 22  # of the pictures that are interpolated at once


@countermeasures.register("coin")
class RandomInterpolation(Countermeasure):
    """Offsets across and down drawn for each pixel, the same in all channels; bilinear, the border repeated.

    Once, before the training, on the training pictures alone: they are what the paper corrupts.

    Attributes:
        alpha: largest offset in pixels (paper: 2.0).
    """

    alpha: NonNegativeFloat = 2.0

    @property
    def changes_nothing(self) -> bool:
        """No offset."""
        return self.alpha == 0

    def purify(self, data: ImageSet, knowledge: Knowledge) -> ImageSet:
        """Draw and interpolate."""
        generator = torch.Generator().manual_seed(knowledge.seed)
        count = max(1, CHUNK_VALUES // data.images[0].numel())
        moved = [self._interpolated(chunk, generator) for chunk in data.images.split(count)]
        return replace(data, images=torch.cat(moved))

    def _interpolated(self, images: Images8, generator: torch.Generator) -> Images8:
        height, width = images.shape[-2:]
        offsets = self.alpha * (2 * torch.rand(len(images), height, width, 2, generator=generator) - 1)
        down, across = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        places = (torch.stack([across, down], -1) + offsets).to(images.device)
        unit = 2 * places / torch.tensor([max(width - 1, 1), max(height - 1, 1)], device=images.device) - 1
        moved: Tensor = F.grid_sample(images.float(), unit, padding_mode="border", align_corners=True)
        return to_bytes(moved)
