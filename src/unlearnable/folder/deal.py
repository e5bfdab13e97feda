"""Which secret serves which class of a folder: a sample of its pictures decides, once and for all."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median_low

from unlearnable.choices import Deal
from unlearnable.folder.ahead import ahead
from unlearnable.folder.job import working_picture
from unlearnable.folder.scan import Found
from unlearnable.photos import UnreadablePhotoError, read_limited, read_photo
from unlearnable.semantics.assignment import Spectrum, contrary, evenly, mean_spectrum, spectrum
from unlearnable.semantics.secrets import Secrets

SAMPLE = 32  # files of a class
SAMPLES = 2000  # in all, but one of every class

Seen = tuple[Spectrum, tuple[int, int]]  # of a working picture: its waves, height and width


def dealt(
    deal: Deal,
    src: Path,
    found: Iterable[Found],
    classes: Sequence[str],
    kept: Sequence[int],
    secrets: Secrets,
    working_size: int,
) -> list[int]:
    """The secret's number for every class; the first classes have those that an earlier run has ``kept``.

    Args:
        deal: ``contrary`` to the pictures, or in ``order``.
        src: the source folder.
        found: its files.
        classes: names, in the order of their indices.
        kept: numbers of the first of them.
        secrets: the owner's.
        working_size: at which pictures and secrets are compared.
    """
    if deal == "order" or len(kept) == len(classes):
        return [*kept, *range(len(kept), len(classes))]
    files: dict[str, list[str]] = {name: [] for name in classes}
    for file in found:
        if not file.refused:
            files[file.class_name].append(file.name)
    each = max(1, min(SAMPLE, SAMPLES // len(classes)))
    spectra, sizes = [], []
    with ThreadPoolExecutor(2) as pool:
        for name in classes:
            sample = evenly(files[name], each)
            looked_at = ahead(pool, lambda file: _look(src / file, working_size), sample)
            seen = [look for look in looked_at if look]
            spectra.append(mean_spectrum(power for power, _ in seen))
            sizes += [size for _, size in seen]
    height, width = (median_low(lengths) for lengths in zip(*sizes, strict=True)) if sizes else (1, 1)
    return contrary(spectra, secrets, height, width, kept)


def _look(file: Path, working_size: int) -> Seen | None:
    """What the dealing has to know of a file; None where it cannot be read."""
    try:
        picture = working_picture(read_photo(read_limited(file)), working_size)
    except UnreadablePhotoError:
        return None
    return spectrum(picture), (picture.shape[1], picture.shape[2])
