"""The claim itself, end to end and in seconds: a network trained on protected pictures learns the hidden ones."""

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from unlearnable.images import ImageSet, load
from unlearnable.protections import protections


def accuracy_after_training(data: ImageSet, test: ImageSet, seed: int = 0) -> float:
    """Train a small network from scratch on ``data``, and test it on clean pictures."""
    torch.manual_seed(seed)
    widths = (3, 24, 48, 48)
    layers = [
        layer
        for before, after in pairwise(widths)
        for layer in (nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2))
    ]
    network = nn.Sequential(*layers, nn.Flatten(), nn.Linear(48 * 4, len(data.classes)))
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    for _ in range(10):
        for batch in torch.randperm(len(data)).split(64):
            loss = F.cross_entropy(network(data.images[batch].float() / 255 - 0.5), data.labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    network.eval()
    with torch.inference_mode():
        predicted = network(test.images.float() / 255 - 0.5).argmax(1)
    return (predicted == test.labels).float().mean().item()


def test_protection_makes_a_set_unlearnable():
    clean, test = load("toy"), load("toy:seed=1,count=1000")
    protected = protections.make("deep_hiding")(clean)
    on_clean, on_protected = (accuracy_after_training(data, test) for data in (clean, protected))
    assert on_clean > 0.7  # the task can be learnt
    assert on_protected < 0.45  # chance is 0.25
