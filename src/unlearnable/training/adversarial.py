"""Adversarial training (Madry et al., ICLR 2018, arXiv 1706.06083)."""

from torch import Tensor, nn

from unlearnable.images.imageset import Images
from unlearnable.options import GreyLevels, NonNegativeInt
from unlearnable.training.countermeasure import Countermeasure, Targets, countermeasures
from unlearnable.training.pgd import PGD, loss_gradient
from unlearnable.training.recipes import Recipe
from unlearnable.victims.architectures import Victim
from unlearnable.victims.features import evaluating


@countermeasures.register("at")
class AdversarialTraining(Countermeasure):
    """Train on pictures that an attacker has changed, inside an L-inf ball, to raise the loss.

    The attack (PGD) starts anywhere in the ball, as its authors' does, and sees the network in evaluation mode, as that
    of ISS does.

    Attributes:
        radius: of the ball, in grey levels of 255 (paper: 8).
        step: of the attack, in grey levels (paper: 2).
        steps: of the attack (paper: 10; others take 5 on ImageNet).
    """

    radius: GreyLevels = 8.0
    step: GreyLevels = 2.0
    steps: NonNegativeInt = 10

    @property
    def effort(self) -> float:
        """Every step of the attack is a pass there and back."""
        return 1.0 + self.steps

    def check_trains(self, victim: Victim) -> None:
        """A frozen one cannot become robust: its last layer alone would learn."""
        if victim.frozen:
            raise ValueError(f"expected a victim that learns in all layers, got the frozen {victim}")

    def adjust_recipe(self, recipe: Recipe) -> Recipe:
        """Takes the recipe's ``long_epochs``."""
        return recipe.longer()

    def loss(self, model: nn.Module, images: Images, targets: Targets, smoothing: float) -> tuple[Tensor, Tensor]:
        """The loss on attacked pictures."""
        return super().loss(model, self.attacked(model, images, targets), targets, smoothing)

    def attacked(self, model: nn.Module, images: Images, targets: Targets) -> Images:
        """PGD uphill from a random start: see `PGD`."""
        attack = PGD(self.radius, self.step, self.steps)
        with evaluating(model):
            return attack.attacked(images, lambda seen: loss_gradient(model, seen, targets))
