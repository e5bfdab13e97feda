"""Which figure of the paper stands beside one of ours, and what was done otherwise than in the paper."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from unlearnable.bench.paper import RECIPE, SETTINGS, SIZES, VICTIM, PaperTable, paper_table
from unlearnable.bench.planned_cell import protecting
from unlearnable.bench.sets import SetRecord
from unlearnable.countermeasures import countermeasure_named
from unlearnable.protections import protection_named
from unlearnable.protections.optimised import Optimised
from unlearnable.training.adversarial import AdversarialTraining
from unlearnable.training.recipes import recipe_named
from unlearnable.victims.architectures import Scalable, ViT, victim_named

OTHER_COLUMNS = ("table2", "table3")  # whose columns are no countermeasures: victims, shares of protected pictures


@dataclass(frozen=True)
class Column:
    """What a column of a table stands for.

    Attributes:
        countermeasure, victim, recipe: as text.
        share: of protected pictures; 0 for clean ones where it varies.
    """

    countermeasure: str
    victim: str
    share: float
    recipe: str

    @property
    def control(self) -> bool:
        """Whether it says nothing of a protection and counts nowhere: see `Countermeasure`."""
        return countermeasure_named(self.countermeasure).control


@dataclass(frozen=True)
class Comparison:
    """A table of the paper.

    Attributes:
        name: ``table1`` to ``table4``.
    """

    name: str

    @property
    def table(self) -> PaperTable:
        """Its figures."""
        return paper_table(self.name)

    def column(self, column: Column) -> str:
        """The paper's column that a column of ours stands beside; empty where there is none."""
        if self.name in OTHER_COLUMNS and column.countermeasure != "vanilla":
            return ""
        columns = self.table.columns
        if self.name == "table3":
            share = f"{column.share:g}"
            return share if share in columns else ""
        if 0 < column.share < 1:
            return ""
        if self.name == "table2":
            return _matching_victim(column.victim, columns)
        return _matching_countermeasure(column.countermeasure, columns)

    def accuracy(self, data: str, row: str, column: Column) -> float | None:
        """The paper's accuracy in [0, 1]; None where it has none."""
        return self.table.accuracy(data, row, self.column(column))

    def departures(
        self,
        data: str,
        protections: Mapping[str, str],
        columns: Iterable[Column],
        train: SetRecord | None,
        test: SetRecord | None,
    ) -> list[str]:
        """What was done otherwise than in the paper, each in a few words; empty where the protocol is the paper's.

        Args:
            data: name of the data set in the plan.
            protections: as text, by the names of their rows.
            columns: what was trained.
            train: the clean training set; None where it has not been made.
            test: the same of the test set.
        """
        columns, found = list(columns), []
        usual = recipe_named(RECIPE)
        for text in dict.fromkeys(column.recipe for column in columns):
            if (own := recipe_named(text)) != usual:
                epochs = f"{own.epochs} epochs" + (f" of {own.algorithm}" if own.algorithm != usual.algorithm else "")
                found.append(f"recipe {text}, {epochs}, in the paper {usual.epochs} or {usual.long_epochs}")
        expected = self.table.columns if self.name == "table2" else (VICTIM,)
        for victim in dict.fromkeys(column.victim for column in columns):
            if victim_named(victim) not in map(victim_named, expected):
                found.append(
                    f"victim {victim}, in the paper {_matching_victim(victim, expected) or ', '.join(expected)}"
                )
        if size := SIZES.get(data):
            counts = [(train, "training pictures", size.train), (test, "test pictures", size.test)]
            found += [
                f"{made.count:,} {what}, in the paper {count:,}"
                for made, what, count in counts
                if made and count and made.count != count
            ]
            if train and train.classes != size.classes:
                found.append(f"{train.classes} classes, in the paper {size.classes}")
            if train and train.size != size.side:
                found.append(f"pictures of {train.size} px, in the paper {size.side}")
        papers = self.table.rows(data)
        if other := [row for row, text in protections.items() if row in papers and not _as_authors(data, text)]:
            found.append(f"{', '.join(other)} optimised by other settings than their authors'")
        for text in dict.fromkeys(column.countermeasure for column in columns):
            theirs = _matching_countermeasure(text, self.table.columns) if self.name not in OTHER_COLUMNS else "vanilla"
            if theirs and countermeasure_named(text) != countermeasure_named(theirs):
                found.append(f"countermeasure {text}, in the paper {theirs}")
        return found

    def misprints(self, data: str, rows: Iterable[str]) -> list[str]:
        """Means that the paper prints and its rows do not give."""
        found = []
        for row in rows:
            printed = self.table.means.get((data, row))
            accuracies = [self.table.accuracies.get((data, row, column)) for column in self.table.columns]
            values = [accuracy for accuracy in accuracies if accuracy is not None]
            if printed is not None and abs(printed - sum(values) / len(values)) > 0.0001:
                mean = 100 * sum(values) / len(values)
                found.append(f"the paper prints {100 * printed:.2f} as the mean of {row}; its row gives {mean:.2f}")
        return found


def _as_authors(data: str, text: str) -> bool:
    """Whether a protection, if it is optimised, is so by its authors' settings, in whichever variant and budget."""
    own = protecting(text)
    if not isinstance(own, Optimised):
        return True
    free = {name: getattr(own, name) for name in ("per", "budget") if hasattr(own, name)}
    others = map(protection_named, SETTINGS.get(data, ()))
    settings: list[Any] = [type(own)(), *(other for other in others if type(other) is type(own))]
    return any(replace(usual, **free) == own for usual in settings)


def _matching_countermeasure(text: str, names: Iterable[str]) -> str:
    """The countermeasure among ``names`` that ``text`` is, or is but for another number of adversarial steps."""
    made = countermeasure_named(text)
    if isinstance(made, AdversarialTraining):
        made = countermeasure_named(f"at:radius={made.radius:g}")
    return next((name for name in names if countermeasure_named(name) == made), "")


def _matching_victim(text: str, names: Iterable[str]) -> str:
    """The victim among ``names`` that ``text`` is, or is but for its width or its patches."""
    made = victim_named(text)
    if isinstance(made, Scalable):
        usual: dict[str, Any] = {"multiplier": 1.0} | ({"patch": 0} if isinstance(made, ViT) else {})
        made = replace(made, **usual)
    return next((name for name in names if victim_named(name) == made), "")
