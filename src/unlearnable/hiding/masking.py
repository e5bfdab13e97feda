"""Where a perturbation goes: to where a picture is busy.

The eye, and SSIM, forgive a change in texture that they see on a smooth wall (contrast masking: Legge and Foley,
1980), so the budget is spent there.
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
FULL = 224  # px of the short side; smaller pictures are masked less: nobody looks at their pixels, and there are few
LARGEST = 4.0  # times the mean: a single edge must not take all


def luma(pictures: Images) -> Plane:
    """The weighted mean of the colours."""
    weights = torch.tensor(LUMA, device=pictures.device, dtype=pictures.dtype)
    return torch.einsum("c,nchw->nhw", weights, pictures)[:, None]


def masked(change: Images, cover: Images) -> Images:
    """The change weighted by the cover's activity, without its mean: no colour cast."""
    weighted = change * activity(cover)
    return weighted - weighted.mean((2, 3), keepdim=True)


def activity(cover: Images) -> Plane:
    """How busy each place is: the standard deviation of luma around it, 1 on the picture's average."""
    plane = luma(cover)
    mean = _local_mean(plane)
    variance = (_local_mean(plane.square()) - mean.square()).clamp_min(0)
    deviation = _local_mean((variance + 1e-8).sqrt()) + FLOOR  # the root's gradient is infinite at zero
    weight = deviation ** (POWER * min(1.0, min(cover.shape[-2:]) / FULL))
    return (weight / weight.mean((2, 3), keepdim=True)).clamp_max(LARGEST)


def _local_mean(plane: Plane) -> Plane:
    return F.avg_pool2d(plane, WINDOW, stride=1, padding=WINDOW // 2, count_include_pad=False)
