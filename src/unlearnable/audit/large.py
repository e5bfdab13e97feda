"""Pictures that are published larger than they are trained on: whether they can be read as large as that."""

from collections.abc import Iterable
from pathlib import Path

from unlearnable.audit.sets import LARGEST, short_sides
from unlearnable.countermeasures import countermeasure_named
from unlearnable.countermeasures.route import trained_at
from unlearnable.datasets.folder import picture_files

COPIES = 2  # the set, and what is read of it for a training


def memory_needed(folders: Iterable[Path], side: int) -> int:
    """Bytes that all pictures of these folders take, as squares of ``side`` px; what is no folder is left out."""
    count = sum(len(picture_files(folder)) for folder in folders if folder.is_dir())
    return COPIES * count * 3 * side**2


def check_large(folders: list[Path], side: int, trained: int, names: Iterable[str]) -> None:
    """Check that every picture is large enough, that they fit into memory, and that all can be brought to ``trained``.

    Args:
        folders: of pictures; what is no folder is left out.
        side: in pixels, at which they are read.
        trained: side in pixels at which is trained.
        names: of the countermeasures.

    Raises:
        ValueError: they do not; nothing has been read.
    """
    from psutil import virtual_memory

    if trained > side:
        raise ValueError(f"expected --published-size of at least --size, {trained} px, got {side} px")
    for name in names:
        countermeasure_named(trained_at(name, trained)).resized(side, side)
    needed, free = memory_needed(folders, side), virtual_memory().available
    if needed > free:
        raise ValueError(
            f"expected {needed / 1e9:.1f} GB of free memory for pictures of {side} px, got {free / 1e9:.1f} GB; "
            "take a smaller --published-size, or fewer pictures"
        )
    for folder in filter(Path.is_dir, folders):
        files = picture_files(folder)
        for file, short in zip(files, short_sides(folder, files), strict=True):
            if short < side:
                raise ValueError(
                    f"expected pictures of at least {side} px, as nothing is enlarged, got {short} px: "
                    f"{folder / file.name}; take it out of every set, or a smaller --published-size"
                )


def usual_trained(side: int) -> int:
    """At which side is trained, in pixels, where pictures are published at ``side`` and nothing is said."""
    return min(LARGEST, side)
