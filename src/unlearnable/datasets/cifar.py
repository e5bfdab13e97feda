"""CIFAR-10 and CIFAR-100 (Krizhevsky, *Learning Multiple Layers of Features from Tiny Images*, 2009)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from unlearnable.datasets.base import datasets
from unlearnable.datasets.checks import check_counts
from unlearnable.datasets.official import Official, read_official
from unlearnable.images.imageset import ImageSet
from unlearnable.options import NonNegativeInt

SPLITS = {"train": 50_000, "test": 10_000}  # pictures, of both data sets


@dataclass(frozen=True)
class _Cifar:
    """What both have in common: where they lie, and what of them is taken."""

    classes: ClassVar[int]
    official: ClassVar[Official]

    root: str
    split: Literal["train", "test"] = "train"
    per_class: NonNegativeInt = 0

    def load(self) -> ImageSet:
        """Read the split and check its counts."""
        root = Path(self.root)
        sheets = sorted(root.glob(f"{self.split}_*.webp"))
        whole = _from_sheets(root, self.split, sheets) if sheets else read_official(root, self.split, self.official)
        if whole is None:
            raise FileNotFoundError(
                f"expected the official files of {self.official.kind} (python or binary version, or the .tar.gz) or "
                f"sheets ({self.split}_00.webp and so on) in {root}, found none"
            )
        check_counts(whole, self.classes, SPLITS[self.split] // self.classes, f"the {self.split} split in {root}")
        return whole.first(self.per_class) if self.per_class else whole


@datasets.register("cifar10")
class Cifar10(_Cifar):
    """CIFAR-10, from the official files or from lossless sheets of 1,000 pictures with ``labels.npz``.

    Attributes:
        root: the folder of the python or the binary version (or of the sheets), or the official ``.tar.gz``.
        split: ``train`` or ``test``.
        per_class: the first so many of each class, in official order; 0 for all.
    """

    classes = 10
    official = Official("CIFAR10", "batches.meta.txt", label_bytes=1)


@datasets.register("cifar100")
class Cifar100(_Cifar):
    """CIFAR-100 with its 100 fine labels, from the official files.

    Attributes:
        root: the folder of the python or the binary version, or the official ``.tar.gz``.
        split: ``train`` or ``test``.
        per_class: the first so many of each class, in official order; 0 for all.
    """

    classes = 100
    official = Official("CIFAR100", "fine_label_names.txt", label_bytes=2)


def _from_sheets(root: Path, split: str, sheets: Sequence[Path]) -> ImageSet:
    if len(sheets) * 1000 != SPLITS[split]:
        raise ValueError(f"expected {SPLITS[split] // 1000} sheets of 1,000 pictures in {root}, found {len(sheets)}")
    images = np.concatenate([_sheet(sheet) for sheet in sheets]).transpose(0, 3, 1, 2)
    with np.load(root / "labels.npz", allow_pickle=False) as stored:
        labels = torch.from_numpy(stored[f"y_{split}"].astype(np.int64))
        classes = tuple(map(str, stored["class_names"]))
    return ImageSet(torch.from_numpy(np.ascontiguousarray(images)), labels, classes)


def _sheet(file: Path) -> UInt8[ndarray, "1000 32 32 3"]:
    with Image.open(file) as sheet:
        tiles = np.asarray(sheet.convert("RGB")).reshape(25, 32, 40, 32, 3)
    return tiles.transpose(0, 2, 1, 3, 4).reshape(1000, 32, 32, 3)
