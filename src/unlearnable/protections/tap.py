"""Adversarial examples as poison: pictures that a clean classifier takes for another class (TAP).

"Adversarial Examples Make Strong Poisons", Fowl, Goldblum, Chiang, Geiping, Czaja and Goldstein, NeurIPS 2021,
arXiv 2106.10807.
"""

from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from unlearnable.countermeasures.base import Images, countermeasure_named
from unlearnable.images import ImageSet
from unlearnable.protections.base import protections
from unlearnable.protections.sign_steps import Objective, SignStepped, SignSteps


@protections.register("tap")
class Tap(SignStepped):
    """PGD against a classifier that was trained on the clean pictures, through small shifts and flips.

    The surrogate sees pictures in [0, 1], as all victims here; the authors' sees them normalised. Its step size falls
    by the recipe's schedule; the authors' falls tenfold at three epochs.

    Attributes:
        targeted: whether to be taken for the next class (the authors' stronger one), else for any but the own.
        surrogate: the classifier (authors: ResNet-18).
        recipe: of its training, whose ``epochs`` are taken as they are (authors: 40, Nesterov's momentum).
        passes: signed steps of every picture (authors: 250).
        step: as a part of the radius (authors: 0.05).
        restarts: from other noise, of which the best is kept (authors: 8, or 1 to save time).
        budget: authors: 8/255 in L-inf. Of another norm the radius still bounds every value while it is optimised.
    """

    targeted: bool = True
    surrogate: str = "resnet18"
    recipe: str = "paper:epochs=40,nesterov=true"
    passes: int = 250
    step: float = 0.05
    restarts: int = 8
    budget: str = "linf:8"

    def optimisation(self, data: ImageSet, seed: int) -> SignSteps:
        """Ordinary training, then the attack."""
        return self.sign_steps(data, countermeasure_named("vanilla"), self.restarts)

    def objective(self, model: nn.Module, data: ImageSet) -> Objective:
        """Cross-entropy towards the next class, or away from the own."""
        classes = len(data.classes)

        def losses(images: Images, labels: Int64[Tensor, " n"]) -> Float[Tensor, " n"]:
            wanted = (labels + 1) % classes if self.targeted else labels
            entropy = F.cross_entropy(model(images).float(), wanted, reduction="none")
            return entropy if self.targeted else -entropy

        return losses
