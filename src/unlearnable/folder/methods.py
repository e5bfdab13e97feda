"""A protection at work on one folder: a secret is hidden in every picture, or pictures are perturbed one by one.

The third kind, which looks at all pictures together, is `folder.whole`.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, lru_cache
from pathlib import Path
from statistics import median_low
from typing import Any

import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from unlearnable.compute.threads import map_ahead
from unlearnable.folder.job import Needed, working_picture
from unlearnable.folder.manifest import HIDING, ManifestEntry, Report
from unlearnable.hiding.inference import perturbations, prepare, shipped_weights
from unlearnable.hiding.network import WEIGHTS, Hider, weights_folder
from unlearnable.images.photos import Photo, UnreadablePhotoError, read_limited, read_photo
from unlearnable.images.scan import Found
from unlearnable.keys import KEY_BYTES, Key
from unlearnable.options import Assignment
from unlearnable.protections.base import Perturber, Protection, Streaming
from unlearnable.protections.deep_hiding import DeepHiding
from unlearnable.registry import spec_of
from unlearnable.semantics.assignment import Spectrum, contrary, evenly, mean_spectrum, spectrum
from unlearnable.semantics.secrets import RENDER, Secrets, secrets_named

SAMPLE = 32  # files of a class
SAMPLES = 2000  # in all, but one of every class

Seen = tuple[Spectrum, tuple[int, int]]  # of a working picture: its waves, height and width


def dealt(
    deal: Assignment,
    src: Path,
    found: Iterable[Found],
    classes: Sequence[str],
    kept: Sequence[int],
    secrets: Secrets,
    working_size: int,
) -> list[int]:
    """The secret's number for every class; the first classes have those that an earlier run has ``kept``.

    Args:
        deal: ``contrary`` to the pictures, or in ``order``.
        src: the source folder.
        found: its files.
        classes: names, in the order of their indices.
        kept: numbers of the first of them.
        secrets: the owner's.
        working_size: at which pictures and secrets are compared.
    """
    if deal == "order" or len(kept) == len(classes):
        return [*kept, *range(len(kept), len(classes))]
    files: dict[str, list[str]] = {name: [] for name in classes}
    for file in found:
        if not file.refused:
            files[file.class_name].append(file.name)
    each = max(1, min(SAMPLE, SAMPLES // len(classes)))
    spectra, sizes = [], []
    with ThreadPoolExecutor(2) as pool:
        for name in classes:
            sample = evenly(files[name], each)
            looked_at = map_ahead(pool, lambda file: _look(src / file, working_size), sample)
            seen = [look for look in looked_at if look]
            spectra.append(mean_spectrum(power for power, _ in seen))
            sizes += [size for _, size in seen]
    height, width = (median_low(lengths) for lengths in zip(*sizes, strict=True)) if sizes else (1, 1)
    return contrary(spectra, secrets, height, width, kept)


def _look(file: Path, working_size: int) -> Seen | None:
    """What the dealing has to know of a file; None where it cannot be read."""
    try:
        picture = working_picture(read_photo(read_limited(file)), working_size)
    except UnreadablePhotoError:
        return None
    return spectrum(picture), (picture.shape[1], picture.shape[2])


WORKING_SIZE = 512  # px, long side
SEED = "protection"  # what the key's seed is for

OnStage = Callable[[str, int, int], None]  # what is being done, so many done, of so many


class RefusedError(ValueError):
    """The job cannot begin; nothing has been written."""


class Method(ABC):
    """How the pictures of one folder are perturbed; for a job it is what `job.Perturbing` describes.

    It looks at the source, begins with the owner's key, and perturbs, in this order. One that streams can be sent to
    another process when it has begun; what perturbing takes is made there, on first use.

    Attributes:
        gains_from_gpu: see `job.Perturbing`.
        spec: names it in the report, with all its parameters.
        options: its own that stand among the report's.
        working_size: px; known when it has looked.
        weights: SHA-256 of the files on which it depends, or empty; known when it has looked.
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

    def look(self, src: Path, found: list[Found]) -> list[Found]:
        """See what there is, and answer with the files that are to be perturbed, as far as is known.

        Raises:
            RefusedError: it cannot serve such a folder.
        """
        return [file for file in found if not file.refused]

    @abstractmethod
    def begin(self, owner: Key, report: Report, dst: Path, kept: Sequence[int], start: Callable[[], None]) -> list[int]:
        """Get ready to perturb, and answer with the numbers of the secrets that serve the classes, if any are hidden.

        Args:
            owner: the key.
            report: classes and options.
            dst: the destination.
            kept: secrets' numbers of the first classes, from an earlier run.
            start: makes ``dst`` and puts the report there; to be called before anything else is written.

        Raises:
            ValueError: the protection cannot serve these pictures or classes.
        """

    @abstractmethod
    def needed(self, entry: ManifestEntry, photo: Photo) -> Needed:
        """See `job.Perturbing`."""

    @abstractmethod
    def perturb(self, entries: Sequence[ManifestEntry], *needed: Tensor) -> Float[Tensor, "n 3 h w"]:
        """See `job.Perturbing`."""


class Hiding(Method):
    """Deep hiding: each class has its secret, each picture a variation of it.

    Args:
        protection: with its parameters.
        working_size: px, long side.
        device: of the network; the best one of the machine that perturbs when None.
    """

    def __init__(self, protection: DeepHiding, working_size: int, device: torch.device | None) -> None:
        self.protection, self.working_size, self.device = protection, working_size, device
        self.gains_from_gpu = device is None or device.type == "cuda"
        self.private = () if protection.secrets == RENDER else (Path(protection.secrets).resolve(),)
        (source,) = self.private or (RENDER,)
        self.secrets = secrets_named(source, Key(bytes(KEY_BYTES)))  # a new key is made later
        self.spec, self.capacity = HIDING, self.secrets.capacity
        own = {"per": protection.per, "deal": protection.deal, "stamp": protection.stamp}
        self.options = own | {"secrets": self.secrets.fingerprint}

    def look(self, src: Path, found: list[Found]) -> list[Found]:
        """Load the network, too."""
        self.src, self.found = src, found
        folder = weights_folder(self.protection.weights or shipped_weights())
        self.hider = Hider.load(folder)
        self.weights = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
        return super().look(src, found)

    def begin(self, owner: Key, report: Report, dst: Path, kept: Sequence[int], start: Callable[[], None]) -> list[int]:
        """Deal the secrets."""
        self.secrets = self.secrets.with_key(owner)
        deal: Assignment = report.options["deal"]
        numbers = dealt(deal, self.src, self.found, report.classes, kept, self.secrets, self.working_size)
        del self.src, self.found
        return numbers

    @cached_property
    def prepared(self) -> Hider:
        """The network, for use."""
        return prepare(self.hider, self.device)

    @cached_property
    def draw(self) -> Callable[..., UInt8[ndarray, "3 h w"]]:
        """`Secrets.draw`, which keeps the last ones."""
        return lru_cache(maxsize=16)(self.secrets.draw)

    def needed(self, entry: ManifestEntry, photo: Photo) -> Needed:
        """Cover and secret."""
        cover = working_picture(photo, self.working_size)
        return cover, self.draw(entry.secret_number, entry.variation, *cover.shape[1:])

    def perturb(self, entries: Sequence[ManifestEntry], *needed: Tensor) -> Float[Tensor, "n 3 h w"]:
        """Hide the secrets, and add the stamps where the working picture is the picture itself."""
        covers, secrets = needed
        labels = [int(entry.class_index or 0) for entry in entries]
        changes = perturbations(self.prepared, covers, secrets)
        with_stamps = self.protection.with_stamps(changes, covers, labels, self.secrets.key)
        whole = torch.tensor([(entry.height, entry.width) == covers.shape[-2:] for entry in entries])
        return torch.where(whole[:, None, None, None], with_stamps, changes)


class OneByOne(Method):
    """A protection that streams; the number of a picture in its class comes from the file's name."""

    def __init__(self, name: str, protection: Streaming, working_size: int) -> None:
        self.protection, self.working_size = protection, working_size
        self.spec, self.weights, self.options = spec_of(name, protection, whole=True), hashed(protection), {}

    def begin(self, owner: Key, report: Report, dst: Path, kept: Sequence[int], start: Callable[[], None]) -> list[int]:
        """See that it can serve so many classes."""
        self.classes, self.seed = len(report.classes), owner.seed(SEED)
        self.protection.perturber(self.classes, self.seed)
        return []

    @cached_property
    def perturber(self) -> Perturber:
        """What perturbs."""
        return self.protection.perturber(self.classes, self.seed)

    def needed(self, entry: ManifestEntry, photo: Photo) -> Needed:
        """The working picture."""
        return (working_picture(photo, self.working_size),)

    def perturb(self, entries: Sequence[ManifestEntry], *needed: Tensor) -> Float[Tensor, "n 3 h w"]:
        """A batch."""
        labels, numbers = (torch.tensor([getattr(e, of) for e in entries]) for of in ("class_index", "variation"))
        (pictures,) = needed
        return self.perturber(pictures, labels, numbers)


def hashed(protection: Protection) -> str:
    """SHA-256 of the files on whose content the published pictures depend; empty where there are none."""
    digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in protection.find_files()]
    return hashlib.sha256("".join(digests).encode()).hexdigest() if digests else ""
