"""Sets of pictures with labels: clean data, protected data and banks of secrets are all this one thing."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from numpy import ndarray
from PIL import Image, ImageOps
from torch import Tensor

from unlearnable.atomic import PARTIAL
from unlearnable.folder.ahead import ahead
from unlearnable.folder.manifest import BESIDE
from unlearnable.folder.scan import Found, scan
from unlearnable.photos import UnreadablePhotoError, read_limited, read_photo
from unlearnable.spec import Registry

Images = Float[Tensor, "n 3 h w"]  # in [0, 1]


@dataclass(frozen=True)
class ImageSet:
    """Pictures as they are published.

    Attributes:
        images: uint8 (n, 3, h, w), RGB.
        labels: int64 (n,), indices into ``classes``.
        classes: names.
    """

    images: UInt8[Tensor, "n 3 h w"]
    labels: Int64[Tensor, " n"]
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.images) != len(self.labels) or not len(self.labels):
            raise ValueError(f"expected as many labels as images, got {len(self.labels)} and {len(self.images)}")
        if not 0 <= int(self.labels.min()) <= int(self.labels.max()) < len(self.classes):
            raise ValueError(f"expected labels below {len(self.classes)}, got up to {int(self.labels.max())}")

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, chosen: slice | Tensor) -> "ImageSet":
        """A part of the set, by slice, indices or mask."""
        return replace(self, images=self.images[chosen], labels=self.labels[chosen])

    def first(self, per_class: int) -> "ImageSet":
        """The first so many pictures of each class, in order.

        Raises:
            ValueError: a class has fewer.
        """
        chosen = []
        for label, name in enumerate(self.classes):
            of_class = torch.nonzero(self.labels == label)[:per_class, 0]
            if len(of_class) < per_class:
                raise ValueError(f"expected at least {per_class} pictures of {name}, got {len(of_class)}")
            chosen.append(of_class)
        return self[torch.cat(chosen).sort().values]

    def relabelled(self, classes: tuple[str, ...]) -> "ImageSet":
        """The same pictures with their labels in the order of ``classes``, among which all of theirs are."""
        places = torch.tensor([classes.index(name) for name in self.classes])
        return replace(self, labels=places[self.labels], classes=classes)

    def joined(self, other: "ImageSet") -> "ImageSet":
        """Both sets in one; their classes are the same."""
        if self.classes != other.classes:
            raise ValueError(f"expected two sets of the same classes, got {self.classes} and {other.classes}")
        images, labels = torch.cat([self.images, other.images]), torch.cat([self.labels, other.labels])
        return replace(self, images=images, labels=labels)

    def on(self, device: torch.device) -> "ImageSet":
        """The same set on ``device``."""
        return replace(self, images=self.images.to(device), labels=self.labels.to(device))

    def save(self, folder: Path) -> None:
        """Write PNGs in class sub-folders, named after their place in the set.

        Raises:
            FileExistsError: the folder is there already.
        """
        if folder.exists():
            raise FileExistsError(f"expected a new folder, got {folder}")
        building = folder.with_name(folder.name + PARTIAL)
        shutil.rmtree(building, ignore_errors=True)
        for name in self.classes:
            (building / name).mkdir(parents=True, exist_ok=True)
        digits = len(str(len(self) - 1))
        for index, (picture, label) in enumerate(zip(self.images, self.labels.tolist(), strict=True)):
            file = building / self.classes[label] / f"{index:0{digits}}.png"
            Image.fromarray(picture.permute(1, 2, 0).cpu().numpy()).save(file)
        building.rename(folder)


@runtime_checkable
class Dataset(Protocol):
    """Something registered that can be loaded."""

    def load(self) -> ImageSet:
        """Read or make the pictures."""


datasets: Registry[Dataset] = Registry("datasets")


def load(spec: str) -> ImageSet:
    """Load a set by name: ``cifar10:root=…,split=train``, ``folder:path=…,size=32``, ``toy``.

    Raises:
        ValueError: unknown name or parameter.
        FileNotFoundError: the data are not there.
    """
    return datasets.make(spec).load()


@datasets.register("folder")
class Folder:
    """Pictures in class sub-folders, centre-cropped to a square.

    Attributes:
        path: the folder.
        size: side in pixels.
    """

    path: str
    size: int = 224

    def load(self) -> ImageSet:
        """Decode every picture; a file that is none is an error, so that nothing is left out unseen."""
        return load_folder(Path(self.path), self.size)


def load_folder(folder: Path, size: int) -> ImageSet:
    """Every picture of `picture_files`, in that order.

    Raises:
        FileNotFoundError: there are no pictures.
        ValueError: a class folder is empty, or a file is no picture.
    """
    files = picture_files(folder)
    classes = tuple(sorted({file.class_name for file in files}))
    with ThreadPoolExecutor() as pool:
        pictures = np.stack(list(ahead(pool, lambda file: square(folder / file.name, size), files, width=16)))
    labels = [classes.index(file.class_name) for file in files]
    return ImageSet(_channels_first(pictures), torch.tensor(labels), classes)


def picture_files(folder: Path) -> list[Found]:
    """The files of a folder of pictures, by name; what `protect` writes beside them is none of them.

    Raises:
        FileNotFoundError: there are no pictures.
        ValueError: a class folder is empty, or a file must not be read.
    """
    found = [file for file in scan(folder) if file.name not in BESIDE] if folder.is_dir() else []
    if not found:
        raise FileNotFoundError(f"expected pictures in {folder}, found none")
    if refused := [file for file in found if file.refused]:
        raise ValueError(f"{refused[0].name}: {refused[0].refused}; take it out of the data set")
    classes = {file.class_name for file in found}
    if empty := sorted({child.name for child in folder.iterdir() if child.is_dir()} - classes):
        raise ValueError(f"expected pictures in every class folder of {folder}, found none in {empty[0]}")
    return found


def to_bytes(values: Float[Tensor, "n 3 h w"]) -> UInt8[Tensor, "n 3 h w"]:
    """Pictures in grey levels, rounded half to even and clamped to 8 bits."""
    return values.round().clamp(0, 255).to(torch.uint8)


def square(file: Path, size: int) -> UInt8[ndarray, "size size 3"]:
    """One picture file, decoded and centre-cropped.

    Raises:
        ValueError: it cannot be read.
    """
    try:
        photo = read_photo(read_limited(file))
    except UnreadablePhotoError as unreadable:
        raise ValueError(f"{file}: {unreadable}; take it out of the data set") from None
    return np.asarray(ImageOps.fit(Image.fromarray(np.ascontiguousarray(photo.rgb)), (size, size)))


@datasets.register("cifar10")
class Cifar10:
    """CIFAR-10 (Krizhevsky, 2009) from lossless sheets of 1,000 pictures and ``labels.npz``.

    Attributes:
        root: the folder of the sheets.
        split: ``train`` or ``test``.
        per_class: the first so many of each class, in official order; 0 for all.
    """

    root: str
    split: str = "train"
    per_class: int = 0

    def load(self) -> ImageSet:
        """Read the sheets."""
        sheets = sorted(Path(self.root).glob(f"{self.split}_*.webp"))
        if not sheets:
            raise FileNotFoundError(f"expected {self.split}_00.webp and so on in {self.root}, found none")
        images = _channels_first(np.concatenate([_sheet(sheet) for sheet in sheets]))
        with np.load(Path(self.root) / "labels.npz", allow_pickle=False) as stored:
            labels = torch.from_numpy(stored[f"y_{self.split}"].astype(np.int64))
            classes = tuple(map(str, stored["class_names"]))
        whole = ImageSet(images, labels, classes)
        return whole.first(self.per_class) if self.per_class else whole


@datasets.register("toy")
class Toy:
    """Grey shapes of random polarity in noise, four classes: hard enough that a shortcut is easier.

    Attributes:
        count: number of pictures.
        size: side in pixels.
        seed: of everything.
    """

    count: int = 1500
    size: int = 16
    seed: int = 0

    def load(self) -> ImageSet:
        """Draw the pictures: a disc, a square, a cross or a triangle, anywhere, light or dark."""
        rng = np.random.default_rng(self.seed)
        labels = rng.integers(4, size=self.count)
        pictures = np.stack([_shape(int(label), self.size, rng) for label in labels])
        images = torch.from_numpy(pictures)[:, None].expand(-1, 3, -1, -1).contiguous()
        return ImageSet(images, torch.from_numpy(labels), ("disc", "square", "cross", "triangle"))


def _shape(label: int, size: int, rng: np.random.Generator) -> UInt8[ndarray, "h w"]:
    ys, xs = np.mgrid[0:size, 0:size]
    radius = rng.uniform(0.22, 0.32) * size
    x, y = xs - rng.uniform(radius, size - radius), ys - rng.uniform(radius, size - radius)
    inside = (
        np.hypot(x, y) < radius,
        np.maximum(abs(x), abs(y)) < radius * 0.85,
        (np.minimum(abs(x), abs(y)) < radius * 0.35) & (np.maximum(abs(x), abs(y)) < radius),
        (y < radius * 0.8) & (y > 2 * abs(x) - radius),
    )[label]
    grey = 128 + rng.choice((-1, 1)) * rng.uniform(30, 60) * inside + rng.normal(0, 15, (size, size))
    drawn: UInt8[ndarray, "h w"] = grey.clip(0, 255).astype(np.uint8)
    return drawn


def _sheet(file: Path) -> UInt8[ndarray, "1000 32 32 3"]:
    with Image.open(file) as sheet:
        tiles = np.asarray(sheet.convert("RGB")).reshape(25, 32, 40, 32, 3)
    return tiles.transpose(0, 2, 1, 3, 4).reshape(1000, 32, 32, 3)


def _channels_first(pictures: UInt8[ndarray, "n h w 3"]) -> UInt8[Tensor, "n 3 h w"]:
    return torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)))
