"""Small grey pictures, in which shapes are compared: the whole picture reduced, or at some of its pixels."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image

SIDE = 32
POINTS, LONGEST = 100, 200


def thumbnail(picture: UInt8[ndarray, "3 h w"]) -> Float[ndarray, "side side"]:
    """The picture in grey, `SIDE` px square."""
    return np.asarray(_grey(picture).resize((SIDE, SIDE), Image.Resampling.BOX), dtype=np.float64)


def middle(shape: Sequence[int], side: int) -> tuple[slice, slice]:
    """Rows and columns of a picture's middle, at most ``side`` px long."""
    rows, columns = (slice(start := max(0, length - side) // 2, min(start + side, length)) for length in shape)
    return rows, columns


def lattice(shape: Sequence[int]) -> tuple[slice, slice]:
    """Rows and columns at which a picture is compared: `POINTS` across its short side, in even steps, from its middle.

    A thumbnail would lose waves of a few pixels. Along the other side there are `LONGEST` points at most.
    """
    step = max(1, min(shape) // POINTS)
    rows, columns = (
        slice(start := max(0, length - LONGEST * step) // 2, min(start + LONGEST * step, length), step)
        for length in shape
    )
    return rows, columns


def sampled(picture: UInt8[ndarray, "3 h w"]) -> Float[ndarray, "_ _"]:
    """The picture in grey on its `lattice`."""
    return grey(picture)[lattice(picture.shape[1:])]


def standardised(values: Float[ndarray, "h w"]) -> Float[ndarray, "h w"]:
    """Mean 0 and standard deviation 1: the mean product of two is their correlation."""
    centred = values - values.mean()
    scaled: Float[ndarray, "h w"] = centred / max(float(centred.std()), 1e-9)
    return scaled


def grey(picture: UInt8[ndarray, "3 h w"]) -> Float[ndarray, "h w"]:
    """The picture without its colours."""
    return np.asarray(_grey(picture), dtype=np.float64)


def _grey(picture: UInt8[ndarray, "3 h w"]) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(picture.transpose(1, 2, 0))).convert("L")


GAP = 4


def contact_sheet(rows: Sequence[Sequence[UInt8[ndarray, "3 side side"]]]) -> Image.Image:
    """Square pictures of one size in a grid on white."""
    step = rows[0][0].shape[-1] + GAP
    sheet = Image.new("RGB", (max(map(len, rows)) * step + GAP, len(rows) * step + GAP), "white")
    for row, pictures in enumerate(rows):
        for column, picture in enumerate(pictures):
            tile = Image.fromarray(np.ascontiguousarray(picture.transpose(1, 2, 0)))
            sheet.paste(tile, (GAP + column * step, GAP + row * step))
    return sheet


def distances(classes: Sequence[Float[ndarray, "_ side side"]]) -> dict[str, float | None]:
    """Distances of grey thumbnails, each 1 minus a correlation: 0 for the same shape, about 1 for unrelated ones.

    Returns:
        ``within``, the mean over pairs of one class; ``between``, over pairs of two classes; ``nearest``, the
        smallest distance between the mean thumbnails of two classes. None where there is no such pair.
    """
    rows = [np.stack([standardised(picture).ravel() for picture in pictures]) for pictures in classes]
    rows = [pictures / np.sqrt(pictures.shape[1]) for pictures in rows]  # now a product of two is their correlation
    counts, sums = np.array([len(pictures) for pictures in rows]), np.stack([pictures.sum(0) for pictures in rows])
    own = sum(float(total @ total) for total in sums)  # over ordered pairs of one class, each picture with itself too
    alike = sum(float((pictures * pictures).sum()) for pictures in rows)
    every = float(sums.sum(0) @ sums.sum(0))
    same, all_pairs = int((counts**2).sum()), int(counts.sum() ** 2)
    means = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    nearest = 1 - (means @ means.T)[np.triu_indices(len(rows), 1)]
    return {
        "within": _rounded(1 - (own - alike) / (same - counts.sum())) if same > counts.sum() else None,
        "between": _rounded(1 - (every - own) / (all_pairs - same)) if len(rows) > 1 else None,
        "nearest": _rounded(nearest.min()) if len(rows) > 1 else None,
    }


def _rounded(distance: float) -> float:
    return round(float(distance), 4) + 0.0  # no minus zero
