"""JPEG as a differentiable operation, for what is to survive it (Wallace, 1992), and the traces that it leaves.

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
QUALITIES = range(30, 95)  # of which a trace is looked for; above, hardly anything is rounded
NEAR = 0.3  # how far from multiples, of what chance would give, coefficients of a picture are that was compressed so
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


def last_quality(pictures: Images) -> Int64[Tensor, " n"]:
    """The quality of the JPEG that each picture, values in [0, 1], came out of, as its pixels show; 0 where none shows.

    Its cosine coefficients lie near multiples of that table's steps (Farid, "Exposing digital forgeries from JPEG
    ghosts", 2009). Compressing it so again gives the same picture, and takes away any change of less than half a step.
    """
    luma = torch.einsum("c,nchw->nhw", torch.tensor(LUMA, device=pictures.device), pictures * 255)[:, None] - 128
    height, width = (length // BLOCK * BLOCK for length in luma.shape[-2:])
    coefficients = _coefficients(luma[..., :height, :width])
    away = torch.stack([_away(coefficients, quality) for quality in QUALITIES], 1)
    nearest = away.min(1)
    return torch.where(nearest.values < NEAR, nearest.indices + QUALITIES.start, 0)


def _away(coefficients: Float[Tensor, "n c rows columns 8 8"], quality: int) -> Float[Tensor, " n"]:
    """How far from multiples of a quality's steps coefficients that are not rounded to 0 are, of what chance gives."""
    qualities = torch.full(coefficients.shape[:1], quality, device=coefficients.device)
    in_steps = coefficients / _table(LUMA_TABLE, qualities)[:, None, None, None]
    counted = in_steps.round() != 0
    squares = ((in_steps - in_steps.round()).square() * counted).flatten(1).sum(1)
    counts = counted.flatten(1).sum(1)
    return torch.where(counts > 0, 12 * squares / counts.clamp_min(1), 1.0)


def _coefficients(plane: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c rows columns 8 8"]:
    """The cosine coefficients of every block."""
    count, channels, height, width = plane.shape
    basis = _cosines().to(plane.device)
    blocks = plane.reshape(count, channels, height // BLOCK, BLOCK, width // BLOCK, BLOCK).transpose(3, 4)
    return basis @ blocks @ basis.T


def _quantised(plane: Float[Tensor, "n c h w"], table: Float[Tensor, "n 8 8"]) -> Float[Tensor, "n c h w"]:
    """Round the cosine coefficients of every block to multiples of the table."""
    basis, steps = _cosines().to(plane.device), table[:, None, None, None]
    coefficients = _coefficients(plane)
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
