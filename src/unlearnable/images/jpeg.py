"""JPEG as a differentiable operation, for training a network whose secrets survive it (Wallace, 1992).

Luma and halved chroma, cosine transform of blocks of 8x8, the quantisation tables of annex K scaled by quality as
libjpeg does. Rounding passes its gradient straight through: a polynomial in its place has no gradient at zero, where
most coefficients are. The countermeasure itself is Pillow's.
"""

import math
from functools import cache

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from unlearnable.images.imageset import LUMA, Images

BLOCK = 8
LUMA_TABLE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMA_TABLE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *[(99,) * 8] * 4,
)
TO_YCC = (LUMA, (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))  # JFIF


def jpeg(pictures: Images, qualities: Int64[Tensor, " n"]) -> Images:
    """Compress and decompress each picture, values in [0, 1], at its own quality from 1 to 100."""
    height, width = pictures.shape[-2:]
    to_ycc = torch.tensor(TO_YCC, device=pictures.device)
    padded = F.pad(pictures * 255, (0, -width % 16, 0, -height % 16), mode="replicate")
    y, chroma = torch.einsum("ij,njhw->nihw", to_ycc, padded).split([1, 2], 1)
    y = _quantised(y - 128, _table(LUMA_TABLE, qualities)) + 128
    chroma = _quantised(F.avg_pool2d(chroma, 2), _table(CHROMA_TABLE, qualities))
    chroma = F.interpolate(chroma, scale_factor=2.0, mode="bilinear")
    decoded = torch.einsum("ij,njhw->nihw", torch.linalg.inv(to_ycc), torch.cat([y, chroma], 1))
    return decoded[..., :height, :width].clamp(0, 255) / 255


def _quantised(plane: Float[Tensor, "n c h w"], table: Float[Tensor, "n 8 8"]) -> Float[Tensor, "n c h w"]:
    """Round the cosine coefficients of every block to multiples of the table."""
    count, channels, height, width = plane.shape
    basis, steps = _cosines().to(plane.device), table[:, None, None, None]
    blocks = plane.reshape(count, channels, height // BLOCK, BLOCK, width // BLOCK, BLOCK).transpose(3, 4)
    coefficients = basis @ blocks @ basis.T
    rounded = (coefficients / steps).round() * steps
    blocks = basis.T @ (coefficients + (rounded - coefficients).detach()) @ basis
    return blocks.transpose(3, 4).reshape(plane.shape)


def _table(base: tuple[tuple[int, ...], ...], qualities: Int64[Tensor, " n"]) -> Float[Tensor, "n 8 8"]:
    """As libjpeg scales it: a quality of 50 is the table itself."""
    scale = torch.where(qualities < 50, 5000 // qualities, 200 - 2 * qualities)[:, None, None]
    return ((torch.tensor(base, device=qualities.device) * scale + 50) // 100).clamp(1, 255).float()


@cache
def _cosines() -> Float[Tensor, "8 8"]:
    """The orthonormal cosine transform (type II), one basis vector a row."""
    k, x = torch.meshgrid(torch.arange(BLOCK), torch.arange(BLOCK), indexing="ij")
    basis = math.sqrt(2 / BLOCK) * torch.cos((2 * x + 1) * k * math.pi / (2 * BLOCK))
    basis[0] /= math.sqrt(2)
    return basis
