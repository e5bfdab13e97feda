"""Small grey pictures, in which shapes are compared: the whole picture reduced, or its middle as it is."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image

SIDE = 32


def thumbnail(picture: UInt8[ndarray, "3 h w"]) -> Float[ndarray, "side side"]:
    """The picture in grey, `SIDE` px square."""
    return np.asarray(_grey(picture).resize((SIDE, SIDE), Image.Resampling.BOX), dtype=np.float64)


def middle(shape: Sequence[int], side: int) -> tuple[slice, slice]:
    """Rows and columns of a picture's middle, at most ``side`` px long."""
    rows, columns = (slice(start := max(0, length - side) // 2, min(start + side, length)) for length in shape)
    return rows, columns


def centre(picture: UInt8[ndarray, "3 h w"], side: int) -> Float[ndarray, "_ _"]:
    """The `middle` of the picture in grey."""
    rows, columns = middle(picture.shape[1:], side)
    return np.asarray(_grey(picture[:, rows, columns]), dtype=np.float64)


def standardised(values: Float[ndarray, "h w"]) -> Float[ndarray, "h w"]:
    """Mean 0 and standard deviation 1: the mean product of two is their correlation."""
    centred = values - values.mean()
    scaled: Float[ndarray, "h w"] = centred / max(float(centred.std()), 1e-9)
    return scaled


def _grey(picture: UInt8[ndarray, "3 h w"]) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(picture.transpose(1, 2, 0))).convert("L")
