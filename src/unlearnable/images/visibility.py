"""What people see of a change: SSIMULACRA2 and FLIP, of the picture on a screen and of its worst crop at 100 %.

SSIM averages away what the eye catches first. Two measures that were fitted to people's eyes, of two schools, take its
place: SSIMULACRA2 (Sneyers, 2023; from JPEG XL, multi-scale, in a perceptual colour space) and FLIP (Andersson et al.,
HPG 2020; what is seen when two pictures are flipped back and forth on a screen). Both from their own packages.
"""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from PIL import Image

from unlearnable.images.budget import Pixels

SCREEN = 1080  # px; the long side of a photo as it is looked at whole
CROP = 512  # px; the side of a crop at 100 %
CROPS = 3  # of a large picture, those that promise the worst, are measured
SMALLEST = 8  # px; SSIMULACRA2 has no scale for less
CALM = 2.0  # grey levels of texture that hide nothing


@dataclass(frozen=True)
class Visibility:
    """What people see of a change.

    Attributes:
        ssimulacra2: of the picture reduced to `SCREEN` px on its long side, a smaller one as it is. 100 where nothing
            differs; from 90 on nobody tells them apart, 70 is high quality (about JPEG 75), 50 medium, 30 low.
        worst_crop: the lowest SSIMULACRA2 of crops of `CROP` px at 100 %; of a picture that fits into one, its own.
        flip: mean FLIP error of the reduced picture on a screen of 67 pixels a degree; 0 where nothing differs, at most 1.
    """

    ssimulacra2: float
    worst_crop: float
    flip: float


@dataclass(frozen=True)
class VisibilitySummary:
    """Over several pictures.

    Attributes:
        files: how many were measured.
        ssimulacra2_mean, ssimulacra2_p10, ssimulacra2_min: mean, tenth percentile and lowest, of whole pictures.
        worst_crop_min: the lowest of all crops at 100 %.
        flip_mean: mean of FLIP.
    """

    files: int
    ssimulacra2_mean: float
    ssimulacra2_p10: float
    ssimulacra2_min: float
    worst_crop_min: float
    flip_mean: float

    @classmethod
    def of(cls, measured: Sequence[Visibility]) -> "VisibilitySummary | None":
        """Of these; None of none."""
        if not measured:
            return None
        whole = [one.ssimulacra2 for one in measured]
        return cls(
            files=len(measured),
            ssimulacra2_mean=round(fmean(whole), 2),
            ssimulacra2_p10=round(float(np.percentile(whole, 10)), 2),
            ssimulacra2_min=min(whole),
            worst_crop_min=min(one.worst_crop for one in measured),
            flip_mean=round(fmean(one.flip for one in measured), 4),
        )


def visibility(original: Pixels, published: Pixels) -> Visibility | None:
    """Measure two pictures of one shape, of one or three channels; None of pictures of under 8 px, too small to see.

    Example:
        >>> grey = np.full((64, 64, 3), 128, np.uint8)
        >>> visibility(grey, grey)
        Visibility(ssimulacra2=100.0, worst_crop=100.0, flip=0.0)
    """
    if min(original.shape[:2]) < SMALLEST:
        return None
    before, after = _rgb(original), _rgb(published)
    seen = _on_screen(before), _on_screen(after)
    whole = _ssimulacra2(*seen)
    crops = [] if max(before.shape[:2]) <= CROP else _promising_crops(before, after)
    at_full_size = [_ssimulacra2(before[crop], after[crop]) for crop in crops]
    return Visibility(whole, min(at_full_size, default=whole), _flip(*seen))


def _ssimulacra2(before: Pixels, after: Pixels) -> float:
    from ssimulacra2 import compute_ssimulacra2

    return round(float(compute_ssimulacra2(_as_file(before), _as_file(after))), 2)


def _flip(before: Pixels, after: Pixels) -> float:
    from flip_evaluator import evaluate

    unit = [pixels.astype(np.float32) / 255 for pixels in (before, after)]
    _, mean, _ = evaluate(*unit, "LDR", applyMagma=False)
    return round(float(mean), 4)


def _promising_crops(before: Pixels, after: Pixels) -> list[tuple[slice, slice]]:
    """Where the change is largest against the texture that could hide it: crops that overlap by half at most."""
    change = _block_means(np.square(after.astype(np.float32) - before).mean(2))
    texture = _block_deviations(before.mean(2, dtype=np.float32))
    shown = np.sqrt(change) / (texture + CALM)
    rows, columns = (_starts(length) for length in before.shape[:2])
    windows = [(slice(top, top + CROP), slice(left, left + CROP)) for top in rows for left in columns]
    strengths = [float(np.square(shown[_in_blocks(window)]).mean()) for window in windows]
    return [windows[index] for index in np.argsort(strengths)[::-1][:CROPS]]


BLOCK = 16  # px


def _starts(length: int) -> list[int]:
    """Where crops begin along a side: both ends, and steps of about half a crop between."""
    last = max(0, length - CROP)
    count = math.ceil(last / (CROP // 2)) + 1
    return sorted({round(last * index / max(1, count - 1)) for index in range(count)})


def _in_blocks(window: tuple[slice, slice]) -> tuple[slice, slice]:
    rows, columns = (slice(side.start // BLOCK, max(side.start // BLOCK + 1, side.stop // BLOCK)) for side in window)
    return rows, columns


def _block_means(values: Float[ndarray, "h w"]) -> Float[ndarray, "h2 w2"]:
    """The mean of every block of 16 px; the last ones of a side take what is over."""
    for axis in (0, 1):
        starts = np.arange(0, max(1, values.shape[axis] - BLOCK + 1), BLOCK)
        ends = np.append(starts[1:], values.shape[axis])
        sums = np.add.reduceat(values, starts, axis)
        values = sums / np.expand_dims(ends - starts, 1 - axis)
    return values


def _block_deviations(values: Float[ndarray, "h w"]) -> Float[ndarray, "h2 w2"]:
    variances = _block_means(np.square(values)) - np.square(_block_means(values))
    return np.sqrt(variances.clip(0))


def _on_screen(pixels: Pixels) -> Pixels:
    """Reduced to what is seen of the whole picture at once."""
    height, width = pixels.shape[:2]
    reduction = max(height, width) / SCREEN
    if reduction <= 1:
        return pixels
    shape = max(SMALLEST, round(width / reduction)), max(SMALLEST, round(height / reduction))
    return np.asarray(Image.fromarray(pixels).resize(shape, Image.Resampling.LANCZOS))


def _rgb(pixels: Pixels) -> Pixels:
    return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))


def _as_file(pixels: Pixels) -> io.BytesIO:
    """The package reads files alone."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "BMP")
    file.seek(0)
    return file
