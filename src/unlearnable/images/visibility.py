"""What people see of a change: SSIMULACRA2 and FLIP, of the picture on a screen and of its worst crop at 100 %.

SSIM averages away what the eye catches first. Two measures that were fitted to people's eyes, of two schools, take its
place: SSIMULACRA2 (Sneyers, 2023; from JPEG XL, multi-scale, in a perceptual colour space) and FLIP (Andersson et al.,
HPG 2020; what is seen when two pictures are flipped back and forth on a screen). Both from their own packages.

Checked in the source of `ssimulacra2` 0.3.0 against that of JPEG XL: weights, colours and maps are the same; at two of
the four edges it mirrors, where JPEG XL has zeros. Both let the weights of missing scales slip onto others: a picture
of 224 px has five scales of six, and the weight of coarse light falls on colour. So every picture is continued by its
mirror image to `WHOLE` px, where all six scales are there: a crop of 224 px then scores like the picture it is from.
"""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TypeVar

import numpy as np
from jaxtyping import Float, Shaped, UInt8
from numpy import ndarray
from PIL import Image

from unlearnable.images.budget import Pixels
from unlearnable.images.photos import UnreadablePhotoError, read_limited, read_photo
from unlearnable.images.platforms import PublishedSize, read_published
from unlearnable.images.transparency import Seen

SCREEN = 1080  # px; the long side of a photo as it is looked at whole
CROP = 512  # px; the side of a crop at 100 %
CROPS = 3  # of a large picture, those that promise the worst, are measured
BLOCK = 16  # px; the places at which change and texture are compared to find them
SMALLEST = 8  # px; there is nothing to see in less
WHOLE = 256  # px; a side on which SSIMULACRA2 has all its six scales
CALM = 2.0  # grey levels of texture that hide nothing
SAMPLE = 8  # files, where not all are measured: a large photo takes seconds
NOBODY_SEES = 90  # SSIMULACRA2, by its author: nobody tells the two apart, even in a flicker test
JPEG_SCORES = {90: 82.2, 75: 70.7, 50: 57.0, 30: 39.9, 10: -19.2}  # by quality; mean, results/visibility_demo.json

Item = TypeVar("Item")
Window = tuple[slice, slice]


@dataclass(frozen=True)
class Visibility:
    """What people see of a change.

    Attributes:
        ssimulacra2: of the picture reduced to `SCREEN` px on its long side, a smaller one as it is. 100 where nothing
            differs; from 90 on nobody tells them apart, 70 is high quality (about JPEG 75), 50 medium, 30 low.
        worst_crop: the lowest SSIMULACRA2 of crops of `CROP` px at 100 %; of a picture that fits into one, its own.
        flip: mean FLIP error of the reduced picture, of 67 pixels a degree; 0 where nothing differs, at most 1.
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
            ssimulacra2_mean=round(fmean(whole), 3),
            ssimulacra2_p10=round(float(np.percentile(whole, 10)), 3),
            ssimulacra2_min=min(whole),
            worst_crop_min=min(one.worst_crop for one in measured),
            flip_mean=round(fmean(one.flip for one in measured), 4),
        )


def visibility(original: Pixels, published: Pixels) -> Visibility | None:
    """Measure two pictures of one shape, of one or three channels; None of pictures of under 8 px, too small to see.

    Examples:
        >>> grey = np.full((64, 64, 3), 128, np.uint8)
        >>> visibility(grey, grey)
        Visibility(ssimulacra2=100.0, worst_crop=100.0, flip=0.0)
    """
    if min(original.shape[:2]) < SMALLEST:
        return None
    before, after = rgb(original), rgb(published)
    seen = on_screen(before), on_screen(after)
    whole = _ssimulacra2(*seen)
    at_full_size = [score for score, _ in _measured_crops(before, after)]
    return Visibility(whole, min(at_full_size, default=whole), _flip(*seen))


def visibility_of_files(original: Path, published: Path, size: PublishedSize | None = None) -> Visibility | None:
    """Measure a file against its original at the size at which it is published, its own when None.

    None also where one is no picture, or their sizes differ.
    """
    try:
        before = read_published(read_limited(original), size)
        after = read_photo(read_limited(published))
    except UnreadablePhotoError:
        return None
    if before.rgb.shape != after.rgb.shape:
        return None
    seen = Seen.through(before.alpha)
    return visibility(seen.picture(before.rgb), seen.picture(after.rgb))


def worst_crop(original: Pixels, published: Pixels) -> tuple[UInt8[ndarray, "h2 w2 3"], UInt8[ndarray, "h2 w2 3"]]:
    """Of both, at 100 %, the crop whose SSIMULACRA2 is lowest; a picture that fits into `CROP` px whole."""
    before, after = rgb(original), rgb(published)
    _, window = min(_measured_crops(before, after), key=lambda crop: crop[0], default=(0, (slice(None), slice(None))))
    return before[window], after[window]


def described(summary: VisibilitySummary) -> str:
    """A summary in one sentence, for somebody who has never heard of the measures."""
    files = f"{summary.files:,} file{'' if summary.files == 1 else 's'}"
    return (
        f"of {files} the change is on average {in_words(summary.ssimulacra2_mean)} "
        f"(SSIMULACRA2 {summary.ssimulacra2_mean:.1f}, lowest {summary.ssimulacra2_min:.1f}, lowest of all crops at "
        f"100 % {summary.worst_crop_min:.1f}: {in_words(summary.worst_crop_min)}; FLIP {summary.flip_mean:.3f})"
    )


def spread_out(items: Sequence[Item], count: int = SAMPLE) -> list[Item]:
    """So many of them at most, from all over: the first, and on in even steps."""
    chosen = min(count, len(items))
    return [items[number * len(items) // chosen] for number in range(chosen)]


def in_words(ssimulacra2: float) -> str:
    """What a score means to somebody who has never heard of it: the quality of JPEG that is as visible."""
    if ssimulacra2 >= NOBODY_SEES:
        return "such that nobody sees it"
    nearest = min(JPEG_SCORES, key=lambda quality: abs(JPEG_SCORES[quality] - ssimulacra2))
    if ssimulacra2 < JPEG_SCORES[nearest] - 10 and nearest == min(JPEG_SCORES):
        return f"more visible than JPEG {nearest}"
    return f"about as visible as JPEG {nearest}"


def _measured_crops(before: Pixels, after: Pixels) -> list[tuple[float, Window]]:
    """SSIMULACRA2 of the crops of a picture that is larger than one."""
    crops = [] if max(before.shape[:2]) <= CROP else promising_crops(before, after)
    return [(_ssimulacra2(before[crop], after[crop]), crop) for crop in crops]


def _ssimulacra2(before: Pixels, after: Pixels) -> float:
    from ssimulacra2 import compute_ssimulacra2

    return round(float(compute_ssimulacra2(*(_as_file(continued(pixels)) for pixels in (before, after)))), 3)


def _flip(before: Pixels, after: Pixels) -> float:
    from flip_evaluator import evaluate

    unit = [pixels.astype(np.float32) / 255 for pixels in (before, after)]
    _, mean, _ = evaluate(*unit, "LDR", applyMagma=False)
    return round(float(mean), 4)


def promising_crops(before: Pixels, after: Pixels) -> list[Window]:
    """Where the change is largest against the texture that could hide it: crops that overlap by half at most."""
    change, grey = _change_and_grey(before, after)
    shown = np.sqrt(_block_means(change)) / (_block_deviations(grey) + CALM)
    rows, columns = (_starts(length) for length in before.shape[:2])
    windows = [(slice(top, top + CROP), slice(left, left + CROP)) for top in rows for left in columns]
    strengths = [float(np.square(shown[_in_blocks(window)]).mean()) for window in windows]
    return _apart([windows[index] for index in np.argsort(strengths)[::-1]])[:CROPS]


def _change_and_grey(
    before: UInt8[ndarray, "h w 3"], after: UInt8[ndarray, "h w 3"]
) -> tuple[Float[ndarray, "h w"], Float[ndarray, "h w"]]:
    """Means over colours: of the squared change, and of the original."""
    change, grey = (np.zeros(before.shape[:2], np.float32) for _ in range(2))
    for color in range(3):  # one at a time: a large photo's are hundreds of megabytes together
        plane = before[..., color].astype(np.float32)
        grey += plane / 3
        change += np.square(after[..., color] - plane) / 3
    return change, grey


def _apart(windows: Sequence[Window]) -> list[Window]:
    """The first, and of the others, in order, those that share half a crop at most with every one chosen before."""
    chosen: list[Window] = []
    for window in windows:
        if all(_shared(window, other) <= CROP**2 / 2 for other in chosen):
            chosen.append(window)
    return chosen


def _shared(one: Window, other: Window) -> int:
    """The area of both, in pixels."""
    return math.prod(CROP - min(CROP, abs(a.start - b.start)) for a, b in zip(one, other, strict=True))


def _starts(length: int) -> list[int]:
    """Where crops begin along a side: both ends, and steps of about half a crop between."""
    last = max(0, length - CROP)
    count = math.ceil(last / (CROP // 2)) + 1
    return sorted({round(last * index / max(1, count - 1)) for index in range(count)})


def _in_blocks(window: Window) -> Window:
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
    deviations: Float[ndarray, "h2 w2"] = np.sqrt(variances.clip(0))
    return deviations


def on_screen(pixels: UInt8[ndarray, "h w 3"]) -> UInt8[ndarray, "h2 w2 3"]:
    """Reduced to what is seen of the whole picture at once."""
    height, width = pixels.shape[:2]
    reduction = max(height, width) / SCREEN
    if reduction <= 1:
        return pixels
    shape = max(SMALLEST, round(width / reduction)), max(SMALLEST, round(height / reduction))
    return np.asarray(Image.fromarray(pixels).resize(shape, Image.Resampling.LANCZOS))


def rgb(pixels: Pixels) -> UInt8[ndarray, "h w 3"]:
    """A picture of one channel or three in three."""
    return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))


def continued(values: Shaped[ndarray, "h w 3"]) -> Shaped[ndarray, "h2 w2 3"]:
    """A picture with its mirror image beside it, until a side has `WHOLE` px."""
    missing = [(0, max(0, WHOLE - side)) for side in values.shape[:2]]
    continued: Shaped[ndarray, "h2 w2 3"] = np.pad(values, [*missing, (0, 0)], mode="symmetric")
    return continued


def _as_file(pixels: Pixels) -> io.BytesIO:
    """The package reads files alone."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "BMP")
    file.seek(0)
    return file
