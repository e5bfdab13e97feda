"""The three sets of an audit, checked before anything is trained."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from statistics import median

import torch

from unlearnable.audit.outcome import PublishedFolder, Sample
from unlearnable.compute.threads import map_ahead
from unlearnable.datasets import load
from unlearnable.datasets.checks import counts, duplicates, matched, some
from unlearnable.datasets.folder import load_folder, picture_files
from unlearnable.folder.manifest import Report, read_manifest
from unlearnable.images.budget import Budget
from unlearnable.images.decode import square
from unlearnable.images.imageset import ImageSet
from unlearnable.images.photos import UnreadablePhotoError, picture_size, read_limited, read_photo
from unlearnable.images.quality import Quality, measure
from unlearnable.images.scan import REPORT, ROOT_CLASS

MIN_SIDE = 8  # px: victims halve the side three times
LARGEST = 224  # px: what classifiers are usually trained at
SAMPLES = 10
SHOWN = 128  # px of the middle of each, pixel for pixel: reducing a picture would hide what was done to it


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
    size = usual_side(protected) if size is None else size
    if size < MIN_SIDE:
        raise ValueError(f"expected pictures of at least {MIN_SIDE} px to train on, got {size} px")
    published_set = load_folder(protected, size)
    clean, test = _load(clean_train, size), _load(clean_test, size)
    if ROOT_CLASS in (*published_set.classes, *clean.classes, *test.classes):
        raise ValueError("expected pictures in class sub-folders alone, found some beside them")
    test = matched(clean, test)
    _check_published(published_set, clean)
    _check_leak(test, {"the clean training set": clean, "the published set": published_set})
    chosen = tuple(clean.classes.index(name) for name in published_set.classes)
    return Sets(
        protected=_filled_up(published_set, clean, chosen),
        clean=clean,
        test=test,
        protected_classes=chosen if len(chosen) < len(clean.classes) else (),
        published=_published(protected, clean_train, published_set),
    )


def _filled_up(published: ImageSet, clean: ImageSet, chosen: tuple[int, ...]) -> ImageSet:
    """The published set under the clean one's labels, with the clean pictures of the classes that it lacks."""
    own = published.relabelled(clean.classes)
    lacking = ~torch.isin(clean.labels, torch.tensor(chosen))
    return own.joined(clean[lacking]) if lacking.any() else own


def usual_side(folder: Path) -> int:
    """The median of the pictures' shorter sides in pixels, at most 224."""
    return min(LARGEST, int(median(_short_sides(folder))))


def _short_sides(folder: Path) -> Iterator[int]:
    for file in picture_files(folder):
        try:
            yield min(picture_size(folder / file.name))
        except UnreadablePhotoError as unreadable:
            raise ValueError(f"{folder / file.name}: {unreadable}; take it out of the published set") from None


def _load(text: str, size: int) -> ImageSet:
    if Path(text).is_dir():
        return load_folder(Path(text), size)
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


def _published(folder: Path, clean_train: str, data: ImageSet) -> PublishedFolder:
    """Measure every published file whose original is among the clean training pictures."""
    files = [folder / file.name for file in picture_files(folder)]
    originals = _originals(folder, files, Path(clean_train)) if Path(clean_train).is_dir() else {}
    with ThreadPoolExecutor() as pool:
        qualities = tuple(quality for quality in map_ahead(pool, _quality, originals.items(), width=8) if quality)
    budget = Report.load(folder).options["budget"] if (folder / REPORT).is_file() else None
    return PublishedFolder(
        count=len(data),
        qualities=qualities,
        budget=budget,
        over_budget=sum(quality.exceeds(Budget.parse(budget)) for quality in qualities) if budget else 0,
        samples=_samples(folder, files, originals, data),
    )


def _originals(folder: Path, files: list[Path], clean: Path) -> dict[Path, Path]:
    """The clean file of every published one: by the manifest, else by the same name, whatever the suffix."""
    entries = read_manifest(folder).values()
    by_manifest = {entry.output: entry.file for entry in entries if entry.output}
    by_stem = {_stem(file.name): file.name for file in picture_files(clean)}
    pairs = {}
    for file in files:
        name = file.relative_to(folder).as_posix()
        original = by_manifest.get(name) or by_stem.get(_stem(name))
        if original and (clean / original).is_file():
            pairs[file] = clean / original
    return pairs


def _stem(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))


def _quality(pair: tuple[Path, Path]) -> Quality | None:
    try:
        after, before = (read_photo(read_limited(file)) for file in pair)
    except UnreadablePhotoError:
        return None
    return measure(before.rgb, after.rgb) if before.pixels.shape[:2] == after.pixels.shape[:2] else None


def _samples(folder: Path, files: list[Path], originals: dict[Path, Path], data: ImageSet) -> tuple[Sample, ...]:
    """Pictures from all over the set, before and after, at the size at which is trained."""
    paired = [index for index, file in enumerate(files) if file in originals]
    size = data.images.shape[-1]
    start = max(0, size - SHOWN) // 2
    middle = (slice(start, start + SHOWN), slice(start, start + SHOWN))
    return tuple(
        Sample(
            name=files[index].relative_to(folder).as_posix(),
            original=square(originals[files[index]], size)[middle],
            published=data.images[index].permute(1, 2, 0).numpy()[middle],
        )
        for index in [paired[place * len(paired) // SAMPLES] for place in range(min(SAMPLES, len(paired)))]
    )
