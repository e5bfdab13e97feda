"""Patterns that are drawn class by class and added whatever a picture shows: one normal draw a number, in bulk."""

import math
from abc import abstractmethod
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from numpy import ndarray
from torch import Tensor

from unlearnable.protections.base import Perturber, Streaming

Draw = Callable[
    [Int64[ndarray, " n"], Int64[ndarray, " n"], int, int], Float[Tensor, "n 3 h w"]
]  # labels, numbers, height, width: patterns of any scale


class Patterned(Streaming):
    """A protection that adds a pattern, whose RMS is `strength`."""

    @abstractmethod
    def drawing(self, classes: int, seed: int) -> Draw:
        """What draws the patterns of pictures of one size.

        Raises:
            ValueError: see `Streaming.perturber`.
        """

    def perturber(self, classes: int, seed: int) -> Perturber:
        """Draw the patterns and scale each of them."""
        draw = self.drawing(classes, seed)

        def perturb(
            images: UInt8[Tensor, "n 3 h w"], labels: Int64[Tensor, " n"], numbers: Int64[Tensor, " n"]
        ) -> Float[Tensor, "n 3 h w"]:
            patterns = draw(labels.cpu().numpy(), numbers.cpu().numpy(), *images.shape[-2:]).contiguous()
            norms = torch.linalg.vector_norm(patterns, dim=(1, 2, 3), keepdim=True)
            return patterns.mul_(self.strength * math.sqrt(patterns[0].numel()) / norms)

        return perturb


def by_class(
    labels: Int64[ndarray, " n"], count: int, values: Callable[[int, Int64[ndarray, " m"]], Float[ndarray, "m count"]]
) -> Float[Tensor, "n count"]:
    """So many values for each picture, made class by class from label and places."""
    made = np.empty((len(labels), count), np.float32)
    for label in np.unique(labels).tolist():
        places = np.flatnonzero(labels == label)
        made[places] = values(label, places)
    return torch.from_numpy(made)


def normals(rng: np.random.Generator, numbers: Int64[ndarray, " n"], count: int) -> Float[ndarray, "n count"]:
    """As many standard normal values for each number, which are the same whichever others are asked for.

    A generator a number would take longer to make than what is drawn from it. Here all are one array: the outputs of
    SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) from a state for each number, in pairs turned into normal values
    (Box and Muller, 1958).

    Args:
        rng: gives 64 bits, on which all values depend.
        numbers: of pictures.
        count: of values.
    """
    golden = np.array([0x9E3779B97F4A7C15], np.uint64)
    states = _mixed(rng.integers(2**64, size=1, dtype=np.uint64) + golden * numbers.astype(np.uint64))
    bits = _mixed(states[:, None] + golden * np.arange(1, (count + 1) // 2 + 1, dtype=np.uint64))
    length = np.sqrt(-2 * np.log(((bits >> np.uint64(32)) + 0.5) * 2.0**-32))
    angle = (bits & np.uint64(0xFFFFFFFF)) * (2 * math.pi * 2.0**-32)
    return np.concatenate([length * np.cos(angle), length * np.sin(angle)], axis=1)[:, :count]


def _mixed(values: ndarray) -> ndarray:
    """The finaliser of SplitMix64."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: ndarray = values ^ (values >> np.uint64(31))
    return mixed
