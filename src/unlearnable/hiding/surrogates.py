"""The frozen networks whose features are pulled, and where the classes lie among them.

Features are standardised by how much they differ among pictures of one class, so that those count by which classes can
be told apart, as they do for who fits a linear probe (Fisher, 1936).
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from unlearnable.compute.devices import at_once, has_fast_bf16
from unlearnable.images.imageset import Images, Images8
from unlearnable.victims.architectures import Victim, victim_named
from unlearnable.victims.backbones import BACKBONES, Backbone, weights_file
from unlearnable.victims.features import penultimate
from unlearnable.victims.folding import folded

HELD_OUT = "efficientnet_lite1"  # tests the carrier, so nothing is ever made against it
SURROGATES = tuple(name for name in BACKBONES if name != HELD_OUT)
SIDE = 224  # px, of the pictures in which features are looked for
LEAST, MOST = 160, SIDE  # px, to which pictures are reduced before one of these networks sees them

Squares = Float[Tensor, "n 3 side side"]
Features = Float[Tensor, "n d"]
Labels = Int64[Tensor, " n"]


@dataclass(frozen=True)
class Surrogate:
    """A frozen network, and its features of the owner's pictures.

    Attributes:
        model: the network.
        mean: of each feature over the pictures.
        deviation: of each feature within the classes.
        centres: of each class's standardised features, of length 1; of one class, where its pictures come from and
            where they are pulled to (`hiding.foreign`).
        sizes: px, at which it sees pictures, at least and at most.
    """

    model: nn.Module
    mean: Float[Tensor, " d"]
    deviation: Float[Tensor, " d"]
    centres: Float[Tensor, "classes d"]
    sizes: tuple[int, int] = (LEAST, MOST)

    @classmethod
    def of(cls, name: str, pictures: Images8, labels: Labels, classes: int, device: torch.device) -> "Surrogate":
        """The network of that name, which looks at some of the owner's pictures of every class.

        Raises:
            ValueError: it is held out for tests, or nobody knows it.
            FileNotFoundError: its weights are not there.
        """
        model = network_named(name, device)
        seen = features_of_all(model, pictures, device)
        members = F.one_hot(labels.to(device), classes).float()
        means = members.T @ seen / members.sum(0).clamp_min(1)[:, None]
        deviation = (seen - means[labels.to(device)]).square().mean(0).sqrt().clamp_min(1e-3)
        centres = torch.where(members.any(0)[:, None], means - seen.mean(0), 0.0)  # of no picture: nowhere
        return cls(model, seen.mean(0), deviation, F.normalize(centres / deviation, dim=1))

    def directions(self, pictures: Images) -> Features:
        """Standardised features of pictures in [0, 1], of length 1."""
        return self.standardised(features_of(self.model, pictures))

    def standardised(self, features: Features) -> Features:
        """In units of their deviation from the mean, of length 1."""
        return F.normalize((features - self.mean) / self.deviation, dim=1)


def network_named(name: str, device: torch.device) -> nn.Module:
    """One of `SURROGATES`, or ``NETWORK@FILE``, a timm network with weights in a safetensors file; frozen, for use.

    Raises:
        ValueError: it is held out for tests, or nobody knows it.
        FileNotFoundError: its package is not installed.
    """
    file = surrogate_file(name)
    if name in SURROGATES:
        victim: Victim = Backbone(pretrained=name, enlarges=False)
    else:
        victim = replace(victim_named(name.partition("@")[0]), pretrained=str(file))
    model = folded(victim.build(1, SIDE).eval().requires_grad_(False), SIDE)
    return model.to(device).to(memory_format=torch.channels_last)


def surrogate_file(name: str) -> Path:
    """Where the weights of a surrogate are; see `network_named`.

    Raises:
        ValueError: it is held out for tests, or nobody knows it.
        FileNotFoundError: its package is not installed.
    """
    if name == HELD_OUT:
        raise ValueError(f"{HELD_OUT} is kept for tests: choose surrogates among {', '.join(SURROGATES)}")
    if name in SURROGATES:
        return weights_file(name)
    if "@" not in name:
        raise ValueError(f"expected a surrogate among {', '.join(SURROGATES)}, or NETWORK@FILE, got {name!r}")
    return Path(name.partition("@")[2])


@torch.inference_mode()
def features_of_all(model: nn.Module, pictures: Images8, device: torch.device) -> Features:
    """What the last layer sees of pictures of any number, each as a square of `SIDE`."""
    batches = (batch.to(device).float() / 255 for batch in pictures.split(at_once(pictures)))
    return torch.cat([features_of(model, resized(batch, SIDE)) for batch in batches])


def features_of(model: nn.Module, pictures: Images) -> Features:
    """What the last layer of a network sees; in bf16 on GPUs alone, as on CPUs it slows depthwise convolutions."""
    device = pictures.device
    told: dict[str, Any] = getattr(model, "pretrained_cfg", None) or {}
    if told.get("fixed_input_size"):  # a transformer, say
        pictures = F.interpolate(pictures, (SIDE, SIDE), mode="bilinear")
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda" and has_fast_bf16(device)):
        return penultimate(model, pictures.contiguous(memory_format=torch.channels_last)).float()


def resized(pictures: Images, side: int) -> Squares:
    """Pictures as squares of ``side`` px; larger ones are smoothed."""
    smaller: Squares = F.interpolate(pictures, (side, side), mode="bilinear", antialias=True)
    return smaller
