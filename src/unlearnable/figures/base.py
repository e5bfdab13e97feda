"""What every figure is: a picture of sets and trained models, and the numbers that it shows.

An author writes `Figure.draw`. A figure knows nothing of how its panels were made: whoever has a plan makes a
`Panel` of each protection, or where the figure `trains`, of each protection under each countermeasure, and calls it.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from numpy import ndarray
from torch import Tensor, nn

from unlearnable.images.imageset import ImageSet
from unlearnable.registry import Registry

Record = dict[str, str | int | float]


@dataclass(frozen=True)
class Panel:
    """A protection and, where a model was trained, the training. All sets lie on the CPU, the model anywhere.

    Attributes:
        protection: its spec, as the figure writes it.
        clean: the pictures before.
        protected: the same pictures as published; equal to ``clean`` where nothing was done.
        test: pictures that nobody trained on, as the trained model is shown them (after `Countermeasure.deploy`).
        countermeasure: the spec of what the trainer did; empty where nothing is trained.
        model: trained on ``protected``.
        hidden: what `Protection.hidden` answers, in the order of ``clean``; None where nothing is hidden.
    """

    protection: str
    clean: ImageSet
    protected: ImageSet
    test: ImageSet
    countermeasure: str = ""
    model: nn.Module | None = None
    hidden: UInt8[Tensor, "n 3 h w"] | None = None

    def __post_init__(self) -> None:
        if self.clean.classes != self.protected.classes or not torch.equal(self.clean.labels, self.protected.labels):
            raise ValueError(f"expected the same pictures before and after {self.protection}, got other labels")
        shapes = {
            tuple(images.shape)
            for images in (self.clean.images, self.protected.images, self.hidden)
            if images is not None
        }
        if len(shapes) > 1:
            raise ValueError(f"expected pictures of one shape before and after {self.protection}, got {shapes}")

    @property
    def name(self) -> str:
        """Protection and countermeasure, one below the other."""
        return "\n".join(filter(None, (self.protection, self.countermeasure)))

    @property
    def trained(self) -> nn.Module:
        """The model.

        Raises:
            ValueError: there is none.
        """
        if self.model is None:
            raise ValueError(f"this figure shows trained models, and the panel of {self.name!r} has none")
        return self.model

    @property
    def changed(self) -> bool:
        """Whether the protection did anything."""
        return not torch.equal(self.clean.images, self.protected.images)


@dataclass(frozen=True)
class Drawing:
    """What a figure answers.

    Attributes:
        png: 1500 px wide, made to be shown at about 1000; the same bytes for the same panels.
        numbers: what the picture claims, a record a row, for a table or JSON; see the figure.
    """

    png: bytes
    numbers: tuple[Record, ...]


class Figure(ABC):
    """A frozen dataclass of defaulted parameters with one verb."""

    @property
    def trains(self) -> bool:
        """Whether every panel needs a trained model; if not, there is one panel a protection."""
        return False

    @abstractmethod
    def draw(self, panels: Sequence[Panel]) -> Drawing:
        """The picture of panels that have been checked."""

    def __call__(self, panels: Sequence[Panel]) -> Drawing:
        """Check the panels and `draw` them.

        Raises:
            ValueError: there are none, they are not of the same pictures, or something that is drawn is missing.
        """
        if not panels:
            raise ValueError("expected at least one panel to draw, got none")
        first = panels[0]
        for panel in panels:
            for ours, theirs in ((first.clean, panel.clean), (first.test, panel.test)):
                if ours.classes != theirs.classes or not torch.equal(ours.labels, theirs.labels):
                    raise ValueError(f"expected panels of the same pictures, got others in {panel.name!r}")
        return self.draw(panels)


figures: Registry[Figure] = Registry("figures")
figure_named = figures.make


def in_turn(labels: Int64[Tensor, " n"], count: int) -> Int64[Tensor, " m"]:
    """The places of ``count`` pictures, or of all: the first of each class, then the second of each, and so on."""
    ranks = torch.zeros_like(labels)
    for label in labels.unique():
        of_class = labels == label
        ranks[of_class] = torch.arange(int(of_class.sum()), device=labels.device)
    return torch.argsort(ranks * (labels.max() + 1) + labels)[:count]


def correlation(one: ndarray, other: ndarray) -> float:
    """Pearson's, over all values of two arrays of one shape; 0 where one is constant."""
    x, y = (values.astype(float).ravel() - values.mean(dtype=float) for values in (one, other))
    norm = float(np.linalg.norm(x) * np.linalg.norm(y))
    return float(x @ y) / norm if norm else 0.0


def channels_last(pictures: UInt8[Tensor, "n 3 h w"]) -> UInt8[ndarray, "n h w 3"]:
    """As pictures are drawn."""
    return pictures.permute(0, 2, 3, 1).numpy()


def unit(pictures: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
    """As models see them: in [0, 1]."""
    return pictures.float() / 255
