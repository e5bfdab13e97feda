"""An attacker with the public weights: reveal what is hidden, hide it again, subtract what that adds."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from unlearnable.hiding.inference import perturbations, prepare, reveal_secrets, weights_named
from unlearnable.hiding.network import WEIGHTS, Hider
from unlearnable.images.imageset import ImageSet, to_bytes
from unlearnable.training.countermeasure import Countermeasure, Knowledge, countermeasures

CHUNK = 256


@countermeasures.register("reveal")
class RevealAndSubtract(Countermeasure):
    """Deep Hiding's own reverse pass (eq. 4), turned against it.

    Attributes:
        weights: of the `Hider` that the attacker guesses was used, as `deep_hiding` names them.
        average: whether the revealed secrets of a class are averaged first, as a class-wise secret is the same in
            all its pictures.
    """

    weights: str = ""
    average: bool = True

    def find_files(self) -> tuple[Path, ...]:
        """The weights."""
        return (weights_named(self.weights) / WEIGHTS,)

    def purify(self, data: ImageSet, knowledge: Knowledge) -> ImageSet:
        """Subtract the perturbation that the revealed secret would cause."""
        hider = prepare(Hider.load(weights_named(self.weights)), data.images.device)
        secrets = reveal_secrets(hider, data.images, knowledge.seed)
        if self.average:
            secrets = _class_means(secrets, data.labels.cpu())
        pairs = zip(data.images.split(CHUNK), secrets.split(CHUNK), strict=True)
        return replace(data, images=torch.cat([_without(hider, *pair) for pair in pairs]))


def _without(hider: Hider, images: Tensor, secrets: Tensor) -> Tensor:
    change = perturbations(hider, images, secrets).to(images.device)
    return to_bytes(images - change)


def _class_means(pictures: Tensor, labels: Tensor) -> Tensor:
    means = pictures.clone()
    for label in labels.unique():
        means[labels == label] = pictures[labels == label].float().mean(0).round().to(torch.uint8)
    return means
