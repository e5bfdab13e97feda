"""The official files of CIFAR-10 and CIFAR-100: binary or python version, as a folder or as the archive itself."""

import tarfile
import zlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import UInt8
from numpy import ndarray

from unlearnable.datasets.pickles import byte_array, listed, read_pickle
from unlearnable.images.imageset import ImageSet

PIXELS = 3 * 32 * 32
LARGEST = 1 << 28  # bytes of one file: the largest official one has 155 MB
ARCHIVE = 1 << 30  # bytes of all that an archive holds: they hold 186 MB

T = TypeVar("T")
Part = tuple[UInt8[ndarray, "n 3072"], UInt8[ndarray, " n"]]


@dataclass(frozen=True)
class Official:
    """What one data set's official files are called and hold.

    Attributes:
        parts: the files of each split, in order; in the binary version they end in ``.bin``.
        binary_names: the file of the class names in the binary version.
        python_names: the same in the python version.
        label_bytes: before the pixels of a record of the binary version; the last of them is the label.
        labels: under what the python version keeps the labels.
        label_names: under what it keeps the class names.
    """

    parts: dict[str, tuple[str, ...]]
    binary_names: str
    python_names: str
    label_bytes: int
    labels: bytes
    label_names: bytes


@dataclass(frozen=True)
class _Version:
    """The files of one split: pictures with labels, and class names.

    Attributes:
        parts: files of pictures, in order.
        names: file of the class names.
        read: reads one of the former.
        read_names: reads the latter.
    """

    parts: tuple[str, ...]
    names: str
    read: Callable[[bytes, Official], Part]
    read_names: Callable[[bytes, Official], list[str]]

    @property
    def files(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.parts, self.names)


def read_official(root: Path, split: str, official: Official) -> ImageSet | None:
    """Read a split from whichever version is there, the binary one if both are; None where none is.

    Args:
        root: folder of the files, or a ``.tar.gz`` of them.
        split: ``train`` or ``test``.
        official: what the files are called.

    Raises:
        FileNotFoundError: some of the files are missing.
        ValueError: a file is cut short, too large, or not what its name says.
    """
    parts = official.parts[split]
    binary = _Version(tuple(f"{part}.bin" for part in parts), official.binary_names, _records, _lines)
    python = _Version(parts, official.python_names, _pickled, _pickled_names)
    found = contents(root, {*binary.files, *python.files})
    version = max(binary, python, key=lambda version: len(found.keys() & set(version.files)))
    missing = [name for name in version.files if name not in found]
    if len(missing) == len(version.files):
        return None
    if missing:
        raise FileNotFoundError(f"expected {', '.join(version.files)} in {root}, found no {', '.join(missing)}")

    def of(name: str, read: Callable[[bytes, Official], T]) -> T:
        try:
            return read(found[name], official)
        except ValueError as error:
            raise ValueError(f"{root / name}: {error}; fetch it again") from None

    images, labels = zip(*(of(name, version.read) for name in version.parts), strict=True)
    return ImageSet(
        torch.from_numpy(np.concatenate(images).reshape(-1, 3, 32, 32)),
        torch.from_numpy(np.concatenate(labels).astype(np.int64)),
        tuple(of(version.names, version.read_names)),
    )


def contents(root: Path, wanted: Collection[str]) -> dict[str, bytes]:
    """Those of the wanted files that a folder or a ``.tar.gz`` holds, by name; nothing is unpacked on disk.

    Raises:
        ValueError: one is too large, or the archive is broken.
    """
    if root.is_file():
        return _members(root, wanted)
    files = [root / name for name in wanted if (root / name).is_file()]
    if large := [file for file in files if file.stat().st_size > LARGEST]:
        raise ValueError(f"{large[0]}: expected at most {LARGEST:,} bytes, which no official file has")
    return {file.name: file.read_bytes() for file in files}


def _members(archive: Path, wanted: Collection[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    size = 0
    try:
        with tarfile.open(archive, "r:gz") as opened:
            for member in opened:
                size += member.size
                if member.size > LARGEST or size > ARCHIVE:  # before anything of it is decompressed
                    raise ValueError(f"{archive}: {member.name} is larger than anything in an official archive")
                name = PurePosixPath(member.name).name
                if member.isreg() and name in wanted and (file := opened.extractfile(member)):
                    found[name] = file.read()
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise ValueError(f"{archive}: expected a whole .tar.gz, got a broken one ({error}); fetch it again") from None
    return found


def _records(content: bytes, official: Official) -> Part:
    length = official.label_bytes + PIXELS
    if not content or len(content) % length:
        raise ValueError(f"expected records of {length:,} bytes, got {len(content):,} bytes in all")
    records = np.frombuffer(content, np.uint8).reshape(-1, length)
    return records[:, -PIXELS:], records[:, official.label_bytes - 1]


def _lines(content: bytes, official: Official) -> list[str]:
    return content.decode().split()


def _pickled(content: bytes, official: Official) -> Part:
    stored = read_pickle(content)
    labels = np.frombuffer(bytes(listed(stored, official.labels, int)), np.uint8)
    pixels = byte_array(stored.get(b"data"))
    if pixels.shape != (len(labels), PIXELS):
        raise ValueError(f"expected {len(labels):,} pictures of {PIXELS:,} bytes, got {pixels.shape}")
    return pixels, labels


def _pickled_names(content: bytes, official: Official) -> list[str]:
    return [name.decode() for name in listed(read_pickle(content), official.label_names, bytes)]
