"""Learning curves in the coordinates of a small plot."""

from dataclasses import dataclass

WIDTH, HEIGHT = 260, 150
LEFT, RIGHT, TOP, BOTTOM = 34, 250, 10, 128  # its axes
PLOT = {"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": RIGHT, "top": TOP, "bottom": BOTTOM}


@dataclass(frozen=True)
class Curve:
    """A learning curve.

    Attributes:
        kind: CSS class.
        points: as SVG wants them.
        end: the last of them.
    """

    kind: str
    points: str
    end: tuple[float, float]


def curve(kind: str, accuracies: list[float]) -> Curve:
    """The curve of accuracies in [0, 1], one an epoch."""
    step = (RIGHT - LEFT) / max(1, len(accuracies) - 1)
    positions = [(round(LEFT + index * step, 1), height_of(value)) for index, value in enumerate(accuracies)]
    return Curve(kind, " ".join(f"{x:g},{y:g}" for x, y in positions), positions[-1])


def height_of(accuracy: float) -> float:
    """Where an accuracy lies."""
    return round(BOTTOM - accuracy * (BOTTOM - TOP), 1)
