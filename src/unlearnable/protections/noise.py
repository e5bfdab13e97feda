"""Gaussian noise of the budget's energy: the control that hides nothing.

What a budget costs a trainer by itself. In the class-wise setting the noise of a class is the same in all of its
pictures, which is a shortcut without meaning: the class-wise noise of "Unlearnable Examples: Making Personal Data
Unexploitable" (Huang, Ma, Erfani, Bailey and Wang, ICLR 2021, arXiv 2101.04898), their control, too.
"""

import math

import numpy as np
from jaxtyping import Float
from torch import Tensor

from unlearnable.budget import Budget
from unlearnable.images import ImageSet
from unlearnable.keys import Key
from unlearnable.protections.base import Protection, protections, stacked, variations


@protections.register("noise")
class Noise(Protection):
    """White Gaussian noise of the budget's radius as its RMS.

    Attributes:
        per: ``class`` for one noise in all pictures of a class, ``sample`` for another in each.
        budget: the RMS is that of ``rms``; the tails beyond a radius of ``linf`` are cut.
    """

    per: str = "class"
    budget: str = "rms:8"

    def perturb(self, data: ImageSet, seed: int) -> Float[Tensor, "n 3 h w"]:
        """Draw the noise of every picture from a key made from ``seed``."""
        key, shape, radius = Key.of_seed(seed), data.images.shape[1:], Budget.parse(self.budget).radius
        pairs = variations(data, self.per)
        return radius * stacked(lambda label, variation: _noise(key.rng("noise", label, variation), shape), pairs)


def _noise(rng: np.random.Generator, shape: tuple[int, ...]) -> Float[np.ndarray, "3 h w"]:
    """Noise of RMS 1, exactly."""
    noise = rng.standard_normal(shape, dtype=np.float32)
    scaled: Float[np.ndarray, "3 h w"] = noise * (math.sqrt(noise.size) / np.linalg.norm(noise))
    return scaled
