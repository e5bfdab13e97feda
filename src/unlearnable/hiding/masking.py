"""Where a perturbation goes, and in which colours: to where, and in what, the eye sees it least.

The eye forgives a change in texture that it sees on a smooth wall (contrast masking: Legge and Foley, 1980), so the
budget is spent there. And it hardly sees fine waves between yellow and blue (Mullen, 1985), which a network learns at
once: the three planes of a change can be light and dark, yellow and blue, red and green, each in its share.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from unlearnable.images.imageset import LUMA, Images

Plane = Float[Tensor, "n 1 h w"]

WINDOW = 5  # px, odd: about what an eye at reading distance takes in as one texture
FLOOR = 1 / 255  # activity that a perfectly smooth place counts as
POWER = 1.7  # of activity, from `FULL` px up: SSIM forgives more than in proportion
PLANES_POWER = 0.7  # of activity, where most is between yellow and blue: texture hides less of that, and less has to be
FULL = 224  # px of the short side; smaller pictures are masked less: nobody looks at their pixels, and there are few
LARGEST = 4.0  # times the mean: a single edge must not take all
SMALL = 32  # px of the short side up to which light and dark lead: they outlive grey and JPEG, and nobody looks closely
PLANES = ((0.774, 1.520, 0.295), (-0.219, -0.219, 1.704), (1.543, -0.786, 0.0))
# RMS of 1: the first has most luma that this allows, 1.16, of which JPEG and grey leave most; the others have none.


def luma(pictures: Images) -> Plane:
    """The weighted mean of the colours."""
    weights = torch.tensor(LUMA, device=pictures.device, dtype=pictures.dtype)
    return torch.einsum("c,nchw->nhw", weights, pictures)[:, None]


def coloured(planes: Images) -> Images:
    """A change of red, green and blue from one in three planes, each in its share at that size."""
    light = min(1.0, SMALL / min(planes.shape[-2:]))
    shares = torch.tensor([light, 1 - 0.7 * light, 0.2])
    colours = (shares[:, None] * torch.tensor(PLANES)).to(planes)
    change: Images = torch.einsum("kc,nkhw->nchw", colours, planes)
    return change


def masked(change: Images, cover: Images, power: float = POWER) -> Images:
    """The change weighted by the cover's activity, without its mean: no colour cast."""
    weighted = change * activity(cover, power)
    return weighted - weighted.mean((2, 3), keepdim=True)


def activity(cover: Images, power: float = POWER) -> Plane:
    """How busy each place is: the standard deviation of luma around it, 1 on the picture's average."""
    plane = luma(cover)
    mean = _local_mean(plane)
    variance = (_local_mean(plane.square()) - mean.square()).clamp_min(0)
    deviation = _local_mean((variance + 1e-8).sqrt()) + FLOOR  # the root's gradient is infinite at zero
    weight = deviation ** (power * min(1.0, min(cover.shape[-2:]) / FULL))
    return (weight / weight.mean((2, 3), keepdim=True)).clamp_max(LARGEST)


def _local_mean(plane: Plane) -> Plane:
    return F.avg_pool2d(plane, WINDOW, stride=1, padding=WINDOW // 2, count_include_pad=False)
