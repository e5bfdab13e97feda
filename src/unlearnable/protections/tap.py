"""Adversarial examples as poison: pictures that a clean classifier takes for another class (TAP).

"Adversarial Examples Make Strong Poisons", Fowl, Goldblum, Chiang, Geiping, Czaja and Goldstein, NeurIPS 2021,
arXiv 2106.10807.
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from unlearnable.images.imageset import Images, ImageSet
from unlearnable.options import PositiveInt, Share
from unlearnable.protections.base import protections
from unlearnable.protections.sign_steps import Objective, SignStepped, SignSteps
from unlearnable.training.countermeasure import Vanilla


@protections.register("tap")
class TAP(SignStepped):
    """PGD against a classifier that was trained on the clean pictures, through small shifts and flips.

    The surrogate sees pictures in [0, 1], as all victims here; the authors' sees them normalised. Its step size falls
    by the recipe's schedule; the authors' falls tenfold at three epochs.

    Attributes:
        targeted: whether to be taken for the next class that has pictures (the authors' stronger one), else for
            any but the own.
        surrogate: the classifier (authors: ResNet-18).
        recipe: of its training, whose ``epochs`` are taken as they are (authors: 40, Nesterov's momentum).
        passes: signed steps of every picture (authors: 250).
        step: as a part of the radius (authors: 0.05).
        restarts: from other noise, of which the best is kept (authors: 8, or 1 to save time).
        budget: authors: 8/255 in L-inf; the search's L-inf ball has this `radius`.
    """

    targeted: bool = True
    surrogate: str = "resnet18"
    recipe: str = "paper:epochs=40,nesterov=true"
    passes: PositiveInt = 250
    step: Share = 0.05
    restarts: PositiveInt = 8
    budget: str = "linf:8"

    def optimisation(self, data: ImageSet, seed: int) -> SignSteps:
        """Ordinary training, then the attack."""
        return self.sign_steps(data, Vanilla(), self.restarts)

    def objective(self, model: nn.Module, data: ImageSet) -> Objective:
        """Cross-entropy towards the next class, or away from the own."""
        present = data.labels.unique()
        following = torch.zeros(len(data.classes), dtype=present.dtype, device=present.device)
        following[present] = present.roll(-1)

        def losses(images: Images, labels: Int64[Tensor, " n"]) -> Float[Tensor, " n"]:
            wanted = following[labels] if self.targeted else labels
            entropy = F.cross_entropy(model(images).float(), wanted, reduction="none")
            return entropy if self.targeted else -entropy

        return losses
