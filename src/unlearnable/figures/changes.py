"""How a change of a few grey levels is made visible."""

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

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
