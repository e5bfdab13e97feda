"""Sets of pictures with labels: clean data, protected data and banks of secrets are all this one thing."""

import hashlib
import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float, Int64, UInt8
from PIL import Image
from torch import Tensor

from unlearnable.storage.atomic import PARTIAL

LUMA = (0.299, 0.587, 0.114)  # of red, green and blue: ITU-R 601, as in JPEG
Images = Float[Tensor, "n 3 h w"]  # in [0, 1]
Images8 = UInt8[Tensor, "n 3 h w"]  # in grey levels


@dataclass(frozen=True)
class ImageSet:
    """Pictures as they are published.

    Attributes:
        images: uint8 (n, 3, h, w), RGB.
        labels: int64 (n,), indices into ``classes``.
        classes: names.

    Raises:
        ValueError: there is no picture, a label for each is missing, or a label has no class.

    Examples:
        >>> import torch
        >>> from unlearnable import ImageSet
        >>> pictures = torch.zeros(3, 3, 16, 16, dtype=torch.uint8)
        >>> data = ImageSet(pictures, torch.tensor([0, 1, 1]), ("cat", "dog"))
        >>> len(data), len(data[data.labels == 1]), data.images.shape[1:]
        (3, 2, torch.Size([3, 16, 16]))
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
        """The same pictures with their labels in the order of ``classes``.

        Raises:
            ValueError: one of theirs is not among them.
        """
        if unknown := set(self.classes) - set(classes):
            raise ValueError(f"expected all of {self.classes} among {classes}, found no {', '.join(sorted(unknown))}")
        indices = torch.tensor([classes.index(name) for name in self.classes])
        return replace(self, labels=indices[self.labels], classes=classes)

    def joined(self, other: "ImageSet") -> "ImageSet":
        """Both sets in one; their classes are the same."""
        if self.classes != other.classes:
            raise ValueError(f"expected two sets of the same classes, got {self.classes} and {other.classes}")
        images, labels = torch.cat([self.images, other.images]), torch.cat([self.labels, other.labels])
        return replace(self, images=images, labels=labels)

    def to(self, device: torch.device) -> "ImageSet":
        """The same set on ``device``."""
        return replace(self, images=self.images.to(device), labels=self.labels.to(device))

    def save(self, folder: Path) -> None:
        """Write PNGs in class sub-folders, named after their place in the set.

        Raises:
            FileExistsError: the folder is there already.
            ValueError: a class has a name that no sub-folder can have.
        """
        if unfit := [name for name in self.classes if name in ("", "..") or Path(name).name != name]:
            raise ValueError(f"expected class names that can be names of folders, got {unfit[0]!r}")
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


def to_bytes(values: Float[Tensor, "n 3 h w"]) -> UInt8[Tensor, "n 3 h w"]:
    """Pictures in grey levels, rounded half to even and clamped to 8 bits."""
    return values.round().clamp(0, 255).to(torch.uint8)


def fingerprint(data: ImageSet) -> str:
    """SHA-256 over classes, labels and pixels, the first 16 digits."""
    digest = hashlib.sha256(json.dumps([data.classes, list(data.images.shape)]).encode())
    for tensor in (data.labels, data.images):
        digest.update(tensor.cpu().contiguous().numpy().data.cast("B"))
    return digest.hexdigest()[:16]
