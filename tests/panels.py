"""Small panels for tests of figures."""

from dataclasses import replace

import torch

from sets import tinted
from unlearnable.figures import Panel
from unlearnable.images.imageset import ImageSet
from unlearnable.victims.architectures import victim_named


def shifted_by(data: ImageSet, levels: int) -> ImageSet:
    """Every picture with its class's number of ``levels`` added to a column."""
    images = data.images.clone()
    images[torch.arange(len(data)), :, :, data.labels] += levels
    return replace(data, images=images)


def panels(*, trained: bool = True) -> list[Panel]:
    """Clean and protected pictures of four classes, 8 px, with a small network that has learnt nothing."""
    clean = tinted(40)
    torch.manual_seed(0)
    model = victim_named("resnet9:width=4").build(4, 8) if trained else None
    names = {"clean": clean, "stripes:levels=8": shifted_by(clean, 8)}
    how = "jpeg:quality=10" if trained else ""
    return [Panel(name, clean, protected, clean[:12], how, model) for name, protected in names.items()]
