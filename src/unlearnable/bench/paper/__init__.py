"""Tables 1 to 4 of the paper as they are printed, in CSV files beside this one.

Rows and columns have the names that the plans have: ``jpeg:quality=10``, ``Deep Hiding (C)``. A printed mean that is
not its row's is left as it is. The text of Table 3 that was read has ``03.00`` for EM at 40 %, here 93.00.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

TABLES = ("table1", "table2", "table3", "table4")
PRINTED_MEAN = "printed mean"
RECIPE, VICTIM = "paper", "resnet18"  # section 4.1; Table 2 has a column for each victim
CLEAN = "Clean"


@dataclass(frozen=True)
class Size:
    """How much data there is of a data set in the paper (section 4.1, and the official splits that it follows).

    Attributes:
        train, test: pictures; None where the paper does not say how many.
        classes: how many.
        side: of the pictures, in pixels.
    """

    train: int | None
    test: int
    classes: int
    side: int


SIZES = {
    "CIFAR-10": Size(50_000, 10_000, 10, 32),
    "CIFAR-100": Size(50_000, 10_000, 100, 32),
    "ImageNet subset": Size(None, 5_000, 100, 224),
}
SETTINGS = {  # that authors of protections take on a data set in place of the defaults
    "CIFAR-100": ("em:train_steps=20",),
    "ImageNet subset": (
        "em:train_steps=100,step=1.6,stop=0.1,batch_size=32",
        "rem:iterations=3000,decay=1200,steps=7,step=2,draws=4,adversary_steps=7,adversary_step=1",
    ),
}


@dataclass(frozen=True)
class PaperTable:
    """Accuracies of the paper, in [0, 1].

    Attributes:
        columns: countermeasures in Tables 1 and 4, victims in Table 2, shares of protected pictures in Table 3.
        accuracies: by data set, row and column.
        means: by data set and row, as printed; Tables 2 and 3 have none.
    """

    columns: tuple[str, ...]
    accuracies: dict[tuple[str, str, str], float]
    means: dict[tuple[str, str], float]

    def accuracy(self, data: str, row: str, column: str) -> float | None:
        """One of them; None where the paper has none."""
        return self.accuracies.get((data, row, column))

    def rows(self, data: str) -> tuple[str, ...]:
        """The names of the rows, in the paper's order."""
        return tuple(dict.fromkeys(row for of, row, _ in self.accuracies if of == data))

    @property
    def data(self) -> tuple[str, ...]:
        """The names of the data sets."""
        return tuple(dict.fromkeys(data for data, _, _ in self.accuracies))


@cache
def paper_table(name: str) -> PaperTable:
    """One of `TABLES`. Table 4 has no row of clean pictures: it gets that of Table 1, trained in the same way.

    Raises:
        ValueError: it is no table of the paper.
    """
    if name not in TABLES:
        raise ValueError(f"expected one of the paper's tables, {', '.join(TABLES)}, got {name!r}")
    lines = csv.DictReader(files("unlearnable.bench.paper").joinpath(f"{name}.csv").read_text().splitlines())
    accuracies: dict[tuple[str, str, str], float] = {}
    means: dict[tuple[str, str], float] = {}
    if name == "table4":
        clean = paper_table("table1").accuracies.items()
        accuracies |= {key: value for key, value in clean if key[:2] == ("CIFAR-10", CLEAN)}
    for line in lines:
        data, row = line.pop("data"), line.pop("row")
        if PRINTED_MEAN in line:
            means[data, row] = _share(line.pop(PRINTED_MEAN))
        accuracies |= {(data, row, column): _share(text) for column, text in line.items()}
    return PaperTable(tuple(dict.fromkeys(column for _, _, column in accuracies)), accuracies, means)


def _share(percent: str) -> float:
    return round(float(percent) / 100, 6)
