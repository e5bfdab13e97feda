"""The official files of CIFAR-10 and CIFAR-100: their python version, which torchvision reads, and their binary one."""

import tarfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from numpy import ndarray

from unlearnable.images.imageset import ImageSet

PIXELS = 3 * 32 * 32
LARGEST = 1 << 30  # bytes of all that an archive holds: they hold 186 MB


@dataclass(frozen=True)
class Official:
    """What one data set's official files are called.

    Attributes:
        kind: of torchvision's data sets, which reads the python version; the binary one is named after its files.
        binary_names: the file of the class names in the binary version.
        label_bytes: before the pixels of a record of the binary version; the last of them is the label.
    """

    kind: str
    binary_names: str
    label_bytes: int

    def reader(self, folder: Path) -> Any:
        """Torchvision's class, for files that lie in ``folder`` itself or in the sub-folder of the archive."""
        from torchvision import datasets

        kind = getattr(datasets, self.kind)
        below = kind.base_folder if (folder / kind.base_folder).is_dir() else ""
        return type(self.kind, (kind,), {"base_folder": below})


def read_official(root: Path, split: str, official: Official) -> ImageSet | None:
    """Read a split from whichever version is there, the python one if both are; None where none is.

    Args:
        root: folder of the files, or a ``.tar.gz`` of them.
        split: ``train`` or ``test``.
        official: what the files are called.

    Raises:
        FileNotFoundError: some of the files are missing.
        ValueError: a file is cut short, too large, or not what its name says.
    """
    if not root.is_file():
        return _read_python(root, split, official) or _read_binary(root, split, official)
    with TemporaryDirectory() as unpacked:
        _unpack(root, Path(unpacked))
        return read_official(Path(unpacked), split, official)


def _read_python(root: Path, split: str, official: Official) -> ImageSet | None:
    """Nothing is unpickled that is not, by its MD5, the official file: torchvision sees to it."""
    from torchvision.datasets.utils import check_integrity

    reader = official.reader(root)
    folder, meta = root / reader.base_folder, reader.meta
    hashes = dict([*reader.train_list, *reader.test_list, (meta["filename"], meta["md5"])])
    if not _there(folder, list(hashes)):
        return None
    try:
        data = reader(root, train=split == "train")
    except RuntimeError:
        changed = [str(folder / name) for name, md5 in hashes.items() if not check_integrity(folder / name, md5)]
        raise ValueError(
            f"expected the official {official.kind} as {', '.join(changed)}, got other bytes (MD5); fetch it again"
        ) from None
    images = torch.from_numpy(data.data).permute(0, 3, 1, 2).contiguous()
    return ImageSet(images, torch.tensor(data.targets), tuple(data.classes))


def _read_binary(folder: Path, split: str, official: Official) -> ImageSet | None:
    reader = official.reader(folder)
    parts = [f"{name}.bin" for name, _ in (reader.train_list if split == "train" else reader.test_list)]
    if not _there(folder, [*parts, official.binary_names]):
        return None
    records = np.concatenate([_records(folder / part, official.label_bytes + PIXELS) for part in parts])
    return ImageSet(
        torch.from_numpy(np.ascontiguousarray(records[:, -PIXELS:]).reshape(-1, 3, 32, 32)),
        torch.from_numpy(records[:, official.label_bytes - 1].astype(np.int64)),
        tuple((folder / official.binary_names).read_text().split()),
    )


def _there(folder: Path, names: Sequence[str]) -> bool:
    """Whether the files are in the folder.

    Raises:
        FileNotFoundError: some are, and others are not.
    """
    missing = [name for name in names if not (folder / name).is_file()]
    if missing and len(missing) < len(names):
        raise FileNotFoundError(f"expected {', '.join(names)} in {folder}, found no {', '.join(missing)}")
    return not missing


def _records(file: Path, length: int) -> UInt8[ndarray, "n length"]:
    size = file.stat().st_size
    if not size or size % length:
        raise ValueError(f"{file}: expected records of {length:,} bytes, got {size:,} bytes in all; fetch it again")
    return np.fromfile(file, np.uint8).reshape(-1, length)


def _unpack(archive: Path, folder: Path) -> None:
    """Write the files of a ``.tar.gz`` to a folder, without those that they are in."""
    size = 0
    try:
        with tarfile.open(archive, "r:gz") as opened:
            for member in opened:
                size += member.size
                if size > LARGEST:  # before it is decompressed
                    raise ValueError(f"{archive}: {member.name} is larger than anything in an official archive")
                member.name = PurePosixPath(member.name).name
                if member.isreg():
                    opened.extract(member, folder, filter="data")
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise ValueError(f"{archive}: expected a whole .tar.gz, got a broken one ({error}); fetch it again") from None
