"""How much a picture may change, and how much it did, both in grey levels of the 8-bit picture that is written."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast, get_args

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from unlearnable.options import PositiveFloat
from unlearnable.registry import check_fields

Pixels = UInt8[ndarray, "h w c"]
Change = Float[ndarray, "h w c"]
Norm = Literal["rms", "linf", "l0"]

BAND_VALUES = 1 << 22


@dataclass(frozen=True)
class Budget:
    """A ball around the original picture.

    Attributes:
        norm: ``rms``, the root mean square over all pixels and colours (the paper's, eq. 5), ``linf``, the largest
            change of any value, or ``l0``, the number of pixels that change at all.
        radius: in grey levels of 255 (paper: 8); of ``l0`` in pixels.

    Raises:
        ValueError: another norm, or a radius that no picture can have.

    Examples:
        >>> import numpy as np
        >>> from unlearnable import Budget
        >>> original = np.full((2, 2, 3), 100, np.uint8)  # a picture (h, w, 3), in grey levels
        >>> published = Budget("linf", 8).project(original, np.full((2, 2, 3), 20.0))
        >>> int(published.max()), Budget.parse("linf:8").holds(original, published)
        (108, True)
    """

    norm: Norm = "rms"
    radius: PositiveFloat = 8.0

    def __post_init__(self) -> None:
        check_fields(self)
        smallest, largest = {"rms": (0, 255), "linf": (1, 255), "l0": (1, math.inf)}[self.norm]
        if not smallest <= self.radius <= largest or (self.norm == "l0" and self.radius != int(self.radius)):
            raise ValueError(
                "expected a radius up to 255 grey levels, above 0 (linf: from 1), or whole pixels (l0: from 1); "
                f"got {self.radius}"
            )

    @classmethod
    def parse(cls, text: str) -> "Budget":
        """Read ``rms:8``, ``linf:4.5`` or ``l0:1``.

        Raises:
            ValueError: it is none of them.
        """
        norm, _, radius = text.partition(":")
        try:
            if norm in get_args(Norm):
                return cls(cast(Norm, norm), float(radius))
        except ValueError:
            pass
        raise ValueError(
            "expected a budget such as rms:8 or linf:8, up to 255 grey levels (linf: from 1), or l0:1, in whole "
            f"pixels; got {text!r}"
        )

    def __str__(self) -> str:
        return f"{self.norm}:{str(self.radius).removesuffix('.0')}"

    def holds(self, original: Pixels, published: Pixels) -> bool:
        """Whether ``published`` lies in the ball around ``original``."""
        return self._size(original, published) <= self.radius

    def project(self, original: Pixels, change: Change) -> Pixels:
        """Add ``change`` (grey levels) and round, as far as the budget allows.

        ``linf`` clips the change; ``l0`` keeps the pixels that change most; ``rms`` scales it down until the
        *rounded* picture is inside, since rounding itself adds about a third of a grey level.

        Raises:
            ValueError: the change is not finite.
        """
        if not np.isfinite(change).all():
            raise ValueError("expected a finite change of the picture, got infinite or undefined values")
        if self.norm == "linf":
            return _add(original, change, 1.0, limit=math.floor(self.radius))
        if self.norm == "l0":
            return _add(original, _strongest(change, int(self.radius)), 1.0)
        scale = min(1.0, self.radius / max(root_mean_square(change), 1e-9))
        published = _add(original, change, scale)
        while (size := self._size(original, published)) > self.radius:
            scale *= min(self.radius / size, 0.999)
            published = _add(original, change, scale)
        return published

    def _size(self, original: Pixels, published: Pixels) -> float:
        if self.norm == "l0":
            return float(changed_pixels(original, published))
        linf, rms = difference(original, published)
        return rms if self.norm == "rms" else float(linf)


def difference(original: Pixels, published: Pixels) -> tuple[int, float]:
    """``(linf, rms)`` of the difference of two 8-bit pictures, exact, in grey levels."""
    largest = total = 0
    for rows in _bands(original):
        band = published[rows].astype(np.int32) - original[rows]
        largest = max(largest, int(np.abs(band).max()))
        total += int(np.square(band).sum(dtype=np.int64))
    return largest, math.sqrt(total / original.size)


def changed_pixels(original: Pixels, published: Pixels) -> int:
    """How many pixels differ in any colour."""
    return sum(int((original[rows] != published[rows]).any(2).sum()) for rows in _bands(original))


def root_mean_square(change: Change) -> float:
    """Of a change as it was computed: neither rounded nor cut off at black and white."""
    total = sum(float(np.square(change[rows]).sum(dtype=np.float64)) for rows in _bands(change))
    return math.sqrt(total / change.size)


def _add(original: Pixels, change: Change, scale: float, limit: int = 255) -> Pixels:
    published = np.empty_like(original)
    for rows in _bands(original):
        step = np.rint(change[rows] * np.float32(scale)).clip(-limit, limit)
        published[rows] = (original[rows] + step).clip(0, 255)
    return published


def _strongest(change: Change, pixels: int) -> Change:
    """The change at so many pixels where it is largest, zero elsewhere."""
    strength = np.abs(change).sum(2).ravel()
    if pixels >= strength.size:
        return change
    kept = np.zeros(strength.size, bool)
    kept[np.argsort(-strength, kind="stable")[:pixels]] = True
    return change * kept.reshape(*change.shape[:2], 1)


def _bands(pixels: ndarray) -> Iterator[slice]:
    """Slices of rows small enough that temporaries of a large photo stay small."""
    rows = max(1, BAND_VALUES // math.prod(pixels.shape[1:]))
    return (slice(top, top + rows) for top in range(0, len(pixels), rows))
