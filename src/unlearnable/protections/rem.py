"""Noise that adversarial training does not undo (Fu, He, Liu, Shen and Tao, ICLR 2022, arXiv 2203.14533).

"Robust Unlearnable Examples: Protecting Data Against Adversarial Learning": robust error-minimising noise (REM). The
noise lowers the loss of an adversarially trained surrogate, after the trainer's crop and flip and after an adversary's
own change.
"""

import math
from dataclasses import replace

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from unlearnable.images.imageset import Images, ImageSet
from unlearnable.options import GreyLevels, NonNegativeInt, PositiveFloat, PositiveGreyLevels, PositiveInt
from unlearnable.protections.base import protections
from unlearnable.protections.optimised import Optimisation
from unlearnable.protections.surrogate import OnSurrogate, Surrogate
from unlearnable.storage.checkpoint import State
from unlearnable.training.crops import PADDING, random_shift, split_batches
from unlearnable.training.pgd import PGD, Change
from unlearnable.training.recipes import recipe_named

DECAY = 0.1  # of the learning rate


@protections.register("rem")
class REM(OnSurrogate):
    """Min over the surrogate, min over the noise, max over the adversary's change; sample by sample.

    The trainer's crop shifts by up to 4 px, and by an eighth of the side where that is more; the authors cut large
    pictures at random scales instead. Pictures stay in [0, 1], where the authors subtract 0.5; before every step a
    picture is brought back into that range. The final noise is rounded once, with the picture that is published.

    Attributes:
        surrogate: victim on which the noise is optimised (paper: ResNet-18).
        iterations: batches on which the surrogate is trained (authors: 5000, on ImageNet 3000).
        batch_size: at most so many pictures, or three (authors: 128).
        learning_rate: of the surrogate, at first (authors: 0.1); its momentum and weight decay are the paper recipe's.
        decay: iterations after each of which a tenth of the learning rate is left (authors: 2000, on ImageNet 1200).
        steps: of PGD downhill, for the noise (authors: 10, on ImageNet 7).
        step: of it, in grey levels of 255 (authors: 1.6, on ImageNet 2).
        draws: crops and flips of a picture over which a step is averaged (authors: 5, on ImageNet 4).
        adversary: radius of the adversary's ball, in grey levels (authors: 4).
        adversary_steps: of PGD uphill, for the adversary (authors: 10, on ImageNet 7).
        adversary_step: of it, in grey levels (authors: 0.8, on ImageNet 1).
        budget: authors: 8/255 in L-inf; the search's L-inf ball has this `radius`.
    """

    surrogate: str = "resnet18"
    iterations: PositiveInt = 5000
    batch_size: PositiveInt = 128
    learning_rate: PositiveFloat = 0.1
    decay: PositiveInt = 2000
    steps: PositiveInt = 10
    step: PositiveGreyLevels = 1.6
    draws: PositiveInt = 5
    adversary: GreyLevels = 4.0
    adversary_steps: NonNegativeInt = 10
    adversary_step: GreyLevels = 0.8
    budget: str = "linf:8"

    @property
    def defence(self) -> PGD:
        """The walk of the noise."""
        return PGD(self.radius, self.step, self.steps)

    @property
    def attack(self) -> PGD:
        """The walk of the adversary."""
        return PGD(self.adversary, self.adversary_step, self.adversary_steps)

    def attacked(self, surrogate: Surrogate, images: Images, labels: Int64[Tensor, " n"]) -> Images:
        """Pictures as the adversary gives them to the surrogate."""
        return self.attack.attacked(images, lambda seen: surrogate.gradient(seen, labels))

    def foreseen(self, surrogate: Surrogate, images: Images, labels: Int64[Tensor, " n"]) -> Images:
        """Pictures on which the noise is to lower the loss: the attacked ones."""
        return self.attacked(surrogate, images, labels)

    def optimisation(self, data: ImageSet, seed: int) -> "MinMinMax":
        """The search for the noise; a step of it is an iteration, or the final noise of one batch."""
        return MinMinMax(self, data)


class MinMinMax(Optimisation):
    """The iterations, then the noise of every picture from the surrogate that it leaves.

    Attributes:
        order: of the pictures in this pass of the surrogate.
        noise: in [0, 1].
    """

    def __init__(self, method: REM, data: ImageSet) -> None:
        self.method, self.data = method, data
        recipe = replace(recipe_named("paper"), learning_rate=method.learning_rate)
        self.surrogate = Surrogate.of(method.surrogate, recipe, data)
        self.order = torch.arange(len(data), device=data.images.device)
        self.batches = split_batches(self.order, method.batch_size)
        self.noise = torch.zeros(data.images.shape, device=data.images.device)
        self.steps = method.iterations + len(self.batches)

    def advance(self) -> float:
        """An iteration, or the final noise of the next batch."""
        if self.done < self.method.iterations:
            return self._train()
        return self._keep(self.batches[self.done - self.method.iterations])

    def change(self) -> Float[Tensor, "n 3 h w"]:
        """The noise, in grey levels."""
        return self.noise * 255

    def state(self) -> State:
        """Order, noise and surrogate."""
        return {"order": self.order, "noise": self.noise, **self.surrogate.state()}

    def restore(self, state: State) -> None:
        """Put them back."""
        self.order = state["order"].to(self.order.device)
        self.noise.copy_(state["noise"])
        self.surrogate.restore(state)

    def _train(self) -> float:
        """One adversarial step of the surrogate on a batch with the noise that it asks for."""
        turn = self.done % len(self.batches)
        if turn == 0:
            self.order = torch.randperm(len(self.data), device=self.order.device)
        images, labels = self._pictures(split_batches(self.order, self.method.batch_size)[turn])
        published = (images + self._noise(images, labels)).clamp(0, 1)
        attacked = self.method.attacked(self.surrogate, _augmented(published), labels)
        for group in self.surrogate.optimizer.param_groups:
            group["lr"] = self.method.learning_rate * DECAY ** (self.done // self.method.decay)
        return self.surrogate.learn(attacked, labels)

    def _keep(self, batch: Int64[Tensor, " b"]) -> float:
        images, labels = self._pictures(batch)
        self.noise[batch] = noise = self._noise(images, labels)
        return self.surrogate.test((images + noise).clamp(0, 1), labels)[0]

    def _noise(self, images: Images, labels: Int64[Tensor, " b"]) -> Change:
        """From anywhere in the ball downhill."""
        defence = self.method.defence
        return defence.descend(images, defence.start(images), lambda seen: self._expected_gradient(seen, labels))

    def _expected_gradient(self, images: Images, labels: Int64[Tensor, " b"]) -> Float[Tensor, "b 3 h w"]:
        """Over crops and flips (EoT; Athalye et al., 2018); the adversary's change counts as constant."""
        draws = self.method.draws
        seen, labels = images.detach().requires_grad_(), labels.repeat(draws)
        augmented = _augmented(seen.repeat(draws, 1, 1, 1))
        foreseen = self.method.foreseen(self.surrogate, augmented.detach(), labels)
        (gradient,) = torch.autograd.grad(augmented, seen, self.surrogate.gradient(foreseen, labels))
        return gradient

    def _pictures(self, batch: Int64[Tensor, " b"]) -> tuple[Images, Int64[Tensor, " b"]]:
        return self.data.images[batch].float() / 255, self.data.labels[batch]


def _augmented(images: Images) -> Images:
    """Cropped and flipped, gradients flowing through."""
    return random_shift(images, max(PADDING, math.ceil(max(images.shape[-2:]) / 8)))
