"""A plan: which protections are trained on under which countermeasures, by which victims, how often.

A YAML file. What stands at its top holds for every grid, and a grid may say otherwise; a grid is the product of its
lists. See docs/bench.md.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import yaml

from unlearnable.bench.entry import REMAINDER, Entry
from unlearnable.bench.grid import Grid
from unlearnable.countermeasures import countermeasure_named
from unlearnable.figures import figure_named
from unlearnable.paper import paper_table


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
        entries = [entry for grid in grids for entry in Grid.of(content | grid).entries()]
        if own["figure"]:
            _check_shown(entries)
        return cls(file, **own, entries=tuple(dict.fromkeys(entries)))


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
