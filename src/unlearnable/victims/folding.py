"""Batch normalisation folded into convolutions: a frozen network that answers the same, sooner (Jacob et al., 2018)."""

from collections.abc import Iterator
from copy import deepcopy
from itertools import pairwise

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from unlearnable.victims.features import penultimate

TOLERANCE = 1e-3  # of the largest feature


def folded(model: nn.Module, side: int) -> nn.Module:
    """A copy of a frozen network with each normalisation that follows a convolution folded into it.

    What follows what is read from the order in which a network lists its layers, and it may list them in any: one that
    then answers otherwise is given back as it was.

    Args:
        model: a victim's network on the CPU, in evaluation mode.
        side: px of the noise that both must answer alike.
    """
    noise = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    sooner = deepcopy(model)
    for parent in sooner.modules():
        for (name, convolution), (after, normalisation) in list(_pairs(parent)):
            parent.register_module(name, fuse_conv_bn_eval(convolution, normalisation))
            parent.register_module(after, _rest(normalisation))
    with torch.inference_mode():
        before, now = penultimate(model, noise), penultimate(sooner, noise)
    return sooner if float((now - before).abs().max()) <= TOLERANCE * float(before.abs().max()) else model


def _pairs(parent: nn.Module) -> Iterator[tuple[tuple[str, nn.Conv2d], tuple[str, nn.BatchNorm2d]]]:
    for (name, layer), (after, following) in pairwise(parent.named_children()):
        if not (isinstance(layer, nn.Conv2d) and isinstance(following, nn.BatchNorm2d)):
            continue
        if layer.out_channels == following.num_features:
            yield (name, layer), (after, following)


def _rest(normalisation: nn.BatchNorm2d) -> nn.Module:
    """What timm's do after normalising: dropout, and an activation."""
    return nn.Sequential(*normalisation.children())
