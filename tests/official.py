"""Made-up files in the shape of CIFAR's official ones, which torchvision is told to take for them."""

import hashlib
import pickle
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from torchvision import datasets


@dataclass(frozen=True)
class Cifar:
    """Random pictures in the shape of one data set's files; labels in turn.

    Attributes:
        kind: torchvision's class.
        classes: how many.
        binary_names: file of the class names in the binary version.
        coarse: whether records also have a coarse label, which comes first.
    """

    kind: type[datasets.CIFAR10]
    classes: int
    binary_names: str
    coarse: bool

    @property
    def names(self) -> list[str]:
        return [f"class_{index:02}" for index in range(self.classes)]

    def pictures(self, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        pixels = np.random.default_rng(seed).integers(0, 256, (count, 3072), dtype=np.uint8)
        return pixels, (np.arange(count) % self.classes).astype(np.uint8)

    def write_binary(self, folder: Path, name: str, pixels: np.ndarray, labels: np.ndarray) -> None:
        """``name.bin``: a label (or a coarse and a fine one) and 3,072 bytes a picture; and the names, a line each."""
        columns = [labels[:, None] // 5, labels[:, None]] if self.coarse else [labels[:, None]]
        (folder / f"{name}.bin").write_bytes(np.hstack([*columns, pixels]).tobytes())
        (folder / self.binary_names).write_text("\n".join([*self.names, "", ""]))

    def write_python(self, folder: Path, name: str, pixels: np.ndarray, labels: np.ndarray) -> None:
        """``name``: a pickle; beside it another of the names, and short ones in place of files that are not there."""
        (folder / name).write_bytes(self._pickled(pixels, labels))
        for other, _ in self.kind.train_list + self.kind.test_list:
            if not (folder / other).exists():
                (folder / other).write_bytes(self._pickled(*self.pictures(self.classes)))
        (folder / self.kind.meta["filename"]).write_bytes(pickle.dumps({self.kind.meta["key"]: self.names}))

    def trust(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        """Let torchvision take the files of a folder for the official ones: it tells those by their MD5."""

        def hashed(name: str) -> str:
            return hashlib.md5((folder / name).read_bytes()).hexdigest()

        for part in ("train_list", "test_list"):
            patch.setattr(self.kind, part, [[name, hashed(name)] for name, _ in getattr(self.kind, part)])
        patch.setitem(self.kind.meta, "md5", hashed(self.kind.meta["filename"]))

    def _pickled(self, pixels: np.ndarray, labels: np.ndarray) -> bytes:
        """As NumPy 1 wrote it: its modules had other names, and its dtypes numbers for false and true."""
        content = pickle.dumps({"data": pixels, "fine_labels" if self.coarse else "labels": labels.tolist()}, 2)
        content = content.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
        return content.replace(b"\x89\x88\x87", b"K\x00K\x01\x87", 1)


CIFAR10 = Cifar(datasets.CIFAR10, 10, "batches.meta.txt", coarse=False)
CIFAR100 = Cifar(datasets.CIFAR100, 100, "fine_label_names.txt", coarse=True)


def pack(folder: Path, archive: Path) -> Path:
    """The folder as an official archive has it."""
    with tarfile.open(archive, "w:gz", compresslevel=1) as opened:
        opened.add(folder, folder.name)
    return archive


def tar_with(archive: Path, name: str, size: int) -> Path:
    """An archive whose only member claims a size, and has no content."""
    member = tarfile.TarInfo(name)
    member.size = size
    with tarfile.open(archive, "w:gz") as opened:
        opened.fileobj.write(member.tobuf())
    return archive
