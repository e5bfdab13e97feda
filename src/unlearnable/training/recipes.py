"""How a victim is trained: epochs, batches, optimiser, step size."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from torch import nn

from unlearnable.options import BelowOne, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from unlearnable.registry import Registry
from unlearnable.victims.architectures import SMALL_SIDE

Schedule = Literal["cosine", "onecycle"]


@dataclass(frozen=True)
class Recipe:
    """A training from scratch, by stochastic gradient descent with momentum unless a recipe has another `optimizer`.

    Attributes:
        epochs: passes over the training set.
        long_epochs: passes where learning is slower: adversarial training, more than ten classes, or pictures
            above 64 px; 0 for as many as anywhere.
        batch_size: at most so many pictures a step.
        learning_rate: its peak.
        momentum: of SGD; how much of the mean of the gradients stays, in other optimisers.
        nesterov: whether the momentum looks ahead.
        weight_decay: on every parameter.
        label_smoothing: of the cross-entropy.
        schedule: ``cosine`` falls to zero from the first step on; ``onecycle`` rises over the first fifth and
            falls to zero in a straight line.
        algorithm: of the optimiser, by name.

    Examples:
        >>> from unlearnable import recipe_named
        >>> recipe = recipe_named("paper")
        >>> recipe.epochs, recipe.suited(classes=100, side=32).epochs, recipe.rate(0.5)
        (60, 100, 0.5)
    """

    algorithm: ClassVar[str] = "SGD"

    epochs: PositiveInt
    long_epochs: NonNegativeInt
    batch_size: PositiveInt
    learning_rate: PositiveFloat
    momentum: BelowOne
    nesterov: bool
    weight_decay: NonNegativeFloat
    label_smoothing: BelowOne
    schedule: Schedule

    def __post_init__(self) -> None:
        if self.nesterov and not self.momentum:
            raise ValueError("expected a momentum above 0 with nesterov=true, got momentum=0; take nesterov=false")

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """Of whatever in ``model`` learns."""
        return torch.optim.SGD(
            _learning(model),
            lr=self.learning_rate,
            momentum=self.momentum,
            nesterov=self.nesterov,
            weight_decay=self.weight_decay,
        )

    def rate(self, progress: float) -> float:
        """The step size as a part of its peak, after ``progress`` in [0, 1] of the training."""
        if self.schedule == "cosine":
            return 0.5 * (1 + math.cos(math.pi * progress))
        return min(progress / 0.2, (1 - progress) / 0.8)

    def longer(self) -> "Recipe":
        """This recipe for where learning is slower."""
        return replace(self, epochs=self.long_epochs or self.epochs)

    def shortened(self, part: float) -> "Recipe":
        """This recipe with a part of its epochs, at least one, usual and long alike: `longer` comes before or after."""
        usual, long = (max(1, round(epochs * part)) if epochs else 0 for epochs in (self.epochs, self.long_epochs))
        return replace(self, epochs=usual, long_epochs=long)

    def suited(self, classes: int, side: int) -> "Recipe":
        """This recipe for so many classes, and pictures of so many pixels a side."""
        slower = classes > 10 or side > SMALL_SIDE
        return self.longer() if slower else self


recipes: Registry[Recipe] = Registry("recipes")


def recipe_named(spec: str) -> Recipe:
    """A recipe by its name and parameters: ``quick``, ``paper:epochs=30``, ``transformer``.

    Raises:
        ValueError: unknown name or parameter, or a value that it cannot have.

    Examples:
        >>> from unlearnable import recipe_named
        >>> recipe = recipe_named("quick:epochs=3")
        >>> recipe.epochs, recipe.batch_size, recipe.learning_rate
        (3, 64, 0.1)
    """
    return recipes.make(spec)


@recipes.register("paper")
class Paper(Recipe):
    """The paper's protocol, which is that of ISS (arXiv 2301.13838) and EM (ICLR 2021).

    Attributes:
        epochs: 60 on CIFAR-10.
        long_epochs: 100 for adversarial training, CIFAR-100 and ImageNet.
        batch_size: 128.
        learning_rate: 0.1.
        momentum: 0.9.
        nesterov: no.
        weight_decay: 5e-4.
        label_smoothing: none.
        schedule: cosine.
    """

    epochs: PositiveInt = 60
    long_epochs: NonNegativeInt = 100
    batch_size: PositiveInt = 128
    learning_rate: PositiveFloat = 0.1
    momentum: BelowOne = 0.9
    nesterov: bool = False
    weight_decay: NonNegativeFloat = 5e-4
    label_smoothing: BelowOne = 0.0
    schedule: Schedule = "cosine"


@recipes.register("quick")
class Quick(Recipe):
    """For two CPU cores: few epochs, and what makes few epochs go far. Its figures are its own, not the paper's.

    Attributes:
        epochs: 10, enough for about 79 % with `resnet9` on a thousand CIFAR-10 pictures a class.
        long_epochs: as many.
        batch_size: 64: many steps matter more than large ones where pictures are few.
        learning_rate: 0.1.
        momentum: 0.9.
        nesterov: yes.
        weight_decay: 5e-4.
        label_smoothing: none.
        schedule: onecycle.
    """

    epochs: PositiveInt = 10
    long_epochs: NonNegativeInt = 0
    batch_size: PositiveInt = 64
    learning_rate: PositiveFloat = 0.1
    momentum: BelowOne = 0.9
    nesterov: bool = True
    weight_decay: NonNegativeFloat = 5e-4
    label_smoothing: BelowOne = 0.0
    schedule: Schedule = "onecycle"


@recipes.register("transformer")
class Transformer(Recipe):
    """AdamW, as vision transformers are trained (DeiT, arXiv 2012.12877), in which SGD learns slowly.

    Attributes:
        epochs: 60, as in the paper's protocol.
        long_epochs: 100 for adversarial training, CIFAR-100 and ImageNet.
        batch_size: 128.
        learning_rate: 1e-3 (How to train your ViT, arXiv 2106.10270).
        momentum: 0.9, Adam's beta_1; its beta_2 is 0.999.
        nesterov: no; AdamW has none.
        weight_decay: 0.05 (DeiT), not through the gradient but of the weights themselves.
        label_smoothing: none.
        schedule: onecycle, which warms up.
    """

    algorithm = "AdamW"

    epochs: PositiveInt = 60
    long_epochs: NonNegativeInt = 100
    batch_size: PositiveInt = 128
    learning_rate: PositiveFloat = 1e-3
    momentum: BelowOne = 0.9
    nesterov: bool = False
    weight_decay: NonNegativeFloat = 0.05
    label_smoothing: BelowOne = 0.0
    schedule: Schedule = "onecycle"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nesterov:
            raise ValueError(
                "expected nesterov=false: AdamW's momentum does not look ahead; take paper or quick for SGD"
            )

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """See `Recipe`."""
        return torch.optim.AdamW(
            _learning(model),
            lr=self.learning_rate,
            betas=(self.momentum, 0.999),
            weight_decay=self.weight_decay,
        )


def _learning(model: nn.Module) -> Iterator[nn.Parameter]:
    return (parameter for parameter in model.parameters() if parameter.requires_grad)
