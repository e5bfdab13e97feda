"""What every protection is: an algorithm that perturbs, and one place that keeps the budget.

An author writes `Protection.perturb`. Calling a protection seeds, perturbs, projects on the budget and rounds to
the 8 bits that are published.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from unlearnable.budget import Budget
from unlearnable.images import ImageSet
from unlearnable.spec import Registry


class Protection(ABC):
    """A frozen dataclass of defaulted parameters with one verb."""

    budget: str

    @property
    def files(self) -> tuple[Path, ...]:
        """Files on whose content the published pictures depend."""
        return ()

    @abstractmethod
    def perturb(self, data: ImageSet, seed: int) -> Float[Tensor, "n 3 h w"]:
        """What to add to every picture, in grey levels of 255; the budget is not its business."""

    def __call__(self, data: ImageSet, seed: int = 0) -> ImageSet:
        """The published set: perturbed, inside ``budget`` picture by picture, 8 bits.

        Raises:
            ValueError: `perturb` answered with another shape or with values that are not finite.
        """
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            torch.manual_seed(seed)
            change = self.perturb(data, seed)
        if change.shape != data.images.shape or not change.isfinite().all():
            raise ValueError(f"{self} answered {tuple(change.shape)}, maybe not finite, for {tuple(data.images.shape)}")
        budget = Budget.parse(self.budget)
        published = [
            budget.project(original, step)
            for original, step in zip(_channels_last(data.images), _channels_last(change.float()), strict=True)
        ]
        return replace(data, images=torch.from_numpy(np.stack(published)).permute(0, 3, 1, 2).contiguous())


def variations(data: ImageSet, per: str) -> list[tuple[int, int]]:
    """Class and variation of every picture: 0 in all of a class, or sample by sample its own place in the set.

    Raises:
        ValueError: ``per`` is neither ``class`` nor ``sample``.
    """
    if per not in ("class", "sample"):
        raise ValueError(f"expected per=class or per=sample, got {per!r}")
    return [(label, place if per == "sample" else 0) for place, label in enumerate(data.labels.tolist())]


def stacked(draw: Callable[[int, int], np.ndarray], pairs: Sequence[tuple[int, int]]) -> Shaped[Tensor, "n 3 h w"]:
    """What ``draw`` makes of every pair, each distinct pair drawn once."""
    drawn = {pair: draw(*pair) for pair in dict.fromkeys(pairs)}
    return torch.from_numpy(np.stack([drawn[pair] for pair in pairs]))


protections: Registry[Protection] = Registry("protections")
protection_named = protections.make


def _channels_last(pictures: Tensor) -> np.ndarray:
    return np.ascontiguousarray(pictures.cpu().permute(0, 2, 3, 1).numpy())
