"""A plan: which protections are trained on under which countermeasures, by which victims, how often.

A YAML file. What stands at its top holds for every grid, and a grid may say otherwise; a grid is the product of its
lists. See docs/bench.md.
"""

import hashlib
import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, product
from pathlib import Path
from typing import Any, get_origin, get_type_hints

import yaml

from unlearnable.audit.columns import columns
from unlearnable.budget import Budget
from unlearnable.countermeasures import countermeasure_named
from unlearnable.protections import Protection, protection_named
from unlearnable.recipes import recipe_named
from unlearnable.report.figures import figure_named
from unlearnable.report.paper import paper_table
from unlearnable.stored import typed
from unlearnable.victims import victim_named

SAID = {
    dict: "names and what they stand for",
    tuple: "a list of texts or numbers",
    str: "a text",
    int: "a whole number",
}
CLEAN, REMAINDER = "clean", "remainder"  # in a protection's place: no picture protected, protected ones left out


@dataclass(frozen=True)
class TrainingSet:
    """What a victim is trained on: a data set of which a share has been protected.

    Attributes:
        data: as text that `load` takes.
        protection: as text; or ``clean``; or ``remainder``, what is left when a share is taken out.
        seed: of the protection, and of the draw of the share.
        share: of the pictures that are protected, above 0, at most 1; drawn at random.
    """

    data: str
    protection: str = CLEAN
    seed: int = 0
    share: float = 1.0

    @property
    def left(self) -> float:
        """Which part of the data set it holds: all of it, unless it is a remainder."""
        return 1 - self.share if self.protection == REMAINDER else 1.0

    @property
    def key(self) -> str:
        """Names it, however the same protection is spelled."""
        text = json.dumps([self.data, self.spelled, self.seed, self.share])
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    @property
    def spelled(self) -> str:
        """Its protection with all parameters, the same for all ways of writing it."""
        return self.protection if self.protecting is None else repr(self.protecting)

    @property
    def protecting(self) -> Protection | None:
        """The protection itself; None where no picture is protected."""
        return protecting(self.protection)

    @property
    def whole(self) -> "TrainingSet | None":
        """The same with all pictures protected, where protected pictures are taken from; None unless it is a share."""
        return replace(self, share=1.0) if self.share < 1 and self.protecting else None


@dataclass(frozen=True)
class Entry:
    """One cell of a plan, before anything is loaded.

    Attributes:
        table: name of the data set in the plan.
        row: name of the protection in the plan.
        budget: on which the protection was projected anew; empty for its native one.
        training: what is trained on.
        test: the test set, as text.
        victim, countermeasure, recipe: as text.
        seed: of the training.
    """

    table: str
    row: str
    budget: str
    training: TrainingSet
    test: str
    victim: str
    countermeasure: str
    recipe: str
    seed: int

    @property
    def clean(self) -> TrainingSet:
        """The clean pictures of which the training set was made."""
        return TrainingSet(self.training.data)

    @property
    def name(self) -> str:
        """For progress and messages."""
        shared = f" {self.training.share:.0%}" if self.training.share < 1 else ""
        budget = f" {self.budget}" if self.budget else ""
        return f"{self.table} {self.row}{budget}{shared}, {self.countermeasure}, {self.victim}, seed {self.seed}"


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


@dataclass(frozen=True)
class Plan:
    """What a file asks for.

    Attributes:
        file: from which it was read.
        title: a line that says what is compared.
        paper: the table of the paper beside which the report puts the figures, such as ``table1``; empty for none.
        figure: what is drawn of the sets, or of the trained victims, as text; empty for nothing.
        entries: every cell once.
    """

    file: str
    title: str
    paper: str
    figure: str
    entries: tuple[Entry, ...]

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
        entries = shard(self.entries, part)
        if self.figure and entries != self.entries:
            raise ValueError(f"expected the whole of {self.file}, whose figure needs all its panels, got part {part}")
        return replace(self, entries=entries)

    @classmethod
    def read(cls, file: str | Path) -> "Plan":
        """Read a YAML file.

        Raises:
            FileNotFoundError: there is none.
            ValueError: it is no plan; the message says where.
        """
        file = Path(file)
        try:
            return cls._of(str(file), yaml.safe_load(file.read_text()))
        except (ValueError, TypeError, yaml.YAMLError) as error:
            raise ValueError(f"{file} is not a plan: {error}") from None

    @classmethod
    def _of(cls, file: str, content: Any) -> "Plan":
        if not isinstance(content, dict):
            raise ValueError(f"expected names and values, got {str(content)[:80]!r}")
        own = {key: str(content.pop(key, "")) for key in ("title", "paper", "figure")}
        if own["figure"]:
            figure_named(own["figure"])
        if own["paper"]:
            paper_table(own["paper"])
        grids = content.pop("grids", [{}])
        if not isinstance(grids, list) or not all(isinstance(grid, dict) for grid in grids):
            raise ValueError(f"expected grids as a list of names and values, got {str(grids)[:80]!r}")
        entries = [entry for grid in grids for entry in _grid(content | grid).entries()]
        if own["figure"]:
            _check_shown(entries)
        return cls(file, **own, entries=tuple(dict.fromkeys(entries)))


def protecting(text: str) -> Protection | None:
    """The protection that a plan names; None where it says that no picture is protected."""
    return None if text in (CLEAN, REMAINDER) else protection_named(text)


def shard(entries: Sequence[Entry], part: str) -> tuple[Entry, ...]:
    """The part ``1/3`` of the cells, or ``2/3``, ``3/3``: neighbours, and about as much work as in every other part.

    Raises:
        ValueError: it is no such part.
    """
    number, _, parts = part.partition("/")
    if not (number.isdigit() and parts.isdigit() and 1 <= int(number) <= int(parts)):
        raise ValueError(f"expected a part such as 1/3, up to 3/3, got {part!r}")
    efforts = [countermeasure_named(entry.countermeasure).effort for entry in entries]
    middles = [before + effort / 2 for before, effort in zip(accumulate(efforts, initial=0.0), efforts, strict=False)]
    return tuple(
        entry
        for entry, middle in zip(entries, middles, strict=True)
        if int(middle * int(parts) / sum(efforts)) == int(number) - 1
    )


def _check_shown(entries: Sequence[Entry]) -> None:
    """A figure sets the same pictures side by side."""
    data = {entry.table for entry in entries}
    if len(data) > 1 or any(entry.training.protection == REMAINDER for entry in entries):
        raise ValueError(f"expected a figure of all pictures of one data set, no remainder; got {', '.join(data)}")


def _grid(content: dict[str, Any]) -> Grid:
    kinds = get_type_hints(Grid)
    if unknown := sorted(set(map(str, content)) - set(kinds)):
        raise ValueError(f"a grid has no {', '.join(unknown)}; it has {', '.join(sorted(kinds))}")
    protections = content.get("protections")
    if isinstance(protections, list):
        content = content | {"protections": {text: text for text in protections}}
    values = {name: _value(name, value, kinds[name]) for name, value in content.items()}
    if "shares" in values:
        values["shares"] = tuple(map(float, values["shares"]))
    return Grid(**{"protections": {}, "data": {}} | values)


def _value(name: str, value: Any, kind: Any) -> Any:
    """What a grid says of ``name``."""
    try:
        return typed(value, kind)
    except TypeError:
        raise ValueError(f"expected {name} as {SAID[get_origin(kind) or kind]}, got {value!r:.80}") from None
