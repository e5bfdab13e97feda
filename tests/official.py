"""CIFAR's official files, as their authors' programs wrote them."""

import struct
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Cifar:
    """Random pictures in the shape of one data set's files; labels in turn.

    Attributes:
        classes: how many.
        binary_names, python_names: files of the class names.
        coarse: whether records also have a coarse label, which comes first.
    """

    classes: int
    binary_names: str
    python_names: str
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
        """``name``: a pickle of Python 2 with NumPy 1; and the names, another."""
        key, names = (b"fine_labels", b"fine_label_names") if self.coarse else (b"labels", b"label_names")
        more = {b"coarse_labels": (labels // 5).tolist()} if self.coarse else {b"batch_label": b"testing batch 1 of 1"}
        (folder / name).write_bytes(python2({**more, key: labels.tolist(), b"data": pixels}))
        (folder / self.python_names).write_bytes(python2({names: [text.encode() for text in self.names]}))


CIFAR10 = Cifar(10, "batches.meta.txt", "batches.meta", coarse=False)
CIFAR100 = Cifar(100, "fine_label_names.txt", "meta", coarse=True)


def pack(folder: Path, archive: Path) -> Path:
    """The folder as an official archive has it."""
    with tarfile.open(archive, "w:gz", compresslevel=1) as opened:
        opened.add(folder, folder.name)
    return archive


def python2(value: object) -> bytes:
    """A pickle in protocol 2, as Python 2 writes it: strings are bytes."""
    return b"\x80\x02" + _emitted(value) + b"."


def _emitted(value: object) -> bytes:
    match value:
        case None:
            return b"N"
        case bool():
            return b"\x88" if value else b"\x89"
        case int():
            return b"J" + struct.pack("<i", value)
        case bytes():
            return b"T" + struct.pack("<i", len(value)) + value
        case tuple():
            return b"(" + b"".join(map(_emitted, value)) + b"t"
        case list():
            return b"](" + b"".join(map(_emitted, value)) + b"e"
        case dict():
            return b"}(" + b"".join(_emitted(key) + _emitted(item) for key, item in value.items()) + b"u"
        case np.ndarray():
            empty = (
                b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n" + _emitted((0,)) + _emitted(b"b") + b"tR"
            )
            kind = b"cnumpy\ndtype\n" + _emitted((value.dtype.str[1:].encode(), 0, 1)) + b"R"
            kind += _emitted((3, b"|", None, None, None, -1, -1, 0)) + b"b"
            shape = b"(" + _emitted(1) + _emitted(value.shape)
            order = value.flags.f_contiguous
            return empty + shape + kind + _emitted(order) + _emitted(value.tobytes("A")) + b"tb"
    raise TypeError(f"no such value in CIFAR's files: {value!r}")


def tar_with(archive: Path, name: str, size: int) -> Path:
    """An archive whose only member claims a size, and has no content."""
    member = tarfile.TarInfo(name)
    member.size = size
    with tarfile.open(archive, "w:gz") as opened:
        opened.fileobj.write(member.tobuf())
    return archive
