"""Which secret serves which class: of all ways to deal them, the one that the pictures themselves contradict most.

A classifier that has learnt the hidden patterns answers a clean picture by whatever pattern its content resembles. If
stripes stand for ships, and ships have more stripes than other pictures anyway, it is often right by accident. So every
class gets a secret whose waves its pictures have less of than other classes (the assignment problem, Kuhn 1955).
"""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from unlearnable.images.imageset import LUMA
from unlearnable.semantics.render import FIELDS
from unlearnable.semantics.secrets import Secrets
from unlearnable.semantics.thumbnails import middle

SIDE = 32  # px of the patch, in the picture's middle, whose waves are looked at
SPARE = len(FIELDS)  # secrets to choose from where classes are few: the drawings of a single field

Spectrum = Float[ndarray, "32 17"]
T = TypeVar("T")


def spectrum(picture: UInt8[ndarray, "3 h w"]) -> Spectrum:
    """Power of the luma's waves in the picture's middle; a smaller picture is repeated up to 32 px."""
    rows, columns = middle(picture.shape[1:], SIDE)
    patch = np.tensordot(LUMA, picture[:, rows, columns].astype(np.float64), 1)
    patch = np.pad(patch, [(0, SIDE - length) for length in patch.shape], mode="wrap")
    window = np.hanning(SIDE + 2)[1:-1]
    power: Spectrum = np.abs(np.fft.rfft2((patch - patch.mean()) * window * window[:, None])) ** 2
    return power


def mean_spectrum(spectra: Iterable[Spectrum]) -> Spectrum | None:
    """The mean of the logarithms: what a class's pictures have in common. None where there is no picture."""
    total, count = np.zeros((SIDE, SIDE // 2 + 1)), 0
    for power in spectra:
        total += np.log(power + 1)  # 1 is less than what rounding to 8 bits adds: a flat picture has no waves
        count += 1
    return total / count if count else None


def contrary(
    spectra: Sequence[Spectrum | None], secrets: Secrets, height: int, width: int, taken: Sequence[int] = ()
) -> list[int]:
    """The secret's number for each class.

    Args:
        spectra: for each class the `mean_spectrum` of its pictures. A class without any is dealt what is left, and
            where fewer than two have one, nothing is there to be contradicted: all get the first numbers.
        secrets: as many as there are classes to deal to, or `SPARE`, are looked at.
        height: of a picture; the secrets are drawn at its size.
        width: of the same.
        taken: numbers that the first classes have and keep.

    Raises:
        ValueError: there are more classes than secrets.
    """
    if len(spectra) > secrets.capacity:
        raise ValueError(f"expected at most {secrets.capacity} classes, as many as secrets, got {len(spectra)}")
    count = len(spectra) - len(taken)
    free = [number for number in range(secrets.capacity) if number not in set(taken)][: max(count, SPARE)]
    known = [mean for mean in spectra if mean is not None]
    if count < 1 or len(known) < 2:
        return [*taken, *free[:count]]
    usual = np.mean(known, axis=0)
    deviations = np.stack([(usual if mean is None else mean) - usual for mean in spectra[len(taken) :]])
    waves = np.stack([_waves(secrets.draw(number, 0, height, width)) for number in free])
    from scipy.optimize import linear_sum_assignment  # half a second, and needed where classes are several

    _, places = linear_sum_assignment(deviations.reshape(count, -1) @ waves.reshape(len(free), -1).T)
    return [*taken, *(free[place] for place in places)]


def evenly(items: Sequence[T], count: int) -> list[T]:
    """At most ``count`` of them, from the whole range, in order."""
    count = min(count, len(items))
    return [items[index * len(items) // count] for index in range(count)]


def _waves(secret: UInt8[ndarray, "3 h w"]) -> Spectrum:
    """How a secret's power is spread."""
    power = spectrum(secret)
    spread: Spectrum = power / max(float(power.sum()), 1e-9)
    return spread
