"""Which secret serves which class of a folder: `semantics.assignment` on some pictures of every class."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median_low

from jaxtyping import UInt8
from numpy import ndarray

from unlearnable.compute.threads import map_ahead
from unlearnable.folder.job import working_picture
from unlearnable.images.photos import UnreadablePhotoError, read_limited, read_photo
from unlearnable.images.scan import Found
from unlearnable.options import Deal
from unlearnable.semantics.assignment import Spectrum, contrary, evenly, mean_spectrum, spectrum
from unlearnable.semantics.secrets import Secrets

SAMPLE = 32  # files of a class
SAMPLES = 2000  # in all, but one of every class


@dataclass(frozen=True)
class ClassWaves:
    """What dealing contrarily to a folder's pictures needs to know of them, whatever the key.

    Attributes:
        spectra: of each class; None of one without a picture that can be read.
        height, width: of the median picture, in pixels.
    """

    spectra: tuple[Spectrum | None, ...]
    height: int
    width: int

    @classmethod
    def of(cls, src: Path, found: Iterable[Found], classes: Sequence[str], working_size: int) -> "ClassWaves":
        """Look at up to 32 pictures of every class, at working size."""
        spectra, sizes = [], []
        for pictures in working_samples(src, found, classes, working_size, SAMPLE, SAMPLES):
            spectra.append(mean_spectrum(map(spectrum, pictures)))
            sizes += [picture.shape[1:] for picture in pictures]
        height, width = (median_low(lengths) for lengths in zip(*sizes, strict=True)) if sizes else (1, 1)
        return cls(tuple(spectra), height, width)

    def deal(self, secrets: Secrets, taken: Sequence[int] = ()) -> list[int]:
        """The secret's number for every class, of which the first have those ``taken`` already."""
        return contrary(self.spectra, secrets, self.height, self.width, taken)


def deal_secrets(
    deal: Deal,
    src: Path,
    found: Iterable[Found],
    classes: Sequence[str],
    taken: Sequence[int],
    secrets: Secrets,
    working_size: int,
) -> list[int]:
    """The secret's number for every class.

    Args:
        deal: ``contrary`` to the pictures, or in ``order``.
        src: the source folder.
        found: its files.
        classes: names, in the order of their indices.
        taken: numbers that the first of them have from an earlier run, and keep.
        secrets: the owner's.
        working_size: at which pictures and secrets are compared.
    """
    if deal == "order" or len(taken) == len(classes):
        return [*taken, *range(len(taken), len(classes))]
    return ClassWaves.of(src, found, classes, working_size).deal(secrets, taken)


def working_samples(
    src: Path,
    found: Iterable[Found],
    classes: Sequence[str],
    working_size: int,
    per_class: int,
    in_all: int,
) -> Iterator[list[UInt8[ndarray, "3 h w"]]]:
    """Of each class the working pictures of up to so many files, those that can be read."""
    files: dict[str, list[str]] = {name: [] for name in classes}
    for file in found:
        if not file.refused and file.class_name in files:
            files[file.class_name].append(file.name)
    each = max(1, min(per_class, in_all // len(classes)))
    with ThreadPoolExecutor(2) as pool:
        for name in classes:
            read = map_ahead(pool, lambda file: _readable(src / file, working_size), evenly(files[name], each))
            yield [picture for picture in read if picture is not None]


def _readable(file: Path, working_size: int) -> UInt8[ndarray, "3 h w"] | None:
    """A file's working picture; None where it cannot be read."""
    try:
        return working_picture(read_photo(read_limited(file)), working_size)
    except UnreadablePhotoError:
        return None
