"""How much room the copies of a folder will take, said before they are made."""

import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from unlearnable.folder.options import ProtectOptions
from unlearnable.images.photos import UnreadablePhotoError, picture_size
from unlearnable.images.platforms import PublishedSize
from unlearnable.images.scan import Found
from unlearnable.images.visibility import spread_out
from unlearnable.options import Format

SAMPLE = 50  # files whose size in pixels is looked up
BYTES_OF_PIXEL: dict[Format, float] = {"png": 1.3, "webp": 1.1, "jpeg": 0.4}  # of photographs, about


@dataclass(frozen=True)
class Room:
    """What is expected.

    Attributes:
        originals: bytes of the pictures.
        copies: bytes of their copies, about.
        free: bytes on the disk of the destination.
    """

    originals: int
    copies: int
    free: int

    @classmethod
    def expected(cls, src: Path, dst: Path, found: Sequence[Found], options: ProtectOptions) -> "Room":
        """Judged by a sample of the files."""
        recorded = options.recorded()
        size, bytes_of_pixel = PublishedSize.recorded(recorded), BYTES_OF_PIXEL[recorded["format"]]
        files = [src / file.name for file in found if not file.refused]
        sample = [pixels for file in spread_out(files, SAMPLE) if (pixels := _pixels(file, size))]
        mean = sum(sample) / len(sample) if sample else 0.0
        there = next(folder for folder in (dst.absolute(), *dst.absolute().parents) if folder.exists())
        originals = sum(file.stat().st_size for file in files if file.exists())
        return cls(originals, round(len(files) * mean * bytes_of_pixel), shutil.disk_usage(there).free)


def _pixels(file: Path, size: PublishedSize | None) -> int:
    """How many a file's copy will have; 0 where it states nothing."""
    try:
        width, height = picture_size(file)
    except UnreadablePhotoError:
        return 0
    return math.prod(size.shape(height, width) if size else (height, width))
