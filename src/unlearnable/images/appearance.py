"""How pictures look, in figures: their colours and textures, place by place, where no network is there to see more."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from unlearnable.images.imageset import LUMA, Images8

SIDE = 64  # px, at which pictures are looked at
CELLS = 4  # along each side, of which each has figures of its own
ACROSS = ((1.0, -1.0, 0.0), (-0.5, -0.5, 1.0))  # red against green, blue against yellow


def appearance(pictures: Images8) -> Float[Tensor, "n 80"]:
    """Of every picture and each of its 16 cells: lightness, two colours, and how much changes across and down."""
    small = F.interpolate(pictures.float(), (SIDE, SIDE), mode="bilinear", antialias=True) / 255
    planes = torch.einsum("ck,nkhw->nchw", torch.tensor((LUMA, *ACROSS)), small)
    light = F.pad(planes[:, :1], (0, 1, 0, 1), mode="replicate")
    across, down = light.diff(dim=3)[:, :, :-1], light.diff(dim=2)[..., :-1]
    of_places = torch.cat([planes, across.abs(), down.abs()], 1)
    return F.adaptive_avg_pool2d(of_places, CELLS).flatten(1)
