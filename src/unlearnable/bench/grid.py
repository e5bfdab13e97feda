"""The product of lists of which a plan consists."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, get_origin, get_type_hints

from unlearnable.bench.entry import CLEAN, Entry, TrainingSet, protecting
from unlearnable.budget import Budget
from unlearnable.countermeasures.columns import columns
from unlearnable.recipes import recipe_named
from unlearnable.stored import typed
from unlearnable.victims import victim_named

SAID = {
    dict: "names and what they stand for",
    tuple: "a list of texts or numbers",
    str: "a text",
    int: "a whole number",
}


@dataclass(frozen=True)
class Grid:
    """A product of lists; in a plan's file the names may stand at the top, for all grids.

    Attributes:
        protections: names of rows, and the protections as text.
        data: names of data sets, and of each the ``train`` and ``test`` set as text.
        countermeasures: as `columns` takes them.
        victims: as text.
        shares: of protected pictures.
        budgets: on which every protection is projected; an empty one stands for the native one.
        recipe: as text.
        seeds: trainings of each cell.
        protection_seed: of the protections.
    """

    protections: dict[str, str]
    data: dict[str, dict[str, str]]
    countermeasures: tuple[str, ...] = ("table1",)
    victims: tuple[str, ...] = ("resnet18",)
    shares: tuple[float, ...] = (1.0,)
    budgets: tuple[str, ...] = ("",)
    recipe: str = "paper"
    seeds: int = 1
    protection_seed: int = 0

    def __post_init__(self) -> None:
        if not self.protections or not self.data:
            raise ValueError("expected protections and data in every grid, or at the top of the plan")
        for name, sets in self.data.items():
            if set(sets) != {"train", "test"}:
                raise ValueError(f"expected train and test of the data set {name}, got {sets!r}")
        for share in self.shares:
            if not 0 < share <= 1:
                raise ValueError(f"expected shares above 0 and up to 1, got {share}")
        if self.seeds < 1:
            raise ValueError(f"expected at least one seed, got {self.seeds}")
        for budget in filter(None, self.budgets):
            Budget.parse(budget)
        for victim in self.victims:
            victim_named(victim)
        recipe_named(self.recipe)

    @classmethod
    def of(cls, content: dict[str, Any]) -> "Grid":
        """What a plan's file says of a grid.

        Raises:
            ValueError: it says something that a grid has not, or cannot have.
        """
        kinds = get_type_hints(cls)
        if unknown := sorted(set(map(str, content)) - set(kinds)):
            raise ValueError(f"a grid has no {', '.join(unknown)}; it has {', '.join(sorted(kinds))}")
        protections = content.get("protections")
        if isinstance(protections, list):
            content = content | {"protections": {text: text for text in protections}}
        values = {name: _value(name, value, kinds[name]) for name, value in content.items()}
        if "shares" in values:
            values["shares"] = tuple(map(float, values["shares"]))
        return cls(**{"protections": {}, "data": {}} | values)

    def entries(self) -> Iterator[Entry]:
        """Every cell, those of one training set together."""
        names = columns(",".join(self.countermeasures), self.recipe)
        for (table, sets), share, budget, (row, text) in product(
            self.data.items(), self.shares, self.budgets, self.protections.items()
        ):
            protection, kept = self._protection(text, budget)
            training = TrainingSet(
                sets["train"], protection, self.protection_seed, 1.0 if protection == CLEAN else share
            )
            for victim, countermeasure, seed in product(self.victims, names, range(self.seeds)):
                yield Entry(table, row, kept, training, sets["test"], victim, countermeasure, self.recipe, seed)

    def _protection(self, text: str, budget: str) -> tuple[str, str]:
        """The protection on ``budget``, and the budget where it is not the protection's own."""
        if protecting(text) is None or not budget:
            return text, ""
        return f"{text}{',' if ':' in text else ':'}budget={budget}", budget


def _value(name: str, value: Any, kind: Any) -> Any:
    """What a grid says of ``name``."""
    try:
        return typed(value, kind)
    except TypeError:
        raise ValueError(f"expected {name} as {SAID[get_origin(kind) or kind]}, got {value!r:.80}") from None
