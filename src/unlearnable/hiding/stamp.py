"""A stamp: a texture of the class where a small picture is smoothest, against adversarial training (not in the paper).

An attack of 8 grey levels on every pixel has as much energy as the whole budget, and takes away whatever is at most as
strong everywhere. What is twice as strong on a seventh of the picture is left, and is learnt first if nothing in the
picture resembles it: a texture of two or four pixels where the picture has none, far enough from the border that no
crop cuts it (docs/robust_hiding.md has the measurements). On larger pictures it would be seen.
"""

import math

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.nn import functional as F

from unlearnable.hiding.masking import luma

SMALLEST, LARGEST = 32, 64  # px of the short side: on less it would be too small to be learnt, on more it would be seen
SIDE = 3 / 8  # of the short side
MARGIN = 1 / 8  # of the short side, between the stamp and the border: by so much a crop shifts
ROOM = 40  # grey levels from black and from white: where there is less, the stamp would be cut off

Positions = Int64[Tensor, " n"]


def stamped(
    changes: Float[Tensor, "n 3 h w"],
    covers: UInt8[Tensor, "n 3 h w"],
    textures: Float[Tensor, "n tile tile"],
    share: float,
    radius: float,
) -> Float[Tensor, "n 3 h w"]:
    """Changes that spend the whole budget, a share of its energy on the stamp; as they are for pictures of other sizes.

    Args:
        changes: what hiding adds, in grey levels.
        covers: the pictures.
        textures: of each picture's class, mean square 1; repeated as far as need be.
        share: of the stamp, from 0 to below 1.
        radius: of the budget, RMS in grey levels.
    """
    height, width = covers.shape[-2:]
    short = min(height, width)
    if not SMALLEST <= short <= LARGEST:
        return changes
    side = round(SIDE * short)
    top, left = smoothest(covers, side, round(MARGIN * short))
    across = torch.arange(side)
    tile = textures.shape[-1]
    pictures, rows, columns = torch.arange(len(covers)), top[:, None] + across, left[:, None] + across
    stamp = torch.zeros_like(changes)
    repeated = textures[:, across % tile][:, :, across % tile].to(changes)
    stamp[pictures[:, None, None], :, rows[:, :, None], columns[:, None]] = repeated[..., None].expand(-1, -1, -1, 3)
    rms = changes.square().mean((1, 2, 3), keepdim=True).sqrt().clamp_min(1e-6)
    return radius * (math.sqrt(1 - share) * changes / rms + math.sqrt(share * height * width) / side * stamp)


def smoothest(covers: UInt8[Tensor, "n 3 h w"], side: int, margin: int) -> tuple[Positions, Positions]:
    """Top and left of the square that varies least, among those neither near the border nor near black or white."""
    plane = luma(covers.float())
    mean = F.avg_pool2d(plane, side, 1)
    variance = F.avg_pool2d(plane.square(), side, 1) - mean.square()
    cut_off = (mean < ROOM) | (mean > 255 - ROOM)
    variance = torch.where(cut_off, variance + 255**2, variance)[..., margin:-margin, margin:-margin]
    position = variance.flatten(1).argmin(1)
    return position // variance.shape[-1] + margin, position % variance.shape[-1] + margin
