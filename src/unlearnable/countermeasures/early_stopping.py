"""Stopping early: the content is often learnt before, or beside, the shortcut (arXiv 2204.08615)."""

from unlearnable.training.countermeasure import Countermeasure, countermeasures
from unlearnable.training.recipes import Recipe


@countermeasures.register("early")
class EarlyStopping(Countermeasure):
    """Train for a part of the epochs, with the whole schedule of the step size squeezed into them.

    Attributes:
        part: of the recipe's epochs, above 0 and at most 1.
    """

    part: float = 0.25

    def __post_init__(self) -> None:
        if not 0 < self.part <= 1:
            raise ValueError(f"expected a part of the epochs above 0, at most 1; got {self.part}")

    @property
    def changes_nothing(self) -> bool:
        """All epochs."""
        return self.part == 1

    def adjust_recipe(self, recipe: Recipe) -> Recipe:
        """Fewer epochs, at least one."""
        return recipe.shortened(self.part)
