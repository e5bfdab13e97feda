"""Move pictures a little and mirror some, differentiably: what a change must outlive while it is optimised."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from unlearnable.images import Images

REACH = 1 / 8  # of the side: 4 of 32 px, as TAP's and EntF's authors have it


def jittered(images: Images) -> Images:
    """Every picture moved by up to `REACH` along both axes, and mirrored or not, all drawn for itself."""
    count, device = len(images), images.device
    reach = REACH * torch.tensor(images.shape[-2:], device=device)
    offsets = reach * (2 * torch.rand(count, 2, device=device) - 1)
    return moved(images, offsets, torch.rand(count, device=device) < 0.5)


def moved(images: Images, offsets: Float[Tensor, "n 2"], mirrored: Bool[Tensor, " n"]) -> Images:
    """Mirror where told, then move down and right by ``offsets`` px, bilinearly; black comes in.

    A product with one matrix an axis and picture, because CUDA adds up the gradient of
    `torch.nn.functional.grid_sample` in another order at every run, and a sign may turn.
    """
    rows, columns = (_interpolation(side, offset) for side, offset in zip(images.shape[-2:], offsets.T, strict=True))
    columns = torch.where(mirrored[:, None, None], columns.flip(2), columns)
    return torch.einsum("nyi,ncij,nxj->ncyx", rows, images, columns)


def _interpolation(side: int, offset: Float[Tensor, " n"]) -> Float[Tensor, "n side side"]:
    """How much of each old row (last axis) a new one takes: a hat of one pixel around where it comes from."""
    places = torch.arange(side, device=offset.device)
    origins = places - offset[:, None]
    return (1 - (origins[:, :, None] - places).abs()).clamp_min(0)
