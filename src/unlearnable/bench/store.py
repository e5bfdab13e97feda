"""The folder of a bench: what is known of every set and every cell, and the pictures themselves.

``sets/``, ``cells/`` and ``failures/`` hold one small JSON file each; ``cache/`` holds pictures, and can be deleted at
any time.
"""

import json
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from unlearnable.bench.cell import Cell, Result, weights_of
from unlearnable.bench.failure import Failure
from unlearnable.bench.planned_cell import PlannedCell, TrainingSet
from unlearnable.bench.sets import SetRecord
from unlearnable.countermeasures import countermeasure_named
from unlearnable.images.imageset import ImageSet, fingerprint
from unlearnable.registry import identity
from unlearnable.storage.atomic import replacing, write
from unlearnable.storage.decode import from_json
from unlearnable.storage.provenance import __version__, versions
from unlearnable.storage.records import CORRUPT, Record, Store, key_of, set_aside
from unlearnable.storage.tensors import is_readable


@dataclass(frozen=True)
class StoredSet:
    """A set in a file.

    Attributes:
        file: of pixels, labels and classes; it is never changed.
        content: fingerprint of what it holds; empty where nobody knows it beforehand, and the file itself says it.
    """

    file: Path
    content: str = ""

    @property
    def intact(self) -> bool:
        """Whether the file is there and holds what it says, which is looked at once."""
        if not is_readable(self.file):
            return False
        status = self.file.stat()
        return _holds(self, status.st_mtime_ns, status.st_size)

    def load(self) -> ImageSet:
        """The set; the last few are remembered.

        Raises:
            ValueError: the file is damaged.
        """
        try:
            return _remembered(self.file)
        except SafetensorError as error:
            raise ValueError(f"{self.file} is damaged ({error}); the same command makes it again") from None

    def save(self, data: ImageSet) -> None:
        """Write it, whole or not at all."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        tensors = {"images": data.images.cpu().contiguous(), "labels": data.labels.cpu()}
        with replacing(self.file) as temporary:
            notes = {"classes": json.dumps(data.classes), "fingerprint": fingerprint(data)}
            save_file(tensors, temporary, metadata=notes)


@lru_cache
def _holds(stored_set: StoredSet, changed: int, size: int) -> bool:
    """Whether the file, as it was when it was ``changed``, holds its content."""
    with safe_open(stored_set.file, framework="pt") as stored:
        expected = stored_set.content or stored.metadata().get("fingerprint")
    held = fingerprint(_read(stored_set.file)) == expected
    if not held:
        warnings.warn(f"{stored_set.file} holds another set than it says, and counts as missing", stacklevel=2)
    return held


def _read(file: Path) -> ImageSet:
    with safe_open(file, framework="pt") as stored:
        classes = from_json(stored.metadata()["classes"], tuple[str, ...])
        return ImageSet(stored.get_tensor("images"), stored.get_tensor("labels"), classes)


_remembered = lru_cache(maxsize=6)(_read)


@dataclass(frozen=True)
class Notes:
    """What stands beside a figure.

    Attributes:
        title: of the figure.
        command: that draws it.
        key: of what it shows.
        numbers: that it shows, a record a row.
    """

    title: str
    command: str
    key: str
    numbers: tuple[dict[str, Any], ...]


class RunFolder:
    """Records and pictures in a folder.

    Args:
        folder: made when something is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.cache = folder, folder / "cache"
        self.sets, self.cells = Store(folder / "sets", SetRecord), Store(folder / "cells", Result)
        self.failures = Store(folder / "failures", Failure)

    def stored_set(self, fingerprint: str, countermeasure: str = "") -> StoredSet:
        """Where a set's pictures are stored, or those that a countermeasure makes of it."""
        if not countermeasure:
            return StoredSet(self.cache / f"{fingerprint}.safetensors", content=fingerprint)
        how = key_of(identity(countermeasure_named(countermeasure)), __version__, versions())
        return StoredSet(self.cache / f"{fingerprint}-{how}.safetensors")

    def checkpoint(self, what: TrainingSet) -> Path:
        """Where the optimisation of a protection is kept until it is over."""
        return self.cache / f"{what.key}.checkpoint"

    def weights(self, cell: Cell) -> Path:
        """Where the weights of a trained victim are kept that a figure shows."""
        return self.cache / f"{cell.key}.weights.safetensors"

    def figure(self, name: str) -> Path:
        """Where the figure of the plan of this name is kept; what it shows is in a JSON file beside it."""
        return self.folder / "figures" / f"{name}.png"

    def notes(self, name: str) -> Notes | None:
        """What stands beside the figure of the plan of this name; None where there is no figure, or nothing legible.

        What is not legible is set aside.
        """
        file = self.figure(name)
        if not file.exists():
            return None
        notes = file.with_suffix(".json")
        try:
            shown: Notes = from_json(notes.read_text(), Notes)
        except (OSError, ValueError) as error:
            warnings.warn(f"{file} counts as not drawn: {notes} does not say what it shows ({error})", stacklevel=2)
            if not isinstance(error, OSError):
                set_aside(notes)
            return None
        return shown

    def cell(self, planned: PlannedCell, weights: str | None = None) -> Cell | None:
        """The cell that is planned; None as long as one of its sets has not been made.

        Args:
            planned: in a plan.
            weights: fingerprint of those that it uses; of their files as they are now when None.

        Raises:
            FileNotFoundError: such a file is not there.
        """
        made, clean = self.sets.load(planned.training.key), self.sets.load(planned.clean.key)
        test = self.sets.load(TrainingSet(planned.test).key)
        if made is None or clean is None or test is None:
            return None
        if weights is None:
            weights = weights_of(planned.victim, planned.countermeasure)
        sets, how = (made.fingerprint, test.fingerprint, clean.fingerprint), (planned.victim, planned.countermeasure)
        return Cell(*sets, weights, made.size, *how, planned.recipe, planned.seed, made.version)

    def result(self, planned: PlannedCell) -> Result | None:
        """What came out of a planned cell, if it has been trained."""
        cell = self.cell(planned)
        return self.cells.load(cell.key) if cell else None

    def found(self, planned: PlannedCell) -> Result | None:
        """The same for whoever only reads: where weights that were used are not here, the result with those of then.

        They may be others by now in an earlier version's results. None where there are several, as nobody can say
        which of them is meant.
        """
        try:
            cell = self.cell(planned)
        except OSError:
            return self._with_weights_of_then(planned)
        result = self.cells.load(cell.key) if cell else None
        return result if result or not cell or cell.version == __version__ else self._with_weights_of_then(planned)

    def _with_weights_of_then(self, planned: PlannedCell) -> Result | None:
        used = {result.cell.weights for result in self.cells.all()}
        cells = filter(None, (self.cell(planned, weights) for weights in used))
        results = [result for cell in cells if (result := self.cells.load(cell.key))]
        return results[0] if len(results) == 1 else None

    def corrupt(self) -> list[Path]:
        """Files that held no record and were set aside."""
        figures = sorted((self.folder / "figures").glob(f"*{CORRUPT}"))
        return [*self.sets.corrupt(), *self.cells.corrupt(), *self.failures.corrupt(), *figures]

    def records(self, planned: Iterable[PlannedCell]) -> list[Record]:
        """All that is known of these cells: their sets, and then their results."""
        planned = list(planned)
        keys = [what.key for cell in planned for what in (cell.clean, TrainingSet(cell.test), cell.training)]
        sets = [self.sets.load(key) for key in dict.fromkeys(keys)]
        results = {result.key: result for cell in planned if (result := self.found(cell))}
        return [*filter(None, sets), *results.values()]

    def pack(self, file: Path, planned: Iterable[PlannedCell]) -> int:
        """Write the records of these cells to one file, a JSON object a line; how many there are in it.

        Whatever else the file holds, such as other parts of the plan, stays.

        Raises:
            ValueError: a line of the file is no record, or of a set that was made otherwise here (see
                `MakeSet.keep`); the file has not been changed.
        """
        held = _packed(file) if file.exists() else []
        own = self.records(planned)
        _check_same(held, {record.key: record for record in own if isinstance(record, SetRecord)}, file)
        records = {(type(record), record.key): record for record in [*held, *own]}
        file.parent.mkdir(parents=True, exist_ok=True)
        write(file, "".join(record.to_json() for record in records.values()))
        return len(records)

    def unpack(self, file: Path) -> int:
        """Take in the records of a packed file; how many there were. What is here already is not replaced.

        Raises:
            ValueError: a line is no record, or of a set that was made otherwise here; nothing has been taken in.
        """
        records = _packed(file)
        _check_same(records, {made.key: made for made in self.sets.all()}, file)
        for record in records:
            if isinstance(record, SetRecord) and not self.sets.load(record.key):
                self.sets.save(record)
            elif isinstance(record, Result) and not self.cells.load(record.key):
                self.cells.save(record)
        return len(records)


def _check_same(packed: Iterable[SetRecord | Result], own: Mapping[str, SetRecord], file: Path) -> None:
    """No set may be another here than there: the results of one of the two would be lost from sight."""
    for made in packed:
        if isinstance(made, SetRecord) and (same := own.get(made.key)) and same.contradicts(made):
            what = f"{made.what.protection} of {made.what.data}"
            raise ValueError(
                f"{file} holds {what} as {made.device} made it, {made.fingerprint}; here {same.device} made, by other "
                f"threads or versions, {same.fingerprint}: keep them apart by another --pack or --out"
            )


def _packed(file: Path) -> list[SetRecord | Result]:
    return [_record(line, f"{file}, line {number}") for number, line in enumerate(file.read_text().splitlines(), 1)]


def _record(line: str, place: str) -> SetRecord | Result:
    for kind in (Result, SetRecord):
        try:
            return kind.from_json(line)
        except ValueError:
            continue
    raise ValueError(f"expected the record of a set or of a cell in {place}, got {line[:80]!r}")
