"""How much a picture may change, and how much it did, both in grey levels of the 8-bit picture that is written."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast, get_args

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

Pixels = UInt8[ndarray, "h w c"]
Change = Float[ndarray, "h w c"]
Norm = Literal["rms", "linf"]

BAND_VALUES = 1 << 22


@dataclass(frozen=True)
class Budget:
    """A ball around the original picture.

    Attributes:
        norm: ``rms``, the root mean square over all pixels and colours (the paper's, eq. 5), or ``linf``, the
            largest change of any value.
        radius: in grey levels of 255 (paper: 8).
    """

    norm: Norm = "rms"
    radius: float = 8.0

    def __post_init__(self) -> None:
        if not (0 if self.norm == "rms" else 0.999) < self.radius <= 255:
            raise ValueError(f"expected a radius up to 255 grey levels, above 0 (linf: from 1); got {self.radius}")

    @classmethod
    def parse(cls, text: str) -> "Budget":
        """Read ``rms:8`` or ``linf:4.5``.

        Raises:
            ValueError: it is neither.
        """
        norm, _, radius = text.partition(":")
        try:
            if norm in get_args(Norm):
                return cls(cast(Norm, norm), float(radius))
        except ValueError:
            pass
        raise ValueError(
            f"expected a budget such as rms:8 or linf:8, up to 255 grey levels (linf: from 1); got {text!r}"
        )

    def __str__(self) -> str:
        return f"{self.norm}:{str(self.radius).removesuffix('.0')}"

    def holds(self, original: Pixels, published: Pixels) -> bool:
        """Whether ``published`` lies in the ball around ``original``."""
        return self._size(original, published) <= self.radius

    def project(self, original: Pixels, change: Change) -> Pixels:
        """Add ``change`` (grey levels) and round, as far as the budget allows.

        ``linf`` clips the change; ``rms`` scales it down until the *rounded* picture is inside, since rounding
        itself adds about a third of a grey level.

        Raises:
            ValueError: the change is not finite.
        """
        if not np.isfinite(change).all():
            raise ValueError("expected a finite change of the picture, got infinite or undefined values")
        if self.norm == "linf":
            return _add(original, change, 1.0, limit=math.floor(self.radius))
        scale = min(1.0, self.radius / max(_rms(change), 1e-9))
        published = _add(original, change, scale)
        while (size := self._size(original, published)) > self.radius:
            scale *= min(self.radius / size, 0.999)
            published = _add(original, change, scale)
        return published

    def _size(self, original: Pixels, published: Pixels) -> float:
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


def _add(original: Pixels, change: Change, scale: float, limit: int = 255) -> Pixels:
    published = np.empty_like(original)
    for rows in _bands(original):
        step = np.rint(change[rows] * np.float32(scale)).clip(-limit, limit)
        published[rows] = (original[rows] + step).clip(0, 255)
    return published


def _rms(change: Change) -> float:
    total = sum(float(np.square(change[rows]).sum(dtype=np.float64)) for rows in _bands(change))
    return math.sqrt(total / change.size)


def _bands(pixels: ndarray) -> Iterator[slice]:
    """Slices of rows small enough that temporaries of a large photo stay small."""
    rows = max(1, BAND_VALUES // math.prod(pixels.shape[1:]))
    return (slice(top, top + rows) for top in range(0, len(pixels), rows))
