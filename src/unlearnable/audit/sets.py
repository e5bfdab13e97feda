"""The three sets of an audit, checked before anything is trained."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch

from unlearnable.audit.outcome import PublishedFolder
from unlearnable.audit.published import measured
from unlearnable.datasets import load
from unlearnable.datasets.checks import counts, duplicates, matched, some
from unlearnable.datasets.folder import load_files, picture_files
from unlearnable.folder.manifest import Report
from unlearnable.images.imageset import ImageSet
from unlearnable.images.photos import UnreadablePhotoError, picture_size
from unlearnable.images.scan import REPORT, ROOT_CLASS, Found

MIN_SIDE = 8  # px: victims halve the side three times
LARGEST = 224  # px: what classifiers are usually trained at


@dataclass(frozen=True)
class Sets:
    """What is trained on and tested on.

    Attributes:
        protected: the published set; where only some classes are protected, with the other classes' clean pictures.
        clean: the clean training set.
        test: the clean test set.
        protected_classes: indices, where only some are; empty where all are.
        published: the published files' quality, and a few of them.
    """

    protected: ImageSet
    clean: ImageSet
    test: ImageSet
    protected_classes: tuple[int, ...]
    published: PublishedFolder


def load_sets(protected: Path, clean_train: str, clean_test: str, size: int | None) -> Sets:
    """Load and check everything.

    Args:
        protected: folder of the published pictures, in class sub-folders.
        clean_train: folder of the clean training pictures, or a data set such as ``cifar10:root=…``.
        clean_test: the same for the test pictures.
        size: side in pixels at which is trained; None for that of the published pictures, at most 224.

    Raises:
        ValueError: classes do not match, one is empty, sizes differ, or test pictures are among those trained on.
        FileNotFoundError: there are no pictures.
    """
    if (protected / REPORT).is_file() and not Report.load(protected).complete:
        raise ValueError(f"the protection of {protected} has not come to its end; protect again to resume it")
    files = picture_files(protected)
    originals = picture_files(Path(clean_train)) if Path(clean_train).is_dir() else []
    size = usual_side(protected, files) if size is None else size
    if size < MIN_SIDE:
        raise ValueError(f"expected pictures of at least {MIN_SIDE} px to train on, got {size} px")
    published_set = load_files(protected, files, size)
    clean = load_files(Path(clean_train), originals, size) if originals else _load(clean_train, size)
    test = _load(clean_test, size)
    if ROOT_CLASS in (*published_set.classes, *clean.classes, *test.classes):
        raise ValueError(
            "expected pictures in class sub-folders alone, found some beside them: a trainer has labels of his own; "
            "sort originals, copies and test pictures into one sub-folder a class"
        )
    test = matched(clean, test)
    _check_published(published_set, clean)
    _check_leak(test, {"the clean training set": clean, "the published set": published_set})
    chosen = tuple(clean.classes.index(name) for name in published_set.classes)
    return Sets(
        protected=_filled_up(published_set, clean, chosen),
        clean=clean,
        test=test,
        protected_classes=chosen if len(chosen) < len(clean.classes) else (),
        published=measured(protected, _names(files), Path(clean_train), _names(originals), published_set),
    )


def _names(files: Sequence[Found]) -> list[str]:
    return [file.name for file in files]


def _filled_up(published: ImageSet, clean: ImageSet, chosen: tuple[int, ...]) -> ImageSet:
    """The published set under the clean one's labels, with the clean pictures of the classes that it lacks."""
    own = published.relabelled(clean.classes)
    lacking = ~torch.isin(clean.labels, torch.tensor(chosen))
    return own.joined(clean[lacking]) if lacking.any() else own


def usual_side(folder: Path, files: Sequence[Found]) -> int:
    """The median of the pictures' shorter sides in pixels, at most 224."""
    return min(LARGEST, int(median(short_sides(folder, files))))


def short_sides(folder: Path, files: Sequence[Found]) -> Iterator[int]:
    """The shorter side of each picture in pixels, as its file states it.

    Raises:
        ValueError: a file is no picture.
    """
    for file in files:
        try:
            yield min(picture_size(folder / file.name))
        except UnreadablePhotoError as unreadable:
            raise ValueError(f"{folder / file.name}: {unreadable}; take it out of every set") from None


def _load(text: str, size: int) -> ImageSet:
    if Path(text).is_dir():
        return load_files(Path(text), picture_files(Path(text)), size)
    if ":" not in text:
        raise FileNotFoundError(f"expected a folder of pictures or a data set such as cifar10:root=…, got {text}")
    data = load(text)
    if data.images.shape[-1] != size:
        raise ValueError(
            f"{text} has pictures of {data.images.shape[-1]} px, the others are read at {size}; see --size"
        )
    return data


def _check_published(published: ImageSet, clean: ImageSet) -> None:
    if unknown := sorted(set(published.classes) - set(clean.classes)):
        raise ValueError(
            f"expected the published classes among the clean ones; these are not: {some(unknown)}. "
            "Pictures of one class must lie in a sub-folder of its name."
        )
    originals = counts(clean)
    for name, count in counts(published).items():
        if count != originals[name]:
            raise ValueError(
                f"expected as many published pictures of {name} as clean ones, or the comparison would not be fair; "
                f"got {count} and {originals[name]}. Leave the others out of the clean training set."
            )
    if len(clean.classes) < 2:
        raise ValueError("expected at least two classes: a classifier of one has nothing to learn")


def _check_leak(test: ImageSet, training: dict[str, ImageSet]) -> None:
    for what, data in training.items():
        if leaked := duplicates(data, test):
            raise ValueError(
                f"{leaked} pictures of {what} are also in the test set, pixel by pixel: figures would flatter the "
                "trainer; take them out of the test set"
            )
