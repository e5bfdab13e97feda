"""A bank of semantic images: a folder of PNGs in class sub-folders, with ``bank.json`` that says what they are.

`docs/semantics.md` defines every field of ``bank.json``.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image

from unlearnable.images.photos import UnreadablePhotoError, read_limited, read_photo
from unlearnable.semantics.thumbnails import standardised, thumbnail
from unlearnable.storage.atomic import write
from unlearnable.storage.decode import check_inside, decode, expecting, from_json

BANK = "bank.json"
SHEET = "sheet.png"
SHAPED = 8  # pictures of a class whose mean is its shape: more make it slower, not clearer
VERSION = 1


@dataclass(frozen=True)
class BankPicture:
    """One PNG.

    Attributes:
        file: its path below the bank, with forward slashes.
        seed: from which the generator drew it.
        sha256: of the file.
    """

    file: str
    seed: int
    sha256: str


@dataclass(frozen=True)
class BankClass:
    """The pictures of one class: one global shape.

    Attributes:
        name: of its sub-folder.
        caption: the prompt.
        source: name of the caption's own photograph; ``source_sha256`` of that file.
        cluster: of the caption, where captions were clustered.
        pictures: in order.
    """

    name: str
    caption: str | None = None
    source: str | None = None
    source_sha256: str | None = None
    cluster: int | None = None
    pictures: tuple[BankPicture, ...] = ()


@dataclass(frozen=True)
class Bank:
    """A bank in a folder; a picture is decoded when it is asked for.

    Attributes:
        folder: where it is.
        generator: what drew the pictures; ``options`` is what else decides them.
        classes: in order.
        distances: measured by `semantics.distances`.
        complete: whether the build has come to its end.
    """

    folder: Path
    generator: str
    options: dict[str, Any]
    classes: tuple[BankClass, ...]
    distances: dict[str, float | None] = field(default_factory=dict)
    complete: bool = False

    @classmethod
    def load(cls, folder: Path) -> "Bank":
        """Read a finished bank.

        Raises:
            FileNotFoundError: there is no ``bank.json``, or a picture of it is missing.
            ValueError: it is broken, a class is empty, or the build has not come to its end.
        """
        bank = cls.read(folder)
        if not bank.complete:
            raise ValueError(f"the build of {folder} has not come to its end; the same `semantics build` resumes it")
        if not bank.classes:
            raise ValueError(f"expected classes in the bank {folder}, found none")
        for of_class in bank.classes:
            if not of_class.pictures:
                raise ValueError(f"expected pictures in every class of {folder}, found none in {of_class.name}")
            for picture in of_class.pictures:
                if not (folder / picture.file).is_file():
                    raise FileNotFoundError(f"expected the picture {picture.file} of {BANK} in {folder}")
        return bank

    @classmethod
    def read(cls, folder: Path) -> "Bank":
        """Read ``bank.json``, of a finished bank or of one that is being built.

        Raises:
            FileNotFoundError: there is none.
            ValueError: it is not one of ours.
        """
        file = folder / BANK
        if not file.is_file():
            raise FileNotFoundError(f"expected {BANK} in {folder}: is it a bank that `semantics build` wrote?")
        with expecting("a bank of `unlearnable semantics build`", file):
            stored = from_json(file.read_text(), dict)
            if (version := stored.pop("version", None)) != VERSION:
                raise ValueError(f"expected version {VERSION}, got {version}")
            bank: Bank = decode(stored | {"folder": str(folder)}, cls)
            for picture in (picture for of_class in bank.classes for picture in of_class.pictures):
                check_inside(picture.file)
            return bank

    def save(self) -> None:
        """Write ``bank.json`` atomically."""
        stored = {"version": VERSION} | asdict(self)
        del stored["folder"]
        write(self.folder / BANK, json.dumps(stored, indent=2) + "\n")

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the classes' pictures, in their order, whatever they are called."""
        content = [[picture.sha256 for picture in of_class.pictures] for of_class in self.classes]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def picture(self, label: int, index: int) -> UInt8[ndarray, "h w 3"]:
        """Decode a picture.

        Raises:
            ValueError: it cannot be read, or is not the one that was built.
        """
        picture = self.classes[label].pictures[index]
        return decoded(self.folder / picture.file, picture.sha256)

    def shape(self, label: int) -> Float[ndarray, "side side"]:
        """The mean of the class's first pictures, in grey and small."""
        return _shape(self.folder, self.classes[label].pictures[:SHAPED])


def decoded(file: Path, sha256: str) -> UInt8[ndarray, "h w 3"]:
    """A picture whose file has the given SHA-256.

    Raises:
        ValueError: it cannot be read, or has another.
    """
    try:
        content = read_limited(file)
        if hashlib.sha256(content).hexdigest() != sha256:
            raise UnreadablePhotoError("it has changed since the bank was built")
        return np.ascontiguousarray(read_photo(content).rgb)
    except UnreadablePhotoError as unreadable:
        raise ValueError(f"{file}: {unreadable}; build the bank again") from None


def encoded(picture: UInt8[ndarray, "3 h w"]) -> bytes:
    """The PNG of a picture, the same bytes for the same picture."""
    buffer = BytesIO()
    Image.fromarray(np.ascontiguousarray(picture.transpose(1, 2, 0))).save(buffer, "PNG")
    return buffer.getvalue()


@cache
def _shape(folder: Path, pictures: tuple[BankPicture, ...]) -> Float[ndarray, "side side"]:
    small = [
        standardised(thumbnail(decoded(folder / picture.file, picture.sha256).transpose(2, 0, 1)))
        for picture in pictures
    ]
    mean: Float[ndarray, "side side"] = np.mean(small, axis=0)
    return mean
