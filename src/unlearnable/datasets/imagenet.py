"""The subset of ImageNet (Deng et al., CVPR 2009) on which the paper trains: a part of its first classes."""

from pathlib import Path
from typing import Literal

import numpy as np
import torch

from unlearnable.datasets.base import datasets
from unlearnable.datasets.folder import picture_files
from unlearnable.images.decode import square, stacked
from unlearnable.images.imageset import ImageSet
from unlearnable.options import PositiveInt, Seed, Share


@datasets.register("imagenet")
class ImageNet:
    """The paper's ImageNet subset: 20 % of the first 100 classes to train on, all of their ``val`` to test on.

    Attributes:
        root: folder with ``train`` and ``val``, each with one sub-folder a class, named by its WordNet id.
        split: ``train`` or ``val``.
        size: side in pixels; 224 is what ImageNet classifiers take. The centre is cropped.
        classes: so many, the first in the order of their ids; 100 in section 4.1.
        fraction: of each class's training pictures, rounded, at least one; 0.2 in section 4.1. ``val`` stays whole.
        seed: of the draw. The paper names none.
    """

    root: str
    split: Literal["train", "val"] = "train"
    size: PositiveInt = 224
    classes: PositiveInt = 100
    fraction: Share = 0.2
    seed: Seed = 0

    def load(self) -> ImageSet:
        """Draw from every class, and decode what was drawn."""
        by_class = self.files()
        files = [file for of_class in by_class.values() for file in of_class]
        labels = [label for label, of_class in enumerate(by_class.values()) for _ in of_class]
        images = stacked(lambda file: square(file, self.size), files, self.size)
        return ImageSet(images, torch.tensor(labels), tuple(by_class))

    def files(self) -> dict[str, list[Path]]:
        """The files that are loaded, by class, in order.

        Raises:
            FileNotFoundError: the split is not there, or a class has no pictures.
            ValueError: there are fewer classes.
        """
        folder = Path(self.root) / self.split
        if not folder.is_dir():
            raise FileNotFoundError(f"expected the folder {folder}, with one sub-folder a class, found none")
        found = sorted(child for child in folder.iterdir() if child.is_dir())
        if len(found) < self.classes:
            raise ValueError(f"expected {self.classes} classes in {folder}, found {len(found)}; see classes=")
        return {of_class.name: self._drawn(of_class, index) for index, of_class in enumerate(found[: self.classes])}

    def _drawn(self, of_class: Path, index: int) -> list[Path]:
        files = [of_class / file.name for file in picture_files(of_class)]
        if self.split == "val":
            return files
        # A generator for each class: what is drawn of one does not depend on how many pictures the others have.
        order = np.random.default_rng((self.seed, index)).permutation(len(files))
        return [files[place] for place in sorted(order[: max(1, round(self.fraction * len(files)))])]
