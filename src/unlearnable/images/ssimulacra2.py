"""SSIMULACRA2 in torch: batches, and a gradient, so that a network or a picture can be made to score well.

What is reported is measured by the package (`images.visibility`), whose constants these are; a test holds one to the
other. Six scales, each half the one before; at each, in a perceptual colour space, how far the structure differs (as
SSIM) and where edges came or went, as a mean and as the fourth root of the mean fourth power.
"""

from functools import cache
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from unlearnable.images.imageset import Images

SCALES = 6
SMALLEST = 8  # px of a scale
SIGMA, RADIUS = 1.5, 5  # px of the Gaussian, and where it is cut off
SHIFTS = ((14.0, 0.42), (1.0, 0.01), (1.0, 0.55))  # of X, Y and B - Y: factor and offset, all positive afterwards
CONTRAST = 0.0009  # SSIM's C2
TINY = 1e-12
NOTHING = 1e-36  # of a fourth power: the root's gradient is infinite at zero

Planes = Float[Tensor, "n 3 _ _"]
Scores = Float[Tensor, " n"]


class Scale(NamedTuple):
    """The originals at one scale: themselves, their local means, mean squares, and how much edge is where."""

    planes: Planes
    means: Planes
    squares: Planes
    edges: Planes


class Ssimulacra2:
    """Scores pictures against their originals, which are prepared once.

    Args:
        originals: (n, 3, h, w), RGB in [0, 1], of at least 8 px; six scales ask for 225 px (`visibility.WHOLE`).

    Examples:
        >>> grey = torch.full((2, 3, 256, 256), 0.5)
        >>> Ssimulacra2(grey)(grey)
        tensor([100., 100.])
    """

    def __init__(self, originals: Images) -> None:
        self.scales: list[Scale] = []
        for planes in _scales(originals):
            means = _blurred(planes)
            self.scales.append(Scale(planes, means, _blurred(planes.square()), 1 + (planes - means).abs()))

    def __call__(self, published: Images) -> Scores:
        """The score of each: 100 where nothing differs, down to below zero."""
        found = [
            _differences(original, planes) for original, planes in zip(self.scales, _scales(published), strict=True)
        ]
        stacked = torch.stack(found, 2)  # n, colours, scales, two norms of three maps
        weights = _weights().to(stacked)[: stacked[0].numel()].view(stacked.shape[1:])
        total = 0.9562382616834844 * (weights * stacked).sum((1, 2, 3))
        total = 2.326765642916932 * total - 0.020884521182843837 * total**2 + 6.248496625763138e-05 * total**3
        scores: Scores = 100 - 10 * total.clamp_min(TINY) ** 0.6276336467831387
        return scores


def _differences(original: Scale, planes: Planes) -> Float[Tensor, "n 3 6"]:
    """Both norms of what SSIM sees, of edges that came, and of edges that went."""
    means = _blurred(planes)
    own = original.squares - original.means.square()
    other = _blurred(planes.square()) - means.square()
    shared = _blurred(original.planes * planes) - original.means * means
    alike = (1 - (original.means - means).square()) * (2 * shared + CONTRAST) / (own + other + CONTRAST)
    edges = (1 + (planes - means).abs()) / original.edges - 1
    maps = torch.stack([(1 - alike).clamp_min(0), edges.clamp_min(0), (-edges).clamp_min(0)], 2)
    mean, fourth = maps.mean((3, 4)), (maps.pow(4).mean((3, 4)) + NOTHING) ** 0.25
    return torch.stack([mean, fourth], 2).flatten(2)


def _scales(pictures: Images) -> list[Planes]:
    """The pictures in the perceptual space, each scale half of the one before; halved in linear light."""
    linear = torch.where(pictures <= 0.04045, pictures / 12.92, ((pictures.clamp_min(0.04) + 0.055) / 1.055) ** 2.4)
    scales = [_perceived(linear)]
    while len(scales) < SCALES and min(scales[-1].shape[-2:]) >= 2 * SMALLEST - 1:
        linear = F.avg_pool2d(linear, 2, ceil_mode=True, count_include_pad=False)
        scales.append(_perceived(linear))
    return scales


def _perceived(linear: Images) -> Planes:
    """XYB, made positive."""
    matrix, bias = (part.to(linear) for part in _opsin())
    mixed = torch.einsum("dc,nchw->ndhw", matrix, linear) + bias[:, None, None]
    root = mixed.clamp_min(TINY) ** (1 / 3) - bias[:, None, None] ** (1 / 3)
    x, y = (root[:, 0] - root[:, 1]) / 2, (root[:, 0] + root[:, 1]) / 2
    (times_x, plus_x), (times_y, plus_y), (times_b, plus_b) = SHIFTS
    return torch.stack([times_x * x + plus_x, times_y * y + plus_y, times_b * (root[:, 2] - y) + plus_b], 1)


def _blurred(planes: Planes) -> Planes:
    """Gaussian; what lies above and below is the mirror image, what lies left and right is zero, as in the package."""
    height, width = planes.shape[-2:]
    down, across = _gaussian(height, mirrored=True), _gaussian(width, mirrored=False)
    blurred: Planes = down.to(planes) @ planes @ across.to(planes)
    return blurred


@cache
@torch.inference_mode(False)  # what is kept must serve who asks for gradients, too
def _gaussian(side: int, mirrored: bool) -> Float[Tensor, "side side"]:
    """The blur of one direction as a matrix: a product is several times faster than a convolution of one channel."""
    taps = torch.exp(-(torch.arange(-RADIUS, RADIUS + 1.0) ** 2) / (2 * SIGMA**2))
    matrix = torch.zeros(side, side)
    for shift, tap in zip(range(-RADIUS, RADIUS + 1), taps / taps.sum(), strict=True):
        seen = torch.arange(side) + shift
        inside = (seen >= 0) & (seen < side)
        if mirrored:
            seen = torch.where(seen < 0, -1 - seen, torch.where(seen >= side, 2 * side - 1 - seen, seen))
        matrix.index_put_((seen[inside | mirrored], torch.arange(side)[inside | mirrored]), tap, accumulate=True)
    return matrix.T.contiguous() if mirrored else matrix


@cache
@torch.inference_mode(False)
def _opsin() -> tuple[Float[Tensor, "3 3"], Float[Tensor, " 3"]]:
    from ssimulacra2 import ssimulacra2 as package

    return torch.from_numpy(package.kOpsinAbsorbanceMatrix).view(3, 3), torch.from_numpy(package.kOpsinAbsorbanceBias)


@cache
@torch.inference_mode(False)
def _weights() -> Float[Tensor, " 108"]:
    """By colour, scale, norm and map."""
    from ssimulacra2 import ssimulacra2 as package

    return torch.from_numpy(package.weights)
