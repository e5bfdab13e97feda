"""Gaussian noise of the budget's energy: the control that hides nothing.

What a budget costs a trainer by itself. In the class-wise setting the noise of a class is the same in all of its
pictures, which is a shortcut without meaning: the class-wise noise of "Unlearnable Examples: Making Personal Data
Unexploitable" (Huang, Ma, Erfani, Bailey and Wang, ICLR 2021, arXiv 2101.04898), their control, too.
"""

import math

import numpy as np
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from unlearnable.keys import Key
from unlearnable.options import Per
from unlearnable.protections.base import Perturber, Streaming, protections, stacked, variations


@protections.register("noise")
class Noise(Streaming):
    """White Gaussian noise, whose RMS is `strength`.

    Attributes:
        per: ``class`` for one noise in all pictures of a class, ``sample`` for another in each.
        budget: the RMS is that of ``rms``; the tails beyond a radius of ``linf`` are cut.
    """

    per: Per = "class"
    budget: str = "rms:8"

    def perturber(self, classes: int, seed: int) -> Perturber:
        """Draw the noise of every picture from a key made from ``seed``."""
        key, radius = Key.of_seed(seed), self.radius

        def perturb(
            pictures: UInt8[Tensor, "n 3 h w"], labels: Int64[Tensor, " n"], numbers: Int64[Tensor, " n"]
        ) -> Float[Tensor, "n 3 h w"]:
            pairs, shape = variations(labels, numbers, self.per), pictures.shape[1:]
            return radius * stacked(lambda label, number: _noise(key.rng("noise", label, number), shape), pairs)

        return perturb


def _noise(rng: np.random.Generator, shape: tuple[int, ...]) -> Float[np.ndarray, "3 h w"]:
    """Noise of RMS 1, exactly."""
    noise = rng.standard_normal(shape, dtype=np.float32)
    scaled: Float[np.ndarray, "3 h w"] = noise * (math.sqrt(noise.size) / np.linalg.norm(noise))
    return scaled
