"""What is seen of a picture that is transparent in places: there alone it may change and is measured."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Shaped, UInt8
from numpy import ndarray

from unlearnable.images.budget import Change, Pixels

GREY = 128  # on which a picture is laid to be looked at
WHOLLY = 255  # alpha of what is not transparent
Box = tuple[slice, slice]


@dataclass(frozen=True)
class Seen:
    """The pixels of a picture whose alpha is above 0: a budget over all of them would be spent on a few.

    Attributes:
        alpha: (h, w); None of a picture that is opaque everywhere.

    Example:
        >>> logo = Seen.through(np.array([[0, 255], [0, 0]], np.uint8))
        >>> logo.values(np.arange(4).reshape(2, 2, 1)).tolist()
        [[[1]]]
    """

    alpha: UInt8[ndarray, "h w"] | None = None

    @classmethod
    def through(cls, alpha: UInt8[ndarray, "h w"] | None) -> "Seen":
        """What shows through an alpha channel, or without one everything."""
        return cls(None if alpha is None or (alpha == WHOLLY).all() else alpha)

    @property
    def mask(self) -> Bool[ndarray, "h w"]:
        """Where anything is seen."""
        assert self.alpha is not None
        return self.alpha > 0

    @property
    def box(self) -> Box:
        """Rows and columns outside which nothing is seen."""
        rows, columns = (np.flatnonzero(self.mask.any(axis)) for axis in (1, 0))
        return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)

    def values(self, picture: Shaped[ndarray, "h w c"]) -> Shaped[ndarray, "h2 w2 c"]:
        """What counts of pixels or of their change: all, or those that are seen, as a column."""
        return picture if self.alpha is None else picture[self.mask][:, None]

    def restored(self, original: Pixels, values: UInt8[ndarray, "h2 w2 c"]) -> Pixels:
        """The picture with such `values`, and as it was where nothing is seen."""
        if self.alpha is None:
            return values
        restored = original.copy()
        restored[self.mask] = values[:, 0]
        return restored

    def picture(self, pixels: Pixels) -> UInt8[ndarray, "h2 w2 c"]:
        """As it is looked at: on grey, and cut to where it is."""
        if self.alpha is None:
            return pixels
        shown: UInt8[ndarray, "h2 w2 c"] = np.rint(GREY + self.change(pixels.astype(np.float32) - GREY)).astype(
            np.uint8
        )
        return shown

    def change(self, change: Change) -> Float[ndarray, "h2 w2 c"]:
        """A change of the picture as it is looked at."""
        if self.alpha is None:
            return change
        seen: Float[ndarray, "h2 w2 c"] = (
            change[self.box] * (self.alpha[self.box].astype(np.float32) / WHOLLY)[..., None]
        )
        return seen


OPAQUE = Seen()  # a picture without transparency
