"""Crops and flips, drawn for every picture of a batch, and batches of about one size."""

import math

import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor
from torch.nn import functional as F

from unlearnable.images.imageset import Images8
from unlearnable.victims.architectures import SMALL_SIDE

PADDING = 4  # px around small pictures before they are cropped (He et al., 2016)


AREA, RATIO = (0.08, 1.0), (3 / 4, 4 / 3)  # of crops of large pictures (Szegedy et al., 2015)


def random_crop(images: Images8) -> Float[Tensor, "n 3 h w"]:
    """Crops and flips, drawn for every picture, and scaled to [0, 1].

    Small pictures: 4 px of zeros around, and any window of the old size. Large ones: 8 to 100 % of the area at a
    ratio of 3:4 to 4:3, bilinear.
    """
    return random_shift(images).float() / 255 if max(images.shape[-2:]) <= SMALL_SIDE else resized_crop(images)


def random_shift(images: Shaped[Tensor, "n 3 h w"], padding: int = PADDING) -> Shaped[Tensor, "n 3 h w"]:
    """Zeros around, and any window of the old size, mirrored half of the time; drawn for every picture.

    Gradients flow through it, and are the same at every repetition.

    Args:
        images: of any type.
        padding: how far the window can be off, in pixels.
    """
    count, _, height, width = images.shape
    device = images.device
    padded = F.pad(images, (padding,) * 4)
    top, left = torch.randint(2 * padding + 1, (2, count, 1), device=device)
    columns = torch.arange(width, device=device)
    columns = torch.where(torch.rand(count, 1, device=device) < 0.5, columns.flip(0), columns) + left
    rows = torch.arange(height, device=device) + top
    chosen = torch.arange(count, device=device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[chosen, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def split_batches(order: Int64[Tensor, " n"], size: int) -> tuple[Int64[Tensor, " m"], ...]:
    """Parts of ``order``, of about ``size`` at most and as equal as can be: batch norm needs two pictures in each."""
    return order.tensor_split(min(math.ceil(len(order) / size), len(order) // 2))


def resized_crop(images: Images8) -> Float[Tensor, "n 3 h w"]:
    """A part of each picture and its mirror image half of the time, as large as the whole and scaled to [0, 1]."""
    count, device = len(images), images.device
    area = torch.empty(count, device=device).uniform_(*AREA)
    ratio = torch.empty(count, device=device).uniform_(math.log(RATIO[0]), math.log(RATIO[1])).exp()
    width, height = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
    flip = torch.where(torch.rand(count, device=device) < 0.5, -1.0, 1.0)
    affine = torch.zeros(count, 2, 3, device=device)
    affine[:, 0, 0], affine[:, 1, 1] = width * flip, height
    affine[:, 0, 2] = (1 - width) * torch.empty(count, device=device).uniform_(-1, 1)
    affine[:, 1, 2] = (1 - height) * torch.empty(count, device=device).uniform_(-1, 1)
    grid = F.affine_grid(affine, list(images.shape), align_corners=False)
    return F.grid_sample(images.float() / 255, grid, padding_mode="reflection", align_corners=False)
