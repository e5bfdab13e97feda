"""Starting from a backbone that somebody trained on other pictures: what most trainers do."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from annotated_types import Ge

from unlearnable.training.countermeasure import Countermeasure, countermeasures
from unlearnable.training.recipes import Recipe
from unlearnable.victims.architectures import Victim


@countermeasures.register("pretrained")
class Pretrained(Countermeasure):
    """Fine-tune a pretrained backbone, or train a linear layer on its features.

    Pictures come in [0, 1], as everywhere here, also where the weights were trained on normalised ones.

    Attributes:
        weights: safetensors file for the victim's network.
        frozen: whether the last layer alone is trained.
        slowdown: what the recipe's step size is divided by where all layers learn, so that nothing is shaken off.
    """

    weights: str
    frozen: bool = False
    slowdown: Annotated[float, Ge(1)] = 10.0

    def find_files(self) -> tuple[Path, ...]:
        """The weights."""
        return (Path(self.weights),)

    def adjust_victim(self, victim: Victim) -> Victim:
        """The same network with these weights."""
        return replace(victim, pretrained=self.weights, frozen=self.frozen)

    def adjust_recipe(self, recipe: Recipe) -> Recipe:
        """Smaller steps where all layers learn; a single layer takes the recipe's own."""
        return recipe if self.frozen else replace(recipe, learning_rate=recipe.learning_rate / self.slowdown)
