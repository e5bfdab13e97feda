"""What is checked of sets before anything is trained on them: their counts, their classes, what they share."""

from collections.abc import Iterator, Sequence
from hashlib import sha256

import torch

from unlearnable.images.imageset import ImageSet


def check_counts(data: ImageSet, classes: int, per_class: int, what: str) -> None:
    """Check a set whose size is known, so that a download that was cut short is found.

    Args:
        data: the set.
        classes: how many it should have.
        per_class: pictures that each of them should have.
        what: the set's name, for the message.

    Raises:
        ValueError: it has others.
    """
    got = counts(data)
    if len(got) != classes:
        raise ValueError(f"expected {classes} classes in {what}, got {len(got)}; fetch it again")
    if differing := [f"{count:,} of {name}" for name, count in got.items() if count != per_class]:
        raise ValueError(
            f"expected {classes * per_class:,} pictures in {what}, {per_class:,} of every class, got {len(data):,}, "
            f"among them {some(differing)}; fetch it again: the files are cut short or changed"
        )


def matched(train: ImageSet, test: ImageSet) -> ImageSet:
    """The test set with its labels in the order of the training set's classes.

    Raises:
        ValueError: one has classes that the other lacks, or a class of one has no pictures.
    """
    if differing := sorted(set(train.classes) ^ set(test.classes)):
        raise ValueError(
            f"expected the same classes in the training and test sets, got {len(train.classes)} and "
            f"{len(test.classes)}; only one of them has {some(differing)}"
        )
    for what, data in {"training": train, "test": test}.items():
        if empty := [name for name, count in counts(data).items() if not count]:
            raise ValueError(
                f"expected pictures of every class in the {what} set, found none of {some(empty)} among {len(data):,}"
            )
    return test.relabelled(train.classes)


def duplicates(train: ImageSet, test: ImageSet) -> int:
    """How many pictures of ``train`` are also in ``test``, pixel by pixel.

    It is for the caller to say what follows. Folders of one's own can be mended, so an audit refuses them; published
    data sets are compared as they are, their duplicates counted (CIFAR-10 has none).
    """
    held = set(_hashes(test))
    return sum(hashed in held for hashed in _hashes(train))


def counts(data: ImageSet) -> dict[str, int]:
    """Pictures of every class, by its name."""
    found = torch.bincount(data.labels, minlength=len(data.classes)).tolist()
    return dict(zip(data.classes, found, strict=True))


def some(names: Sequence[str]) -> str:
    """The first five, and how many more there are, for a message."""
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _hashes(data: ImageSet) -> Iterator[bytes]:
    return (sha256(picture.numpy().tobytes()).digest() for picture in data.images)
