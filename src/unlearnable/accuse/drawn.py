"""A test before it is written: what every picture means to every key, and the pictures."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from unlearnable.accuse.covers import Covers
from unlearnable.accuse.design import Probe
from unlearnable.accuse.sealed import Shown
from unlearnable.images.imageset import Images8


@dataclass(frozen=True)
class Drawn:
    """See `Sealed` for what is named as there.

    Attributes:
        shown: see there.
        classes: see there.
        numbers: its ``secret_numbers``.
        contrast: see there.
        strength: see there.
        covers: clean pictures.
        probes: each with its picture's place among all.
        pictures: in batches, in the order in which they are shown.
        count: how many they are.
    """

    shown: Shown
    classes: Sequence[str]
    numbers: list[list[int]]
    contrast: float
    strength: float
    covers: Covers
    probes: Sequence[tuple[Probe, int]]
    pictures: Iterable[Images8]
    count: int
