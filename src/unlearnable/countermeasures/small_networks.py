"""Small networks that a trainer trains for himself, before the training; what they predict is taken away."""

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from unlearnable.compute.devices import at_once, fast
from unlearnable.images.imageset import ImageSet, to_bytes


def learn(
    network: nn.Module, loss: Callable[[torch.Generator], Tensor], steps: int, seed: int, learning_rate: float = 1e-3
) -> nn.Module:
    """The network after so many steps of Adam, whose size falls to zero as a cosine; in evaluation mode.

    Args:
        network: on the device where it learns.
        loss: of one step; what it draws comes from the generator, which is on the CPU.
        steps: of Adam.
        seed: of the generator.
        learning_rate: at the beginning.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate)
    decay = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5 * (1 + math.cos(math.pi * step / steps)))
    for _ in range(steps):
        value = loss(generator)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        decay.step()
    return network.eval()


@torch.inference_mode()
def subtracted(data: ImageSet, predict: Callable[[Tensor, Tensor], Tensor]) -> ImageSet:
    """The pictures without what ``predict`` makes of some of them, in [0, 1], and of their labels."""
    chunks = at_once(data.images)
    restored = []
    for images, labels in zip(data.images.split(chunks), data.labels.split(chunks), strict=True):
        unit = (images.float() / 255).contiguous(memory_format=torch.channels_last)
        with fast(unit.device):
            change = predict(unit, labels).float()
        restored.append(to_bytes((unit - change) * 255))
    return replace(data, images=torch.cat(restored).contiguous())
