"""Set one pixel to one colour in all pictures of a class (OPS: Wu, Chen, Xie and Huang, ICLR 2023, arXiv 2205.12141).

"One-Pixel Shortcut: On the Learning Preference of Deep Neural Networks": their search over all pixels and colours,
in closed form.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, UInt8
from numpy import ndarray
from torch import Tensor

from unlearnable.compute.devices import at_once
from unlearnable.images.imageset import ImageSet
from unlearnable.protections.base import Protection, protections

COLOURS = np.array(list(np.ndindex(2, 2, 2))) * 255  # black, white and all whose values are 0 or 255
CHUNK = 256  # pictures that are summed at a time, at most: single precision holds the sum of so many squares exactly


@protections.register("ops")
class OPS(Protection):
    """The pixel and the colour that differ most, and most evenly, from a class's pictures; no two classes share both.

    The paper divides by a variance, the authors' code by a standard deviation; so does this.

    Attributes:
        budget: ``l0:1``, one pixel; of ``l0`` the radius is the number of pixels that are set in each picture (the
            authors' sparsity). Under another norm it is one (`strength`).
    """

    budget: str = "l0:1"

    def check_serves(self, data: ImageSet, seed: int) -> None:
        """See `Protection`: there must be as many colours of pixels as all classes take."""
        super().check_serves(data, seed)
        (height, width), pixels = data.images.shape[-2:], int(self.radius)
        most = len(COLOURS) * height * width // pixels if pixels <= height * width else 0
        if len(data.classes) > most:
            raise self._too_few(height, width, most)

    def perturb(self, data: ImageSet, seed: int) -> Float[Tensor, "n 3 h w"]:
        """Classes choose in the order of their labels; nothing is drawn. Half precision holds every change."""
        images, labels = data.images.cpu().numpy(), data.labels.cpu().numpy()
        count, _, height, width = images.shape
        taken = np.zeros((len(COLOURS), height, width), bool)
        change = np.zeros((count, height, width, 3), np.float16)  # channels last, as they are published
        for label in np.unique(labels).tolist():
            own = np.flatnonzero(labels == label)
            for colour, row, column in self._choose(scores(images, own), taken, label):
                change[own, row, column] = COLOURS[colour] - images[own, :, row, column]
        return torch.from_numpy(change).permute(0, 3, 1, 2)

    def _choose(
        self, scores: Float[ndarray, "8 h w"], taken: Bool[ndarray, "8 h w"], label: int
    ) -> list[tuple[int, int, int]]:
        """Colours and pixels of one class, which are taken from then on."""
        free, chosen = np.where(taken, -1, scores), []
        for _ in range(int(self.radius)):
            colour, row, column = map(int, np.unravel_index(free.argmax(), free.shape))
            if free[colour, row, column] < 0:
                raise self._too_few(scores.shape[1], scores.shape[2], label)
            taken[colour, row, column] = True
            free[:, row, column] = -1
            chosen.append((colour, row, column))
        return chosen

    def _too_few(self, height: int, width: int, served: int) -> ValueError:
        return ValueError(
            f"expected a colour of {int(self.radius)} pixels for every class that no other has, got pictures of "
            f"{width}x{height} px, which are enough for {served} classes; use larger pictures, fewer classes or fewer "
            "pixels"
        )


def scores(images: UInt8[ndarray, "n 3 h w"], places: Int64[ndarray, " m"]) -> Float[ndarray, "8 h w"]:
    """Mean over standard deviation, over some pictures and all channels, of a colour's distance from each pixel.

    As a colour's values are 0 or 255, the distance is the pixel's value or what it lacks of 255, and the sums of values
    and of their squares give all scores, exactly. Where the distance is the same everywhere, the mean decides alone.
    """
    total, squares = sums(images, places)
    count, lit = len(places), COLOURS[..., None, None] > 0
    distance = np.where(lit, 255 * count - total, total).sum(1)
    energy = np.where(lit, 255**2 * count - 510 * total + squares, squares).sum(1)
    spread = np.sqrt(3 * count * energy - distance**2)  # 3 n times the deviation, as distance is 3 n times the mean
    scored: Float[ndarray, "8 h w"] = distance / spread.clip(min=1e-6)
    return scored


def sums(images: UInt8[ndarray, "n 3 h w"], places: Int64[ndarray, " m"]) -> Int64[ndarray, "2 3 h w"]:
    """Of some pictures' values, and of their squares; whole numbers, but BLAS is fastest at adding floats."""
    flat, size = images.reshape(len(images), -1), min(CHUNK, at_once(images))
    added = np.zeros((2, flat.shape[1]))
    for start in range(0, len(places), size):
        values = flat[places[start : start + size]].astype(np.float32)
        ones = np.ones(len(values), np.float32)
        added[0] += ones @ values
        added[1] += ones @ np.square(values, out=values)
    return added.astype(np.int64).reshape(2, *images.shape[1:])
