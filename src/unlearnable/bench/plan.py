"""A plan: which protections are trained on under which countermeasures, by which victims, how often.

A YAML file. What stands at its top holds for every grid, and a grid may say otherwise; a grid is the product of its
lists. See docs/bench.md.
"""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, product
from pathlib import Path
from typing import Any

from unlearnable.bench.columns import columns
from unlearnable.bench.paper import paper_table
from unlearnable.bench.planned_cell import CLEAN, REMAINDER, PlannedCell, TrainingSet, protecting
from unlearnable.bench.timing import work
from unlearnable.datasets import datasets
from unlearnable.figures import figure_named
from unlearnable.images.budget import Budget
from unlearnable.options import PositiveInt
from unlearnable.registry import check_fields
from unlearnable.storage.decode import decode, expecting, from_yaml
from unlearnable.training.recipes import recipe_named
from unlearnable.victims.architectures import victim_named


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

    protections: dict[str, str] = field(default_factory=dict)
    data: dict[str, dict[str, str]] = field(default_factory=dict)
    countermeasures: tuple[str, ...] = ("table1",)
    victims: tuple[str, ...] = ("resnet18",)
    shares: tuple[float, ...] = (1.0,)
    budgets: tuple[str, ...] = ("",)
    recipe: str = "paper"
    seeds: PositiveInt = 1
    protection_seed: int = 0

    def __post_init__(self) -> None:
        check_fields(self)
        if not self.protections or not self.data:
            raise ValueError("expected protections and data in every grid, or at the top of the plan")
        for name, sets in self.data.items():
            if set(sets) != {"train", "test"}:
                raise ValueError(f"expected train and test of the data set {name}, got {sets!r}")
            for text in sets.values():
                datasets.make(text)
        for share in self.shares:
            if not 0 < share <= 1:
                raise ValueError(f"expected shares above 0 and up to 1, got {share}")
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
        if isinstance(listed := content.get("protections"), list):
            content = content | {"protections": {str(text): text for text in listed}}
        grid: Grid = decode(content, cls)
        return grid

    def cells(self) -> Iterator[PlannedCell]:
        """Every cell, those of one training set together."""
        names = columns(",".join(self.countermeasures), self.recipe)
        for (table, sets), share, budget, (row, text) in product(
            self.data.items(), self.shares, self.budgets, self.protections.items()
        ):
            protection, changed = self._protection(text, budget)
            training = TrainingSet(
                sets["train"], protection, self.protection_seed, 1.0 if protection == CLEAN else share
            )
            for victim, countermeasure, seed in product(self.victims, names, range(self.seeds)):
                yield PlannedCell(
                    table, row, changed, training, sets["test"], victim, countermeasure, self.recipe, seed
                )

    def _protection(self, text: str, budget: str) -> tuple[str, str]:
        """The protection on ``budget``, and the budget where it is not the protection's own."""
        if protecting(text) is None or not budget:
            return text, ""
        return f"{text}{',' if ':' in text else ':'}budget={budget}", budget


@dataclass(frozen=True)
class Plan:
    """What a file asks for.

    Attributes:
        file: from which it was read.
        title: a line that says what is compared.
        paper: the table of the paper beside which the report puts the figures, such as ``table1``; empty for none.
        figure: what is drawn of the sets, or of the trained victims, as text; empty for nothing.
        cells: each once.
    """

    file: str
    title: str
    paper: str
    figure: str
    cells: tuple[PlannedCell, ...]

    @property
    def name(self) -> str:
        """That of the file, without its suffix."""
        return Path(self.file).stem

    @property
    def command(self) -> str:
        """Runs it."""
        return f"unlearnable bench {shlex.quote(self.file)}"

    @property
    def trains(self) -> bool:
        """Whether its cells are trained; a figure may show the sets alone."""
        return not self.figure or figure_named(self.figure).trains

    def part(self, part: str) -> "Plan":
        """The plan of one `shard` alone.

        Raises:
            ValueError: it is no such part, or the plan draws a figure.
        """
        cells = shard(self.cells, part)
        if self.figure and cells != self.cells:
            raise ValueError(f"expected all of {self.file}, whose figure needs all its panels, got part {part}")
        return replace(self, cells=cells)

    @classmethod
    def read(cls, file: str | Path) -> "Plan":
        """Read a YAML file.

        Raises:
            FileNotFoundError: there is none.
            ValueError: it is no plan; the message says where.
        """
        file = Path(file)
        with expecting("a plan", file):
            return cls._of(str(file), from_yaml(file.read_text()))

    @classmethod
    def _of(cls, file: str, content: dict[str, Any]) -> "Plan":
        own = {key: str(content.pop(key, "")) for key in ("title", "paper", "figure")}
        if own["figure"]:
            figure_named(own["figure"])
        if own["paper"]:
            paper_table(own["paper"])
        grids = decode(content.pop("grids", [{}]), list[dict[str, Any]], "grids")
        cells = [cell for grid in grids for cell in Grid.of(content | grid).cells()]
        if own["figure"]:
            _check_panels(cells)
        return cls(file, **own, cells=tuple(dict.fromkeys(cells)))


def shard(cells: Sequence[PlannedCell], part: str) -> tuple[PlannedCell, ...]:
    """The part ``1/3`` of the cells, or ``2/3``, ``3/3``: neighbours, and about as much work as in every other part.

    Raises:
        ValueError: it is no such part.
    """
    number, _, parts = part.partition("/")
    if not (number.isdigit() and parts.isdigit() and 1 <= int(number) <= int(parts)):
        raise ValueError(f"expected a part such as 1/3, up to 3/3, got {part!r}")
    efforts = [work(cell.countermeasure, recipe_named(cell.recipe).epochs) for cell in cells]
    middles = [before + effort / 2 for before, effort in zip(accumulate(efforts, initial=0.0), efforts, strict=False)]
    return tuple(
        cell
        for cell, middle in zip(cells, middles, strict=True)
        if int(middle * int(parts) / sum(efforts)) == int(number) - 1
    )


def _check_panels(cells: Sequence[PlannedCell]) -> None:
    """A figure sets the same pictures side by side."""
    data = {cell.table for cell in cells}
    if len(data) > 1 or any(cell.training.protection == REMAINDER for cell in cells):
        raise ValueError(f"expected a figure of all pictures of one data set, no remainder; got {', '.join(data)}")
