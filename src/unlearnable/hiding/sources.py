"""Where training pictures come from: random crops of photographs in folders, or rendered secrets."""

from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image, ImageOps

from unlearnable.keys import Key
from unlearnable.photos import UnreadablePhotoError, read_limited, read_photo
from unlearnable.semantics.bank import BANK, SHEET
from unlearnable.semantics.render import MAX_CLASSES, render

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}


@runtime_checkable
class Source(Protocol):
    """Anything that draws square pictures."""

    def draw(self, rng: np.random.Generator, count: int, size: int, each: int = 1) -> UInt8[ndarray, "n 3 size size"]:
        """Draw ``count`` pictures of ``size`` px, a function of ``rng`` alone; ``each`` in a row are of one class."""


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
        self.classes: dict[Path, list[Path]] = {}  # the files of every sub-folder
        for file in self.files:
            self.classes.setdefault(file.parent, []).append(file)

    def draw(self, rng: np.random.Generator, count: int, size: int, each: int = 1) -> UInt8[ndarray, "n 3 size size"]:
        """Crop ``count`` random files; the sub-folder is the class, drawn as often as it has files."""
        chosen: list[Path] = []
        while len(chosen) < count:
            first = self.files[rng.integers(len(self.files))]
            siblings = self.classes[first.parent]
            chosen += [first] + [siblings[rng.integers(len(siblings))] for _ in range(each - 1)]
        return np.stack([_crop(file, rng, size) for file in chosen[:count]])


class RandomDrawings:
    """Rendered secrets of random classes and variations, flipped at random."""

    def __init__(self, seed: int) -> None:
        self.key = Key.of_seed(seed)

    def draw(self, rng: np.random.Generator, count: int, size: int, each: int = 1) -> UInt8[ndarray, "n 3 size size"]:
        """Render ``count`` random secrets."""
        drawn: list[ndarray] = []
        while len(drawn) < count:
            label, step = int(rng.integers(MAX_CLASSES)), int(rng.choice((-1, 1)))
            drawn += [render(self.key, label, int(rng.integers(2**31)), size, size)[..., ::step] for _ in range(each)]
        return np.stack(drawn[:count])


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
