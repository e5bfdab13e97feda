"""Entangled features: pictures whose features leave those of their class, against adversarial training (EntF).

"Is Adversarial Training Really a Silver Bullet for Mitigating Data Poisoning?", Wen, Zhao, Liu, Backes, Wang and
Zhang, ICLR 2023.
"""

import math
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from unlearnable.compute.devices import at_once, fast
from unlearnable.images.imageset import Images, ImageSet
from unlearnable.options import PositiveGreyLevels, PositiveInt, Share
from unlearnable.protections.base import protections
from unlearnable.protections.sign_steps import Objective, SignStepped, SignSteps
from unlearnable.training.adversarial import AdversarialTraining
from unlearnable.victims.features import penultimate

Features = Float[Tensor, "n c"]


@protections.register("entf")
class EntF(SignStepped):
    """Features moved away from their class's mean, or onto that of another class, in an adversarially trained network.

    Made against adversarial training with a ball of half the budget; ordinary training loses little by it. The
    surrogate's step size falls by the recipe's schedule; the authors' falls tenfold at two epochs.

    Attributes:
        goal: ``push`` away from the own class's mean feature (the authors' default), or ``pull`` to the nearest other.
        surrogate: the reference model (authors: ResNet-18).
        recipe: of its training, whose ``epochs`` are taken as they are (authors: 100).
        reference_radius: of the ball of its adversarial training, in grey levels (authors: 4); ten steps of half of it.
        passes: signed steps of every picture (authors: 300).
        step: as a part of the radius (authors: 0.05).
        budget: authors: 8/255 in L-inf; the search's L-inf ball has this `radius`.
    """

    goal: Literal["push", "pull"] = "push"
    surrogate: str = "resnet18"
    recipe: str = "paper:epochs=100"
    reference_radius: PositiveGreyLevels = 4.0
    passes: PositiveInt = 300
    step: Share = 0.05
    budget: str = "linf:8"

    def optimisation(self, data: ImageSet, seed: int) -> SignSteps:
        """Adversarial training, then the steps of the features."""
        radius = self.reference_radius
        return self.sign_steps(data, AdversarialTraining(radius=radius, step=radius / 2, steps=10))

    def objective(self, model: nn.Module, data: ImageSet) -> Objective:
        """Mean squared distance from the own class's mean feature, negated, or to the nearest other class's."""
        present = data.labels.unique()
        means = mean_features(model, data, present)

        def losses(images: Images, labels: Int64[Tensor, " n"]) -> Float[Tensor, " n"]:
            features, own = penultimate(model, images).float(), torch.searchsorted(present, labels)
            if self.goal == "push":
                return -(features - means[own]).square().mean(1)
            return (features - means[nearest_other(features.detach(), means, own)]).square().mean(1)

        return losses


@torch.no_grad()
def mean_features(model: nn.Module, data: ImageSet, present: Int64[Tensor, " k"]) -> Float[Tensor, "k c"]:
    """Of the clean pictures of every class in ``present``."""
    batches = data.images.split(at_once(data.images))
    with fast(data.images.device):
        parts = [penultimate(model, images.float() / 255).float() for images in batches]
    features = torch.cat(parts)
    return torch.stack([features[data.labels == label].mean(0) for label in present])


def nearest_other(features: Features, means: Float[Tensor, "k c"], own: Int64[Tensor, " n"]) -> Int64[Tensor, " n"]:
    """Which of the means is nearest to each feature, its own aside."""
    distances = torch.cdist(features, means, compute_mode="donot_use_mm_for_euclid_dist")
    return distances.scatter(1, own[:, None], math.inf).argmin(1)
