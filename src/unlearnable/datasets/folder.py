"""Any folder of pictures in class sub-folders (ImageFolder)."""

from collections.abc import Sequence
from pathlib import Path

import torch

from unlearnable.datasets.base import datasets
from unlearnable.images.decode import square, stacked
from unlearnable.images.imageset import ImageSet
from unlearnable.images.scan import Found, is_clutter, scan
from unlearnable.options import PositiveInt


@datasets.register("folder")
class Folder:
    """Pictures in class sub-folders, centre-cropped to a square.

    Attributes:
        path: the folder.
        size: side in pixels.
    """

    path: str
    size: PositiveInt = 224

    def load(self) -> ImageSet:
        """Decode every picture; a file that is none is an error, so that nothing is left out unseen."""
        return load_folder(Path(self.path), self.size)


def load_folder(folder: Path, size: int) -> ImageSet:
    """Every picture of `picture_files`, in that order.

    Raises:
        FileNotFoundError: there are no pictures.
        ValueError: a class folder is empty, or a file is no picture.
    """
    return load_files(folder, picture_files(folder), size)


def load_files(folder: Path, files: Sequence[Found], size: int) -> ImageSet:
    """Pictures of a folder, in this order.

    Raises:
        ValueError: a file is no picture.
    """
    classes = tuple(sorted({file.class_name for file in files}))
    images = stacked(lambda file: square(folder / file.name, size), files, size)
    return ImageSet(images, torch.tensor([classes.index(file.class_name) for file in files]), classes)


def picture_files(folder: Path) -> list[Found]:
    """The files of a folder of pictures, by name; what `protect` writes beside them is none of them.

    Raises:
        FileNotFoundError: there are no pictures.
        ValueError: a class folder is empty, or a file must not be read.
    """
    found = scan(folder) if folder.is_dir() else []
    if not found:
        raise FileNotFoundError(f"expected pictures in {folder}, found none")
    if refused := [file for file in found if file.refused]:
        raise ValueError(f"{refused[0].name}: {refused[0].refused}; take it out of the data set")
    classes = {file.class_name for file in found}
    folders = {child.name for child in folder.iterdir() if child.is_dir() and not is_clutter(child.name)}
    if empty := sorted(folders - classes):
        raise ValueError(f"expected pictures in every class folder of {folder}, found none in {empty[0]}")
    return found
