"""JPEG as a differentiable operation, and changes of which its rounding takes less back (Wallace, 1992).

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
WORTH, KEPT = 0.35, 0.65  # of a step; half a step is what rounding takes back
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


def lifted(change: Float[Tensor, "n 1 h w"], quality: int) -> Float[Tensor, "n 1 h w"]:
    """A change of luma, in grey levels, of which JPEG's rounding takes less back; the gradient passes straight through.

    The coefficients of a picture that JPEG has written are whole steps, and any other picture has many near zero: there
    a change of less than half a step is rounded away. What is at least `WORTH` of a step becomes at least `KEPT` of it;
    the rest stays, for who compresses otherwise.

    Args:
        change: as strong as it will be published, and in the picture's place, so that it has the same blocks.
        quality: of the JPEG, from 1 to 100.
    """
    height, width = change.shape[-2:]
    steps = _table(LUMA_TABLE, torch.full((len(change),), quality, device=change.device))[:, None, None, None]
    coefficients = _coefficients(F.pad(change, (0, -width % BLOCK, 0, -height % BLOCK), mode="replicate"))
    kept = coefficients.sign() * coefficients.abs().maximum(KEPT * steps)
    kept = torch.where(coefficients.abs() >= WORTH * steps, kept, coefficients)
    return _from_coefficients(coefficients + (kept - coefficients).detach())[..., :height, :width]


def _quantised(plane: Float[Tensor, "n c h w"], table: Float[Tensor, "n 8 8"]) -> Float[Tensor, "n c h w"]:
    """Round the cosine coefficients of every block to multiples of the table."""
    coefficients, steps = _coefficients(plane), table[:, None, None, None]
    rounded = (coefficients / steps).round() * steps
    return _from_coefficients(coefficients + (rounded - coefficients).detach())


def _coefficients(plane: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c rows columns 8 8"]:
    """The cosine coefficients of every block; sides must be whole blocks."""
    count, channels, height, width = plane.shape
    blocks = plane.reshape(count, channels, height // BLOCK, BLOCK, width // BLOCK, BLOCK).transpose(3, 4)
    basis = _cosines().to(plane.device)
    return basis @ blocks @ basis.T


def _from_coefficients(coefficients: Float[Tensor, "n c rows columns 8 8"]) -> Float[Tensor, "n c h w"]:
    basis = _cosines().to(coefficients.device)
    blocks = basis.T @ coefficients @ basis
    count, channels, rows, columns = blocks.shape[:4]
    return blocks.transpose(3, 4).reshape(count, channels, rows * BLOCK, columns * BLOCK)


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
