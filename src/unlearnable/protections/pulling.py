"""The networks against which a second change is made: with weights of their own, or learning the pictures first."""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from unlearnable.compute.devices import best_device
from unlearnable.hiding.foreign import foreign_surrogates
from unlearnable.hiding.surrogates import SIDE, SURROGATES, Surrogate, surrogate_file
from unlearnable.hiding.targeting import Targeting, pairs_of
from unlearnable.images.imageset import ImageSet
from unlearnable.keys import Key
from unlearnable.protections.learnt import SQUARE, Learnt, is_learnt
from unlearnable.victims.architectures import victim_named


@dataclass(frozen=True)
class Look:
    """At which pictures surrogates look before anything is made against them.

    Attributes:
        per_class: at most so many of each class.
        in_all: at most so many, but one of every class.
        read_at: px of the long side, to which those of a folder are reduced.
        side: px, at most, of the squares that they become.
    """

    per_class: int
    in_all: int
    read_at: int
    side: int

    def each(self, classes: int) -> int:
        """How many of each of so many classes."""
        return max(1, min(self.per_class, self.in_all // classes))


FROZEN = Look(32, 2000, SIDE, SIDE)  # to know where each class lies
LEARNING = Look(1000, 20_000, 3 * SQUARE // 2, SQUARE)


@dataclass(frozen=True)
class Pulling:
    """Surrogates by their names.

    Attributes:
        names: of `hiding.surrogates.SURROGATES` and ``NETWORK@FILE``; or of victims, which learn the pictures first.

    Raises:
        ValueError: some have weights and others not, nobody knows a victim, or a victim comes with weights.

    Examples:
        >>> from unlearnable.protections.pulling import Pulling
        >>> Pulling.parse("resnet9").learns, Pulling.parse("efficientnet_lite0+efficientnet_lite2").learns
        (True, False)
    """

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        learning = [name for name in self.names if is_learnt(name)]
        for name in learning:
            _check_victim(name)
        if learning and len(learning) < len(self.names):
            raise ValueError(
                f"expected surrogates that all have weights, or none of them, got {'+'.join(self.names)}: "
                "they look at pictures of other sizes"
            )

    @classmethod
    def parse(cls, text: str) -> "Pulling":
        """Names joined by ``+``."""
        return cls(tuple(text.split("+")))

    @property
    def learns(self) -> bool:
        """Whether they learn the pictures first."""
        return is_learnt(self.names[0])

    @property
    def look(self) -> Look:
        """At which pictures they look."""
        return LEARNING if self.learns else FROZEN

    def find_files(self) -> tuple[Path, ...]:
        """Their weights; see `hiding.surrogates.surrogate_file`."""
        return () if self.learns else tuple(map(surrogate_file, self.names))

    def check_serves(self, data: ImageSet) -> None:
        """See that they can learn them, if that is what they do.

        Raises:
            ValueError: the pictures are of one class, or too small.
        """
        if self.learns:
            for name in self.names:
                Learnt.check(name, data)

    def targeting(
        self,
        pictures: UInt8[Tensor, "n 3 h w"],
        labels: Int64[Tensor, " n"],
        classes: int,
        key: Key,
        device: torch.device | None = None,
    ) -> Targeting:
        """What pulls, after a look at some pictures of every class; on the best device when None.

        Raises:
            ValueError: they are of one class, and a surrogate learns them, or knows no other (`hiding.foreign`).
        """
        device, seed = device or best_device(), key.seed("targeting")
        if self.learns:
            data = ImageSet(pictures, labels, tuple(map(str, range(classes))))
            learnt = [
                Learnt.of(name, data, key.seed("learnt") + place, device) for place, name in enumerate(self.names)
            ]
            return Targeting(learnt, pairs_of(key, classes).to(device), seed, lifted_at=None)
        if classes == 1:
            foreign = foreign_surrogates(self.names, pictures, key, device)
            return Targeting(foreign, torch.ones(1).long().to(device), seed)
        frozen = [Surrogate.of(name, pictures, labels, classes, device) for name in self.names]
        return Targeting(frozen, pairs_of(key, classes).to(device), seed)


def _check_victim(name: str) -> None:
    try:
        victim = victim_named(name)
    except ValueError as error:
        raise ValueError(
            f"expected surrogates among {', '.join(SURROGATES)}, NETWORK@FILE, or a victim such as resnet9 that learns "
            f"the pictures first, got {name!r}"
        ) from error
    if victim.pretrained:
        raise ValueError(f"expected a victim that learns the pictures from nothing, got {name!r}; or NETWORK@FILE")
