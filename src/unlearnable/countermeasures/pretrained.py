"""Starting from a backbone that somebody trained on other pictures: what most trainers do."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from annotated_types import Ge

from unlearnable.training.countermeasure import Advantage, Countermeasure, countermeasures
from unlearnable.training.recipes import Recipe
from unlearnable.victims.architectures import Victim
from unlearnable.victims.backbones import BACKBONES, Backbone, weights_file


class WithBackbone(Countermeasure):
    """One that begins with weights.

    Attributes:
        weights: name of one of `BACKBONES`, or safetensors file for the victim's network.
    """

    weights: str

    @property
    def advantage(self) -> Advantage:
        """The backbone."""
        return "pretrained"

    @property
    def trains_head_alone(self) -> bool:
        """Whether the rest stays as it was."""
        return True

    def find_files(self) -> tuple[Path, ...]:
        """The weights."""
        return (weights_file(self.weights) if self.weights in BACKBONES else Path(self.weights),)

    def adjust_victim(self, victim: Victim) -> Victim:
        """The network that was named, whatever the victim; else the victim's with these weights."""
        if self.weights in BACKBONES:
            return Backbone(pretrained=self.weights, frozen=self.trains_head_alone)
        return replace(victim, pretrained=self.weights, frozen=self.trains_head_alone)

    def check_trains(self, victim: Victim) -> None:
        """The weights are there."""
        if self.weights not in BACKBONES and not Path(self.weights).is_file():
            raise ValueError(
                f"expected a safetensors file of weights, found none at {self.weights}; "
                f"backbones known by name: {', '.join(BACKBONES)}"
            )


@countermeasures.register("pretrained")
class Pretrained(WithBackbone):
    """Fine-tune a pretrained backbone, or train a linear layer on its features.

    Pictures are normalised as the weights ask: as their file states, else as timm does of a network of its name; those
    of the victims that are no timm names are taken for trained here, in [0, 1].

    Attributes:
        weights: efficientnet_lite0, efficientnet_lite1 or efficientnet_lite2, whatever the victim; or a safetensors
            file for the victim's network.
        frozen: whether the last layer alone is trained.
        slowdown: what the recipe's step size is divided by where all layers learn, so that nothing is shaken off.
    """

    weights: str
    frozen: bool = False
    slowdown: Annotated[float, Ge(1)] = 10.0

    @property
    def trains_head_alone(self) -> bool:
        """As it was told."""
        return self.frozen

    def adjust_recipe(self, recipe: Recipe) -> Recipe:
        """Smaller steps where all layers learn; a single layer takes the recipe's own."""
        return recipe if self.frozen else replace(recipe, learning_rate=recipe.learning_rate / self.slowdown)
