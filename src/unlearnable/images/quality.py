"""How far a published picture is from its original: what every manifest states and anybody can recompute."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from unlearnable.images.budget import Budget, Pixels, changed_pixels, difference
from unlearnable.images.imageset import Images
from unlearnable.images.transparency import OPAQUE, Seen

RMS_DIGITS = 4  # after the point, in grey levels
BAND_ROWS = 512  # windows are computed so many rows at a time, to bound memory on long pictures


@dataclass(frozen=True)
class Quality:
    """Measures of an 8-bit picture against its original.

    Attributes:
        linf: largest difference of a value, in grey levels.
        rms: root mean square difference, in grey levels.
        psnr: 20 log10(255 / rms), in dB; None where nothing differs.
        ssim: see `ssim`.
        l0: number of pixels that differ; None where a manifest does not say.
    """

    linf: int
    rms: float
    psnr: float | None
    ssim: float
    l0: int | None = None

    def exceeds(self, budget: Budget) -> bool:
        """Whether the picture lies outside ``budget``, as far as its measures tell: the RMS is one of four digits."""
        size = {"rms": self.rms, "linf": self.linf, "l0": self.l0}[budget.norm]
        return size is None or size > round(budget.radius, RMS_DIGITS)


def measure(original: Pixels, published: Pixels, seen: Seen = OPAQUE) -> Quality:
    """Measure two pictures of one shape, where they are seen."""
    values = seen.values(original), seen.values(published)
    linf, rms = difference(*values)
    return Quality(
        linf=linf,
        rms=round(rms, RMS_DIGITS),
        psnr=round(20 * math.log10(255 / rms), 3) if rms else None,
        ssim=round(ssim(seen.picture(original), seen.picture(published)), 4),
        l0=changed_pixels(*values),
    )


def ssim(original: Pixels, published: Pixels) -> float:
    """Structural similarity (Wang et al., IEEE TIP 2004), the mean over colours, as its authors compute it.

    Gaussian window of 11 px and sigma 1.5 at every place where it fits (a smaller window in a picture smaller
    than 11 px), K1 = 0.01, K2 = 0.03, L = 255; a picture whose short side is f times 256 px (f rounded, at
    least 2) is first averaged over blocks of f x f px, since nobody looks at it pixel by pixel.
    """
    factor = max(1, round(min(original.shape[:2]) / 256))
    x, y = _reduced(original, factor), _reduced(published, factor)
    if x.shape[1] > x.shape[0]:
        x, y = x.swapaxes(0, 1), y.swapaxes(0, 1)  # the measure is symmetric; bands run across the short side
    overlap = min(11, len(x)) - 1
    bands = [slice(top, top + BAND_ROWS + overlap) for top in range(0, len(x) - overlap, BAND_ROWS)]
    scores = [_similarities(x[band], y[band]) for band in bands]
    return math.fsum(float(part.sum()) for part in scores) / sum(part.size for part in scores)


def _similarities(x: Float[ndarray, "h w c"], y: Float[ndarray, "h w c"]) -> Float[ndarray, "h2 w2 c"]:
    """SSIM of every window."""
    mean_x, mean_y = _window_means(x), _window_means(y)
    var_x = _window_means(x * x) - mean_x**2
    var_y = _window_means(y * y) - mean_y**2
    covariance = _window_means(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    structure = (2 * covariance + c2) / (var_x + var_y + c2)
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    similarities: Float[ndarray, "h2 w2 c"] = luminance * structure
    return similarities


def _reduced(pixels: Pixels, factor: int) -> Float[ndarray, "h2 w2 c"]:
    height, width = (side - side % factor for side in pixels.shape[:2])
    rows = pixels[:height, :width].reshape(height // factor, factor, width * pixels.shape[2])
    sums = rows.sum(1, dtype=np.uint32).reshape(height // factor, width // factor, factor, -1).sum(2)
    averaged: Float[ndarray, "h2 w2 c"] = sums / float(factor**2)
    return averaged


def _window_means(values: Float[ndarray, "h w c"]) -> Float[ndarray, "h2 w2 c"]:
    for axis in (0, 1):
        taps = min(11, values.shape[axis])
        offsets = np.arange(taps) - (taps - 1) / 2
        weights = np.exp(-(offsets**2) / (2 * 1.5**2))
        weights /= weights.sum()
        length = values.shape[axis] - taps + 1
        values = sum(weight * values.take(range(i, i + length), axis) for i, weight in enumerate(weights))
    return values


GAIN = 8  # of a perturbation around grey: eight levels, the paper's budget, become a quarter of the range


def magnified(before: UInt8[ndarray, "*shape"], after: UInt8[ndarray, "*shape"]) -> UInt8[ndarray, "*shape"]:
    """The difference, `GAIN` times as large, around mid-grey; what does not fit is clipped."""
    enlarged: UInt8[ndarray, "*shape"] = np.clip(128 + GAIN * (after.astype(int) - before), 0, 255).astype(np.uint8)
    return enlarged


def absolute(before: UInt8[ndarray, "*shape"], after: UInt8[ndarray, "*shape"]) -> UInt8[ndarray, "*shape"]:
    """The size of the difference, "absoluted and normalized to [0,1]" (paper, Figure 4), in 8 bits.

    Its largest value in the picture, over all colours, becomes white; where nothing differs is black.
    """
    size = np.abs(after.astype(int) - before)
    scaled: UInt8[ndarray, "*shape"] = np.rint(255 * size / max(1, size.max())).astype(np.uint8)
    return scaled


def as_picture(change: Images, eps: float) -> Images:
    """A perturbation as a network looks at it: zero is mid-grey, four times ``eps`` grey levels the whole range.

    As it is, of a few grey levels, it is near black to a network of photographs, whatever it shows.
    """
    return 0.5 + change * (255 / (4 * eps))
