"""An attacker who runs our tool on pictures of his own and learns to undo it (after BridgePure, arXiv 2412.21061).

BridgePure trains a diffusion bridge on leaked pairs; here a small residual network does, which two CPU cores can
train: a weaker attacker than the strongest known.
"""

from itertools import pairwise
from pathlib import Path
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn import functional as F

from unlearnable.compute.devices import fast, seeded
from unlearnable.countermeasures.small_networks import learn, subtracted
from unlearnable.images.imageset import ImageSet
from unlearnable.options import PositiveInt
from unlearnable.training.countermeasure import Advantage, Countermeasure, Knowledge, countermeasures

PATCH = 64  # px; larger pictures are learnt from patches
OWN_KEYS = 1 << 32  # the attacker's seeds start here, where nobody's protection is likely to have its own


@countermeasures.register("inverse")
class InverseNetwork(Countermeasure):
    """Protect clean pictures under keys of the attacker's own, learn the way back, apply it.

    Attributes:
        per_class: clean pictures of each class that he protects.
        protection: how he protects them; each pair gets another secret by default.
        keys: how often, each time under another key.
        steps: of Adam.
        channels: of the network's layers.
        depth: number of its convolutions.
    """

    per_class: PositiveInt = 200
    protection: str = "deep_hiding:per=sample"
    keys: PositiveInt = 2
    steps: PositiveInt = 600
    channels: PositiveInt = 48
    depth: Annotated[int, Ge(2)] = 6

    def __post_init__(self) -> None:
        from unlearnable.protections import protection_named

        protection_named(self.protection)

    @property
    def advantage(self) -> Advantage:
        """Clean pictures, which he protects himself."""
        return "clean"

    def find_files(self) -> tuple[Path, ...]:
        """The weights with which he protects."""
        from unlearnable.protections import protection_named

        return protection_named(self.protection).find_files()

    def check_serves(self, clean: ImageSet) -> None:
        """See `Countermeasure`: he must be able to protect his pictures."""
        from unlearnable.protections import protection_named

        super().check_serves(clean)
        protection_named(self.protection).check_serves(Knowledge(clean).clean_per_class(self.per_class), OWN_KEYS)

    def purify(self, data: ImageSet, knowledge: Knowledge) -> ImageSet:
        """Subtract the predicted perturbation."""
        from unlearnable.protections import protection_named

        own = knowledge.clean_per_class(self.per_class).to(torch.device("cpu"))  # where protections work
        protect = protection_named(self.protection)
        seeds = [OWN_KEYS + knowledge.seed + key for key in range(self.keys)]
        protected = torch.cat([protect(own, seed=seed).images for seed in seeds])
        clean = own.images.repeat(self.keys, 1, 1, 1)
        network = self.learn(protected.to(data.images.device), clean.to(data.images.device), knowledge.seed)
        return subtracted(data, lambda images, _: network(images))

    def learn(self, protected: Tensor, clean: Tensor, seed: int) -> nn.Module:
        """A network that predicts from a protected picture what was added to it, in [0, 1]."""
        device = clean.device
        with seeded(seed, device):
            network = _denoiser(self.channels, self.depth).to(device).to(memory_format=torch.channels_last)
        height, width = clean.shape[-2:]

        def loss(generator: torch.Generator) -> Tensor:
            chosen = torch.randint(len(clean), (64,), generator=generator)
            window = (chosen, slice(None), _span(height, generator), _span(width, generator))
            published, original = protected[window].float() / 255, clean[window].float() / 255
            with fast(device):
                change = network(published.contiguous(memory_format=torch.channels_last))
            return F.mse_loss(change.float(), published - original)

        return learn(network, loss, self.steps, seed)


def _span(side: int, generator: torch.Generator) -> slice:
    start = int(torch.randint(max(side - PATCH, 0) + 1, (), generator=generator))
    return slice(start, start + PATCH)


def _denoiser(channels: int, depth: int) -> nn.Sequential:
    widths = [3, *[channels] * (depth - 1), 3]
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(inplace=True)]
    for parameter in layers[-2].parameters():
        nn.init.zeros_(parameter)  # at first, nothing was added
    return nn.Sequential(*layers[:-1])
