"""What protections add to a few pictures, made visible, with the hidden image beside (paper, Figure 4)."""

from collections.abc import Sequence
from typing import Literal

from unlearnable.figures.base import (
    Drawing,
    Figure,
    Panel,
    Record,
    channels_last,
    correlation,
    figures,
    in_turn,
)
from unlearnable.figures.layout import Tile, draw_grid
from unlearnable.images.budget import difference
from unlearnable.images.quality import GAIN, absolute, magnified
from unlearnable.options import PositiveInt

VIEWS = {"absolute": absolute, "signed": magnified}
TITLES = {
    "absolute": "Perturbations, absolute, the largest value of each picture white",
    "signed": f"Perturbations × {GAIN} around grey",
}


@figures.register("maps")
class PerturbationMaps(Figure):
    """Perturbation maps: a row a protection, a column a picture; protections that change nothing are left out.

    Its numbers: for each protection and picture the RMS and L-inf of the change in grey levels and, where something is
    hidden, the ``likeness`` of the change to it: Pearson's correlation. That a perturbation shows features "that align
    with the hidden semantic image" (paper, section 4.2) is a likeness well above 0.

    Attributes:
        pictures: how many, of different classes as far as there are.
        view: ``absolute``, as in the paper, or ``signed``: magnified around grey.
    """

    pictures: PositiveInt = 5
    view: Literal["absolute", "signed"] = "absolute"

    def draw(self, panels: Sequence[Panel]) -> Drawing:
        """Clean pictures above, then every protection, and below it what it hides."""
        changing = [panel for panel in panels if panel.changed]
        if not changing:
            raise ValueError("expected a protection that changes pictures, got none")
        clean = panels[0].clean
        places = in_turn(clean.labels, self.pictures)
        befores = channels_last(clean.images[places])
        columns = [clean.classes[label] for label in clean.labels[places].tolist()]
        rows = [("clean", [Tile(picture) for picture in befores])]
        numbers: list[Record] = []
        for panel in changing:
            changes, secrets = [], []
            afters = channels_last(panel.protected.images[places])
            hidden = channels_last(panel.hidden[places]) if panel.hidden is not None else None
            for index, (before, after) in enumerate(zip(befores, afters, strict=True)):
                linf, rms = difference(before, after)
                changes.append(Tile(VIEWS[self.view](before, after), f"RMS {rms:.1f}, L-inf {linf}"))
                number: Record = {"protection": panel.protection, "picture": int(places[index])}
                number |= {"class": columns[index], "rms": round(rms, 4), "linf": linf}
                if hidden is not None:
                    likeness = correlation(after.astype(int) - before, hidden[index])
                    secrets.append(Tile(hidden[index], f"correlation {likeness:.2f}"))
                    number["likeness"] = round(likeness, 4)
                numbers.append(number)
            rows.append((panel.protection, changes))
            if secrets:
                rows.append(("hidden in these", secrets))
        return Drawing(draw_grid(TITLES[self.view], columns, rows), tuple(numbers))
