"""Set one pixel to one colour in all pictures of a class (OPS: Wu, Chen, Xie and Huang, ICLR 2023, arXiv 2205.12141).

"One-Pixel Shortcut: On the Learning Preference of Deep Neural Networks": their search over all pixels and colours,
in closed form.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from unlearnable.images import ImageSet
from unlearnable.protections.base import Protection, protections

COLOURS = 8  # black, white and all whose values are 0 or 255
CHUNK = 64  # pictures that are summed at a time: sums of so many squares are whole numbers in single precision, too


@protections.register("ops")
class OPS(Protection):
    """The pixel and the colour that differ most, and most evenly, from a class's pictures; no two classes share both.

    The paper divides by a variance, the authors' code by a standard deviation; so does this.

    Attributes:
        budget: ``l0:1``, one pixel; of ``l0`` the radius is the number of pixels that are set in each picture (the
            authors' sparsity). Under another norm it is one (`strength`).
    """

    budget: str = "l0:1"

    def perturb(self, data: ImageSet, seed: int) -> Float[Tensor, "n 3 h w"]:
        """Classes choose in the order of their labels; nothing is drawn."""
        colours = 255 * _colours(data.images.device)
        taken = torch.zeros(COLOURS, *data.images.shape[-2:], dtype=torch.bool, device=data.images.device)
        nothing = np.zeros(data.images.shape, np.float32)  # the system's zeros: torch would write them all
        change = torch.from_numpy(nothing).to(data.images.device)
        for label in data.labels.unique().tolist():
            own = (data.labels == label).nonzero().flatten()
            for colour, row, column in self._choose(scores(data.images, own), taken, label):
                change[own, :, row, column] = (colours[colour] - data.images[own, :, row, column]).float()
        return change

    def _choose(
        self, scores: Float[Tensor, "8 h w"], taken: Bool[Tensor, "8 h w"], label: int
    ) -> list[tuple[int, int, int]]:
        """Colours and pixels of one class, which are taken from then on."""
        free, chosen = scores.masked_fill(taken, -1), []
        for _ in range(int(self.strength)):
            score, place = free.flatten().max(0)
            if score < 0:
                raise ValueError(
                    f"expected a colour of {int(self.strength)} pixels for every class that no other has, got pictures "
                    f"of {scores.shape[2]}x{scores.shape[1]} px, which are used up by {label} classes; use larger "
                    "pictures, fewer classes or fewer pixels"
                )
            colour, row, column = (int(index) for index in torch.unravel_index(place, scores.shape))
            taken[colour, row, column] = True
            free[:, row, column] = -1
            chosen.append((colour, row, column))
        return chosen


def scores(images: UInt8[Tensor, "n 3 h w"], places: Int64[Tensor, " m"]) -> Float[Tensor, "8 h w"]:
    """Mean over standard deviation, over some pictures and all channels, of a colour's distance from each pixel.

    As a colour's values are 0 or 255, the distance is the pixel's value or what it lacks of 255, and the sums of values
    and of their squares give all scores, exactly. Where the distance is the same everywhere, the mean decides alone.
    """
    total, squares = torch.zeros(2, *images.shape[1:], dtype=torch.int64, device=images.device)
    for chunk in places.split(CHUNK):
        values = images.index_select(0, chunk).float()
        total += values.sum(0).long()
        squares += values.square_().sum(0).long()
    count = len(places)
    lit = _colours(images.device)[..., None, None].bool()
    distance = torch.where(lit, 255 * count - total, total).sum(1)
    energy = torch.where(lit, 255**2 * count - 510 * total + squares, squares).sum(1)
    spread = (3 * count * energy - distance.square()).double().sqrt()  # 3 n times the deviation, distance of the mean
    return distance / spread.clamp(min=1e-6)


def _colours(device: torch.device) -> Int64[Tensor, "8 3"]:
    """All corners of the colour cube."""
    return torch.cartesian_prod(*[torch.arange(2, device=device)] * 3)
