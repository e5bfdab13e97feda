"""The pictures of a training: random crops of photographs in folders, rendered secrets, or some of both."""

import hashlib
import math
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int64, UInt8
from numpy import ndarray
from PIL import Image, ImageOps

from unlearnable.images.photos import UnreadablePhotoError, read_limited, read_photo
from unlearnable.keys import Key
from unlearnable.semantics.bank import BANK, SHEET
from unlearnable.semantics.render import FIRST, MAX_CLASSES, Style, render
from unlearnable.semantics.secrets import RENDER

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}


class Crops(NamedTuple):
    """Square pictures and their classes."""

    pictures: UInt8[ndarray, "n 3 size size"]
    labels: Int64[ndarray, " n"]


@runtime_checkable
class CropSource(Protocol):
    """Anything from which square pictures can be drawn.

    Attributes:
        fingerprint: names what can be drawn.
    """

    fingerprint: str

    def draw(self, rng: np.random.Generator, count: int, size: int, per_class: int = 1) -> Crops:
        """Draw ``count`` pictures of ``size`` px, a function of ``rng`` alone.

        With ``per_class`` above 1 so many in a row are of one class, and no class comes again before all others have.
        """


class FolderCrops:
    """Random square crops, between ``size`` px and the whole short side, resized to ``size`` and flipped.

    The contact sheet of a bank is none of its pictures.

    Raises:
        FileNotFoundError: a folder holds no picture.
    """

    def __init__(self, *folders: str | Path) -> None:
        self.files: list[Path] = []
        for folder in folders:
            sheets = {bank.with_name(SHEET) for bank in Path(folder).rglob(BANK)}
            found = sorted(path for path in {*Path(folder).rglob("*")} - sheets if path.suffix.lower() in SUFFIXES)
            if not found:
                raise FileNotFoundError(f"expected pictures ({', '.join(sorted(SUFFIXES))}) in {folder}, found none")
            self.files += found
        by_folder: dict[Path, list[Path]] = {}
        for file in self.files:
            by_folder.setdefault(file.parent, []).append(file)
        self.classes = list(by_folder.values())
        listing = [f"{file.parent.name}/{file.name} {file.stat().st_size}" for file in self.files]
        self.fingerprint = hashlib.sha256("\n".join(listing).encode()).hexdigest()

    def draw(self, rng: np.random.Generator, count: int, size: int, per_class: int = 1) -> Crops:
        """Crop ``count`` random files; a class is a sub-folder, and what is in a row is cut and flipped alike."""
        runs = math.ceil(count / per_class)
        if per_class > 1:
            labels = _in_turn(rng, len(self.classes), runs)
        else:
            labels = rng.choice(len(self.classes), runs, p=[len(files) / len(self.files) for files in self.classes])
        crops: list[ndarray] = []
        for label in labels:
            files, window = self.classes[label], int(rng.integers(2**63))
            for number in rng.integers(len(files), size=per_class):
                crops.append(_crop(files[number], np.random.default_rng(window), size))
        return Crops(np.stack(crops[:count]), labels.repeat(per_class)[:count])


class RandomSecrets:
    """Rendered secrets of random classes and variations, flipped at random."""

    fingerprint = RENDER

    def __init__(self, seed: int, style: Style = FIRST) -> None:
        self.key, self.style = Key.of_seed(seed), style

    def draw(self, rng: np.random.Generator, count: int, size: int, per_class: int = 1) -> Crops:
        """Render ``count`` random secrets; what is in a row is flipped alike."""
        labels = _in_turn(rng, MAX_CLASSES, math.ceil(count / per_class))
        crops: list[ndarray] = []
        for label in labels:
            step = int(rng.choice((-1, 1)))
            for variation in rng.integers(2**31, size=per_class):
                crops.append(render(self.key, int(label), int(variation), size, size, self.style)[..., ::step])
        return Crops(np.stack(crops[:count]), labels.repeat(per_class)[:count])


class Mixture:
    """Drawings, and in a share of the batches pictures of folders.

    Args:
        drawings, pictures: what is drawn from.
        share: how often a batch is of ``pictures``.
    """

    def __init__(self, drawings: CropSource, pictures: CropSource, share: float) -> None:
        self.drawings, self.pictures, self.share = drawings, pictures, share
        self.fingerprint = f"{drawings.fingerprint} {pictures.fingerprint}"

    def draw(self, rng: np.random.Generator, count: int, size: int, per_class: int = 1) -> Crops:
        """Draw a whole batch of one of both."""
        source = self.pictures if rng.random() < self.share else self.drawings
        return source.draw(rng, count, size, per_class)


def _in_turn(rng: np.random.Generator, classes: int, runs: int) -> Int64[ndarray, " runs"]:
    """Classes in a random order, and again when all have come."""
    return np.concatenate([rng.permutation(classes) for _ in range(math.ceil(runs / classes))])[:runs]


def _crop(file: Path, rng: np.random.Generator, size: int) -> UInt8[ndarray, "3 size size"]:
    try:
        photo = read_photo(read_limited(file))
    except UnreadablePhotoError as unreadable:
        raise ValueError(f"{file}: {unreadable}; take it out of the training folder") from None
    picture = Image.fromarray(np.ascontiguousarray(photo.rgb))
    short = min(picture.size)
    side = round(rng.uniform(min(size, short), short))
    left, top = (int(rng.integers(0, length - side + 1)) for length in picture.size)
    picture = picture.resize((size, size), Image.Resampling.BICUBIC, (left, top, left + side, top + side))
    if rng.random() < 0.5:
        picture = ImageOps.mirror(picture)
    return np.asarray(picture).transpose(2, 0, 1)
