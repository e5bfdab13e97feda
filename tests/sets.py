"""Small sets of pictures and small networks for tests of training."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from samples import picture
from unlearnable.images.imageset import ImageSet


def noisy(count: int = 6, height: int = 20, width: int = 24, seed: int = 0) -> Tensor:
    """Independent random bytes, in colour, no square."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, (count, 3, height, width), generator=generator, dtype=torch.uint8)


def labelled(images: Tensor, classes: int = 4) -> ImageSet:
    """Label pictures in turn."""
    return ImageSet(images, torch.arange(len(images)) % classes, tuple("abcdefghij"[:classes]))


def smooth(count: int = 8, side: int = 32, seed: int = 0) -> ImageSet:
    """Smooth random pictures, in colour."""
    pictures = [np.array(picture(seed + index, side, side)) for index in range(count)]
    return labelled(torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous())


def tinted(count: int = 64, side: int = 8) -> ImageSet:
    """Four classes that a small network tells apart within a second: red, green, blue and grey, with noise."""
    noise = 10 * torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(0))
    tints = 40 * torch.eye(4, 3)[torch.arange(count) % 4, :, None, None]
    return labelled((128 + noise + tints).clamp(0, 255).to(torch.uint8))


def batch(data: ImageSet) -> tuple[Tensor, Tensor]:
    """Pictures in [0, 1] and the probabilities of their classes, as training sees them."""
    return data.images.float() / 255, F.one_hot(data.labels, len(data.classes)).float()


def linear(pixels: int, classes: int, seed: int = 0) -> nn.Module:
    """A linear classifier of pixels."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(pixels, classes))
