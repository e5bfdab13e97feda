"""A cell is one victim trained once; its result is one small JSON file, named after what the cell is.

The key is the SHA-256 of everything that decides the result: the version of this package, and of victim, countermeasure
and recipe the parameters that are not at their defaults. So a parameter that is added with a default keeps every key;
a default or a behaviour that changes asks for a new version, as the same key would stand for another result. Device and
number of threads are left out: they change the last digits. The device is kept with it.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import torch

from unlearnable.compute.devices import fastest_dtype, name_of
from unlearnable.countermeasures import countermeasure_named
from unlearnable.images.imageset import ImageSet
from unlearnable.registry import identity
from unlearnable.storage.checkpoint import Checkpoint
from unlearnable.storage.provenance import __version__, file_fingerprint, versions
from unlearnable.storage.records import Record, key_of
from unlearnable.training.history import Epoch
from unlearnable.training.loop import Fit, fit
from unlearnable.training.recipes import recipe_named
from unlearnable.victims.architectures import victim_named

TRAINING = ".training"  # of a cell whose training is not over


@dataclass(frozen=True)
class Cell:
    """What is trained on what, and how.

    Attributes:
        train, test, clean: fingerprints of the three sets (see `fingerprint`); ``clean`` is what the trainer holds,
            empty where he holds nothing.
        weights: fingerprint of the files of weights that the training or its countermeasure uses; empty without.
        size: side of the pictures in pixels.
        victim, countermeasure, recipe: as text.
        seed: of the training.
        version: of this package.
    """

    train: str
    test: str
    clean: str
    weights: str
    size: int
    victim: str
    countermeasure: str
    recipe: str
    seed: int
    version: str = __version__

    @classmethod
    def of(
        cls, train: str, test: str, clean: str, size: int, victim: str, countermeasure: str, recipe: str, seed: int
    ) -> "Cell":
        """A cell of this version, with the fingerprint of its weights as they are now.

        Raises:
            FileNotFoundError: they are not there.
        """
        weights = weights_of(victim, countermeasure)
        return cls(train, test, clean, weights, size, victim, countermeasure, recipe, seed)

    @property
    def key(self) -> str:
        """The name of its result: the same however the same victim, countermeasure and recipe are spelled."""
        spelled = replace(
            self,
            victim=identity(victim_named(self.victim)),
            countermeasure=identity(countermeasure_named(self.countermeasure)),
            recipe=identity(recipe_named(self.recipe)),
            version=__version__,  # it comes first, whichever it is
        )
        return key_of(self.version, identity(spelled))

    def fit(
        self,
        train: ImageSet,
        test: ImageSet,
        clean: ImageSet | None,
        device: torch.device,
        *,
        purify: bool = True,
        folder: Path | None = None,
        on_epoch: Callable[[int, int, Epoch], None] | None = None,
    ) -> Fit:
        """Train it on its sets, those of its fingerprints; see `unlearnable.training.loop.fit`.

        Args:
            train: purified already unless ``purify``.
            test: what it is tested on.
            clean: what the trainer holds, if anything.
            device: where.
            purify: whether to purify.
            folder: for the state of the training, with which one that was killed goes on; see `training`.
            on_epoch: called after each epoch.

        Raises:
            ValueError: the sets do not fit the countermeasure or the victim.
            OSError: the state of the training cannot be read.
            DivergedError: the loss was not finite.
        """
        file = self.training(folder, device) if folder else None
        return fit(
            victim_named(self.victim),
            train,
            test,
            countermeasure_named(self.countermeasure),
            recipe_named(self.recipe),
            self.seed,
            clean=clean,
            purify=purify,
            device=device,
            checkpoint=Checkpoint(file, {"training": file.name}) if file else None,
            on_epoch=on_epoch,
        )

    def training(self, folder: Path, device: torch.device) -> Path:
        """Where its training is kept until `forget`.

        The name says all that the outcome depends on: on another device, or by other versions, it begins anew.
        """
        here = json.dumps([name_of(device), str(fastest_dtype(device)), versions()])
        return folder / f"{self.key}-{hashlib.sha256(here.encode()).hexdigest()[:8]}{TRAINING}"

    def forget(self, folder: Path) -> None:
        """Remove what ``folder`` holds of its trainings, wherever they ran: its result is kept."""
        for file in folder.glob(f"{self.key}-*"):
            file.unlink(missing_ok=True)


@dataclass(frozen=True)
class Result(Record):
    """What came out of a cell.

    Attributes:
        cell: what was trained.
        epochs: loss and accuracies of every epoch.
        confusion: counts of the last epoch's test, true class by predicted class.
        peak_confusion: the same of the epoch of highest test accuracy.
        seconds: of the training, with purification and tests.
        device: its name.
        versions: of Python and of the packages that matter.
    """

    named: ClassVar[str] = "a result"

    cell: Cell
    epochs: tuple[Epoch, ...]
    confusion: tuple[tuple[int, ...], ...]
    peak_confusion: tuple[tuple[int, ...], ...]
    seconds: float
    device: str
    versions: dict[str, str]

    def __post_init__(self) -> None:
        if not self.epochs or not self.confusion:
            raise ValueError("expected a training of at least one epoch, and its confusion matrix")

    @property
    def key(self) -> str:
        """That of its cell."""
        return self.cell.key

    @property
    def version(self) -> str:  # type: ignore[override]
        """That of its cell."""
        return self.cell.version

    @classmethod
    def version_in(cls, content: dict[str, Any]) -> Any:
        """See `Record`."""
        cell = content.get("cell")
        return cell.get("version") if isinstance(cell, dict) else None

    @classmethod
    def of(cls, cell: Cell, trained: Fit, device: str) -> "Result":
        """The result of a training that has just ended here."""
        return cls(
            cell=cell,
            epochs=tuple(_rounded(epoch) for epoch in trained.epochs),
            confusion=_rows(trained.confusion),
            peak_confusion=_rows(trained.peak_confusion),
            seconds=round(trained.seconds, 2),
            device=device,
            versions=versions(),
        )

    def final(self, classes: tuple[int, ...] = ()) -> float:
        """Test accuracy after the last epoch in [0, 1]; over the test pictures of ``classes`` where some are given."""
        return _accuracy(self.confusion, classes)

    def peak(self, classes: tuple[int, ...] = ()) -> float:
        """The same after the epoch that is best in it."""
        return max(self.curve(classes))

    def curve(self, classes: tuple[int, ...] = ()) -> list[float]:
        """The same after every epoch."""
        if not classes:
            return [epoch.test_accuracy for epoch in self.epochs]
        counts = {index: sum(self.confusion[index]) for index in classes}
        total = sum(counts.values())
        return [sum(epoch.recalls[index] * counts[index] for index in classes) / total for epoch in self.epochs]


def weights_of(victim: str, countermeasure: str) -> str:
    """Fingerprint of the files of weights that both use, as they are now; empty where there are none."""
    pretrained = victim_named(victim).pretrained
    files = (*([Path(pretrained)] if pretrained else []), *countermeasure_named(countermeasure).find_files())
    if missing := [str(file) for file in files if not file.is_file()]:
        raise FileNotFoundError(f"expected a file of weights, found none at {', '.join(missing)}")
    return file_fingerprint(files)


def _rounded(epoch: Epoch) -> Epoch:
    return Epoch(
        round(epoch.loss, 4),
        round(epoch.train_accuracy, 4),
        round(epoch.test_accuracy, 6),
        tuple(round(recall, 6) for recall in epoch.recalls),
    )


def _rows(confusion: torch.Tensor) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(row) for row in confusion.tolist())


def _accuracy(confusion: tuple[tuple[int, ...], ...], classes: tuple[int, ...]) -> float:
    rows = classes or range(len(confusion))
    return sum(confusion[row][row] for row in rows) / sum(sum(confusion[row]) for row in rows)
