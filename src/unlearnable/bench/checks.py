"""What is checked of a plan before its first step: that everything it names can serve the sets it is named for."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from unlearnable.bench.plan import Plan
from unlearnable.bench.planned_cell import REMAINDER, TrainingSet
from unlearnable.countermeasures import countermeasure_named
from unlearnable.datasets.checks import duplicates, matched
from unlearnable.images.imageset import ImageSet
from unlearnable.victims.architectures import built_for, victim_named


def check(plan: Plan, sets: Mapping[str, ImageSet]) -> None:
    """Check every cell, each part of it once.

    Args:
        plan: what is to be done.
        sets: the clean training sets and the test sets, by their text.

    Raises:
        ValueError: a protection, a countermeasure, a victim or the test set does not fit the training set; the message
            says which.
    """
    for train, test in dict.fromkeys((cell.training.data, cell.test) for cell in plan.cells):
        with _naming(f"{train}, tested on {test}"):
            _check_pair(sets[train], sets[test])
        if shared := duplicates(sets[train], sets[test]):
            warnings.warn(f"{shared} pictures of {train} are also in {test}, pixel by pixel", stacklevel=3)
    for what in dict.fromkeys(cell.training for cell in plan.cells):
        with _naming(f"{what.protection} of {what.data}"):
            _check_training(what, sets[what.data])
    if plan.trains:
        for data, victim, name in dict.fromkeys(
            (cell.training.data, cell.victim, cell.countermeasure) for cell in plan.cells
        ):
            with _naming(f"{victim} with {name} on {data}"):
                _check_trained(victim, name, sets[data])


def _check_pair(train: ImageSet, test: ImageSet) -> None:
    matched(train, test)
    if train.classes != test.classes:
        raise ValueError(
            "expected the classes of the test set in the order of the training set's; `unlearnable export` writes each "
            "as a folder, whose classes are in the order of their names"
        )
    if train.images.shape[1:] != test.images.shape[1:]:
        (height, width), (rows, columns) = train.images.shape[-2:], test.images.shape[-2:]
        raise ValueError(f"expected test pictures of {width}x{height} px as in training, got {columns}x{rows}")


def _check_training(what: TrainingSet, clean: ImageSet) -> None:
    protected = round(what.share * len(clean))
    if not protected:
        raise ValueError(f"expected a share of at least one of {len(clean)} pictures, got {what.share}")
    if what.protection == REMAINDER and protected == len(clean):
        raise ValueError(f"expected a share that leaves some of {len(clean)} pictures, got {what.share}")
    if what.protecting:
        what.protecting.check_serves(clean, what.seed)


def _check_trained(victim: str, name: str, clean: ImageSet) -> None:
    countermeasure = countermeasure_named(name)
    countermeasure.check_serves(clean)
    built_for(countermeasure.victim_to_train(victim_named(victim)), len(clean.classes), *clean.images.shape[-2:])


@contextmanager
def _naming(what: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, OSError) as error:
        raise ValueError(f"{what}: {error}") from None
