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
from jaxtyping import Float, Int64, Shaped, UInt8
from torch import Tensor

from unlearnable.images.budget import Budget, Change, Pixels
from unlearnable.images.imageset import ImageSet
from unlearnable.options import Per
from unlearnable.registry import Registry
from unlearnable.storage.provenance import check_files

Perturber = Callable[
    [UInt8[Tensor, "n 3 h w"], Int64[Tensor, " n"], Int64[Tensor, " n"]], Float[Tensor, "n 3 h w"]
]  # pictures, labels, numbers: changes


class Protection(ABC):
    """A frozen dataclass of defaulted parameters with one verb.

    Examples:
        >>> from unlearnable import Budget, load, protection_named
        >>> lsp = protection_named("lsp:budget=linf:8")
        >>> clean = load("toy:count=40")
        >>> published = lsp(clean, seed=0)
        >>> int((published.images.int() - clean.images.int()).abs().max()) <= 8
        True
    """

    budget: str

    def __post_init__(self) -> None:
        Budget.parse(self.budget)

    def find_files(self) -> tuple[Path, ...]:
        """Files on whose content the published pictures depend; what lies on a hub is downloaded, once a process."""
        return ()

    @property
    def radius(self) -> float:
        """How strong the change is to be before the budget is enforced: the one rule for a budget that is not native.

        The radius of ``budget`` where that counts what the native one counts: grey levels (``rms`` and ``linf`` alike)
        or pixels (``l0``). Else the native radius: three pixels say nothing about grey levels.
        """
        own, native = Budget.parse(self.budget), Budget.parse(type(self).budget)
        return (own if (own.norm == "l0") == (native.norm == "l0") else native).radius

    def hidden(self, data: ImageSet, seed: int) -> UInt8[Tensor, "n 3 h w"] | None:
        """The pictures that it hides, one in each of ``data``; None where it hides none."""
        return None

    def check_serves(self, data: ImageSet, seed: int) -> None:
        """Raise, at little cost, what `perturb` would raise and can be known before.

        Raises:
            ValueError: it cannot serve these pictures, or so many classes.
            FileNotFoundError: a file is not there on which it depends.
        """
        check_files(self.find_files(), self)

    @abstractmethod
    def perturb(self, data: ImageSet, seed: int) -> Float[Tensor, "n 3 h w"]:
        """What to add to every picture, in grey levels of 255; the budget is not its business."""

    def __call__(self, data: ImageSet, seed: int = 0) -> ImageSet:
        """The published set: perturbed, and published as `publish` does; both sets on the CPU."""
        return self.publish(data, self.changes(data, seed))

    def changes(self, data: ImageSet, seed: int) -> Float[Tensor, "n 3 h w"]:
        """What `perturb` answers when torch's generators are seeded, too."""
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            torch.manual_seed(seed)
            return self.perturb(data, seed)

    def check(self, data: ImageSet, change: Float[Tensor, "n 3 h w"]) -> None:
        """Raise what `publish` raises."""
        if change.shape != data.images.shape or not change.isfinite().all():
            raise ValueError(f"{self} answered {tuple(change.shape)}, maybe not finite, for {tuple(data.images.shape)}")

    def publish(self, data: ImageSet, change: Float[Tensor, "n 3 h w"]) -> ImageSet:
        """The pictures with their changes (grey levels), inside ``budget`` picture by picture, 8 bits.

        Raises:
            ValueError: the changes are of another shape, or not finite.
        """
        self.check(data, change)
        published = [
            self.published(original, step)
            for original, step in zip(_channels_last(data.images), _channels_last(change.float()), strict=True)
        ]
        return replace(data, images=torch.from_numpy(np.stack(published)).permute(0, 3, 1, 2).contiguous())

    def published(self, original: Pixels, change: Change) -> Pixels:
        """One picture with as much of its change (grey levels) as it may have."""
        return Budget.parse(self.budget).project(original, change)


class Streaming(Protection):
    """A protection that needs to see one picture at a time, so that a folder of any size can be streamed."""

    @abstractmethod
    def perturber(self, classes: int, seed: int) -> Perturber:
        """What perturbs batches of equal-sized pictures.

        It takes pictures (uint8), labels and numbers, and answers with changes in grey levels. A picture's change
        depends on the picture, its label, its number (which no other picture of its class has) and ``seed`` alone, and
        on none of the others in the batch. The size may differ from batch to batch.

        Args:
            classes: how many there are.
            seed: of everything drawn.

        Raises:
            ValueError: so many classes cannot be served.
        """

    def check_serves(self, data: ImageSet, seed: int) -> None:
        """See `Protection`."""
        super().check_serves(data, seed)
        self.perturber(len(data.classes), seed)

    def perturb(self, data: ImageSet, seed: int) -> Float[Tensor, "n 3 h w"]:
        """Every picture's number is its place in the set."""
        return self.perturber(len(data.classes), seed)(data.images, data.labels, torch.arange(len(data)))


def variations(labels: Int64[Tensor, " n"], numbers: Int64[Tensor, " n"], per: Per) -> list[tuple[int, int]]:
    """Class and variation of every picture: 0 in all of a class, or sample by sample its own number."""
    own = per == "sample"
    return [(label, number if own else 0) for label, number in zip(labels.tolist(), numbers.tolist(), strict=True)]


def stacked(draw: Callable[[int, int], np.ndarray], pairs: Sequence[tuple[int, int]]) -> Shaped[Tensor, "n 3 h w"]:
    """What ``draw`` makes of every pair, each distinct pair drawn once."""
    drawn = {pair: draw(*pair) for pair in dict.fromkeys(pairs)}
    return torch.from_numpy(np.stack([drawn[pair] for pair in pairs]))


protections: Registry[Protection] = Registry("protections")


def protection_named(spec: str) -> Protection:
    """A protection by its name and parameters, as `unlearnable list` shows them: ``deep_hiding:per=sample``, ``lsp``.

    Raises:
        ValueError: unknown name or parameter, or a value that it cannot have.

    Examples:
        >>> from unlearnable import load, protection_named
        >>> clean = load("toy:count=40")
        >>> protected = protection_named("deep_hiding:per=sample")(clean, seed=0)
        >>> protected.images.shape, protected.images.dtype
        (torch.Size([40, 3, 16, 16]), torch.uint8)
    """
    return protections.make(spec)


def _channels_last(pictures: Tensor) -> np.ndarray:
    return np.ascontiguousarray(pictures.cpu().permute(0, 2, 3, 1).numpy())
