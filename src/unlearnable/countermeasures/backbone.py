"""Starting from a backbone that somebody trained on other pictures: what most trainers do."""

from dataclasses import replace

from unlearnable.countermeasures.base import Countermeasure, countermeasures
from unlearnable.victims import Victim


@countermeasures.register("pretrained")
class Pretrained(Countermeasure):
    """Fine-tune a pretrained backbone, or train a linear layer on its features.

    Attributes:
        weights: safetensors file for the victim's network.
        frozen: whether the last layer alone is trained.
    """

    weights: str
    frozen: bool = False

    def choose(self, victim: Victim) -> Victim:
        """The same network with these weights."""
        return replace(victim, pretrained=self.weights, frozen=self.frozen)
