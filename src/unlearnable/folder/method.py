"""What a protection at work on one folder offers to the job."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from unlearnable.folder.manifest import ManifestEntry, Report
from unlearnable.images.photos import Photo
from unlearnable.images.scan import Found
from unlearnable.keys import Key
from unlearnable.protections.base import Protection

WORKING_SIZE = 512  # px, long side
SEED = "protection"  # what the key's seed is for

Inputs = tuple[ndarray, ...]  # each (3, h, w), of one working size
OnStage = Callable[[str, int, int], None]  # what is being done, so many done, of so many


class RefusedError(ValueError):
    """The job cannot begin; nothing has been written."""


class Method(ABC):
    """How the pictures of one folder are perturbed.

    It inspects the source, begins with the owner's key, and perturbs, in this order. One that streams can be sent to
    another process when it has begun; what perturbing takes is made there, on first use.

    Attributes:
        gains_from_gpu: whether it computes on a GPU where there is one.
        spec: names it in the report, with all its parameters.
        options: its own that stand among the report's.
        working_size: px; known when it has inspected.
        weights: SHA-256 of the files on which it depends, or empty; known when it has inspected.
        pictures: names the set, where it looks at all pictures together.
        capacity: how many classes it can serve, where that is known beforehand.
        private: files and folders that must not be published.
    """

    gains_from_gpu = False
    spec: str
    options: dict[str, Any]
    working_size: int
    weights: str = ""
    pictures: str = ""
    capacity: int | None = None
    private: tuple[Path, ...] = ()

    def inspect(self, src: Path, found: list[Found]) -> list[Found]:
        """See what there is, and answer with the files that are to be perturbed, as far as is known.

        Raises:
            RefusedError: it cannot serve such a folder.
        """
        return [file for file in found if not file.refused]

    @abstractmethod
    def begin(self, owner: Key, report: Report, dst: Path, taken: Sequence[int]) -> list[int]:
        """Get ready to perturb, and answer with the numbers of the secrets that serve the classes, if any are hidden.

        Args:
            owner: the key.
            report: classes and options.
            dst: the destination; before anything else is written there, the report is.
            taken: secrets' numbers of the first classes, from an earlier run.

        Raises:
            ValueError: the protection cannot serve these pictures or classes.
        """

    @abstractmethod
    def inputs(self, entry: ManifestEntry, photo: Photo) -> Inputs:
        """What perturbing one photo takes, such as the working picture; called in threads, ahead of `perturb`.

        Raises:
            UnreadablePhotoError: this photo cannot be perturbed.
        """

    @abstractmethod
    def perturb(self, entries: Sequence[ManifestEntry], *inputs: Tensor) -> Float[Tensor, "n 3 h w"]:
        """The perturbations of a batch at working size, in grey levels, from its `inputs`, stacked."""


def hashed(protection: Protection) -> str:
    """SHA-256 of the files on whose content the published pictures depend; empty where there are none."""
    digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in protection.find_files()]
    return hashlib.sha256("".join(digests).encode()).hexdigest() if digests else ""
