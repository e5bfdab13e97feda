"""What every picture means to every key, drawn before any answer is known.

The owner's key and decoy keys show every class equally often, on the same covers. To a model that never saw pictures
of the owner, the owner's key is one random key among others: whatever is computed of the answers key by key, the
owner's figure is as likely to have any rank as any other (Data Taggants, Bouaziz et al., 2024, arXiv 2410.09101).
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unlearnable.keys import Key

OWNER = 0  # the place of the owner's key among the keys; decoys follow


@dataclass(frozen=True)
class Probe:
    """One picture that a model is shown.

    Attributes:
        key: to whose it belongs: 0 is the owner's, from 1 on decoys'. Other keys' probes may share its picture.
        label: of which class, as a place among the classes that are tested.
        turn: which of the class's covers it is.
        cover: the cover's place among all covers.
    """

    key: int
    label: int
    turn: int
    cover: int


@dataclass(frozen=True)
class Extent:
    """How much is asked.

    Attributes:
        decoys: keys beside the owner's.
        classes: that are tested.
        turns: pictures of every key and class.
    """

    decoys: int
    classes: int
    turns: int

    @property
    def queries(self) -> int:
        """Pictures in all."""
        return (1 + self.decoys) * self.classes * self.turns

    @classmethod
    def within(cls, queries: int, level: float, classes: int) -> "Extent":
        """As much as so many pictures allow: first as many classes as there are, then as many turns.

        Args:
            queries: pictures at most.
            level: the p-value to be reached; 0.01 takes 99 decoys, all of which the owner's key must beat.
            classes: that there are.

        Raises:
            ValueError: the pictures do not suffice for one class.

        >>> Extent.within(3000, 0.01, classes=10)
        Extent(decoys=99, classes=10, turns=3)
        """
        decoys = decoys_for(level)
        each = queries // (1 + decoys)
        if not each:
            raise ValueError(
                f"expected at least {1 + decoys} pictures, one of every key: a level of {level:g} takes {decoys} "
                f"decoys; got {queries}. Ask more, or name a higher --level"
            )
        tested = min(classes, each)
        return cls(decoys, tested, each // tested)


def decoys_for(level: float) -> int:
    """How many keys that are nobody's a level takes: the owner's must beat them all.

    >>> decoys_for(0.01), decoys_for(0.05)
    (99, 19)
    """
    return math.ceil(1 / level - 1e-9) - 1


def drawn(extent: Extent, covers: Sequence[Sequence[int]], rng: np.random.Generator) -> list[Probe]:
    """All probes, in an order that says nothing.

    Args:
        extent: how much is asked.
        covers: of each class, places among all covers, as many as there are turns.
        rng: the order.
    """
    probes = [
        Probe(key, label, turn, covers[label][turn])
        for key in range(1 + extent.decoys)
        for label in range(extent.classes)
        for turn in range(extent.turns)
    ]
    return [probes[place] for place in rng.permutation(len(probes))]


def decoy_keys(seed: bytes, count: int) -> list[Key]:
    """Keys that are nobody's, the same for the same seed."""
    return [Key(hashlib.sha256(seed + number.to_bytes(4, "big")).digest()) for number in range(count)]
