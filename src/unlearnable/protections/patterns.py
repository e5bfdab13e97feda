"""Patterns that are drawn class by class and added whatever a picture shows: one normal draw a number, in bulk."""

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int64
from numpy import ndarray
from torch import Tensor


def by_class(
    labels: Int64[Tensor, " n"],
    numbers: Int64[Tensor, " n"],
    count: int,
    values: Callable[[int, Int64[ndarray, " m"]], Float[ndarray, "m count"]],
) -> Float[ndarray, "n count"]:
    """So many values for each picture, made class by class from the label and the pictures' numbers."""
    of_class, number = labels.cpu().numpy(), numbers.cpu().numpy()
    made = np.empty((len(labels), count), np.float32)
    for label in np.unique(of_class).tolist():
        places = np.flatnonzero(of_class == label)
        made[places] = values(label, number[places])
    return made


def normals(rng: np.random.Generator, numbers: Int64[ndarray, " n"], count: int) -> Float[ndarray, "n count"]:
    """As many standard normal values for each number, which are the same whichever others are asked for.

    A generator a number would take longer to make than what is drawn from it. Here all are one array: the outputs of
    SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) from a state for each number, in pairs turned into normal values
    (Box and Muller, 1958), in single precision, whose sines take a tenth of the time.

    Args:
        rng: gives 64 bits, on which all values depend.
        numbers: of pictures.
        count: of values.
    """
    golden = np.array([0x9E3779B97F4A7C15], np.uint64)
    states = _mixed(rng.integers(2**64, size=1, dtype=np.uint64) + golden * numbers.astype(np.uint64))
    bits = _mixed(states[:, None] + golden * np.arange(1, (count + 1) // 2 + 1, dtype=np.uint64))
    high, low = (part.astype(np.float32) for part in (bits >> np.uint64(32), bits & np.uint64(0xFFFFFFFF)))
    length, angle = np.sqrt(-2 * np.log((high + np.float32(0.5)) * 2.0**-32)), low * (2 * math.pi * 2.0**-32)
    return np.concatenate([length * np.cos(angle), length * np.sin(angle)], axis=1)[:, :count]


def _mixed(values: ndarray) -> ndarray:
    """The finaliser of SplitMix64."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: ndarray = values ^ (values >> np.uint64(31))
    return mixed
