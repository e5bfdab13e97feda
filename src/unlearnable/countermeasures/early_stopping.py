"""Stopping early: the content is often learnt before, or beside, the shortcut (arXiv 2204.08615)."""

from unlearnable.options import Share
from unlearnable.training.countermeasure import Countermeasure, countermeasures
from unlearnable.training.recipes import Recipe


@countermeasures.register("early")
class EarlyStopping(Countermeasure):
    """Train for a part of the epochs, with the whole schedule of the step size squeezed into them.

    Attributes:
        part: of the recipe's epochs.
    """

    part: Share = 0.25

    @property
    def changes_nothing(self) -> bool:
        """All epochs."""
        return self.part == 1

    def adjust_recipe(self, recipe: Recipe) -> Recipe:
        """Fewer epochs, at least one."""
        return recipe.shortened(self.part)
