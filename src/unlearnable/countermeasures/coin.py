"""COIN: every pixel is taken from a random place near its own (Li et al., AAAI 2025, arXiv 2311.18403)."""

import torch
from torch import Tensor
from torch.nn import functional as F

from unlearnable.images.imageset import Images
from unlearnable.options import NonNegativeFloat
from unlearnable.training.countermeasure import Countermeasure, Targets, countermeasures


@countermeasures.register("coin")
class RandomInterpolation(Countermeasure):
    """Offsets across and down drawn for each pixel, the same in all channels; bilinear, each border goes on opposite.

    Anew at every step, after crop and flip, as in the authors' code, which cuts fractions of grey levels off, too.

    Attributes:
        alpha: largest offset in pixels (authors: 2.0, the fourth of their seven).
    """

    alpha: NonNegativeFloat = 2.0

    @property
    def changes_nothing(self) -> bool:
        """No offset."""
        return self.alpha == 0

    def augment(self, images: Images, targets: Targets) -> tuple[Images, Targets]:
        """Draw and interpolate."""
        if self.changes_nothing:  # to the last digit
            return images, targets
        height, width = images.shape[-2:]
        device = images.device
        size = torch.tensor([width, height], device=device)
        down, across = torch.meshgrid(
            torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij"
        )
        offsets = torch.empty(len(images), height, width, 2, device=device).uniform_(-self.alpha, self.alpha)
        places = (torch.stack([across, down], -1) + offsets).remainder(size)
        round_about = F.pad(images, (0, 1, 0, 1), mode="circular")
        moved: Tensor = F.grid_sample(round_about, 2 * places / size - 1, padding_mode="border", align_corners=True)
        return moved, targets
