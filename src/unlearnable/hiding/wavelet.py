"""The orthonormal Haar wavelet that takes a picture to the domain in which it is hidden (Haar, 1910).

The four phases of every 2x2 cell, halved, are summed with the signs of a 4x4 Hadamard matrix, so energy is
kept exactly and the inverse is the transpose. ``LL`` is twice the local mean.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


def haar(pictures: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c4 h2 w2"]:
    """Transform (n, c, h, w) to (n, 4c, h/2, w/2), channels ordered ``LL | HL | LH | HH``; h and w are even."""
    a, b = pictures[..., 0::2, 0::2], pictures[..., 1::2, 0::2]
    c, d = pictures[..., 0::2, 1::2], pictures[..., 1::2, 1::2]
    left, right = a + b, c + d
    rise, fall = b - a, d - c
    return torch.cat([left + right, right - left, rise + fall, fall - rise], dim=1) / 2


def inverse_haar(bands: Float[Tensor, "n c4 h2 w2"]) -> Float[Tensor, "n c h w"]:
    """Transform (n, 4c, h/2, w/2) back to (n, c, h, w)."""
    low, horizontal, vertical, diagonal = (bands / 2).chunk(4, dim=1)
    left, right = low - horizontal, low + horizontal
    rise, fall = vertical - diagonal, vertical + diagonal
    # pixel_shuffle reads its phases in the order (even, even), (even, odd), (odd, even), (odd, odd).
    phases = torch.stack([left - rise, right - fall, left + rise, right + fall], dim=2)
    return F.pixel_shuffle(phases.flatten(1, 2), 2)
