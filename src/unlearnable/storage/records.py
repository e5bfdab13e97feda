"""Files that a command stored and another reads: they may be broken, or somebody else's."""

import json
from abc import ABC, abstractmethod
from dataclasses import asdict, is_dataclass
from itertools import chain, count
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from unlearnable.storage.atomic import write
from unlearnable.storage.decode import from_json
from unlearnable.storage.provenance import __version__

CORRUPT = ".corrupt"

R = TypeVar("R", bound="Record")


class Record(ABC):
    """A frozen dataclass that has a key and can be written down.

    Attributes:
        named: what it is, for messages.
        version: of this package, that made it.
    """

    named: ClassVar[str]
    version: str

    @property
    @abstractmethod
    def key(self) -> str:
        """Names it; the hash of what it is a record of."""

    def to_json(self) -> str:
        """One JSON object on one line, ASCII."""
        assert is_dataclass(self)
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_json(cls: type[R], text: str) -> R:
        """Read what `to_json` wrote.

        Raises:
            ValueError: it is no such record.
        """
        record: R = from_json(text, cls)
        _ = record.key  # nobody can look up what has none
        return record


class Store(Generic[R]):
    """Records of one kind in a folder, one file each.

    Args:
        folder: made on the first save.
        kind: of the records.
    """

    def __init__(self, folder: Path, kind: type[R]) -> None:
        self.folder, self.kind = folder, kind

    def load(self, key: str) -> R | None:
        """The record of this key, or None; a file that holds no such record is set aside under another name.

        One of another version of this package that can be read but has another key today stays where it is.
        """
        file = self.file(key)
        if not file.is_file():
            return None
        try:
            record: R = self.kind.from_json(file.read_text())
            if record.key != key and record.version == __version__:
                raise ValueError("the record of another key")
        except ValueError:
            set_aside(file)
            return None
        return record if record.key == key else None

    def file(self, key: str) -> Path:
        """Where the record of this key is, or will be."""
        return self.folder / f"{key}.json"

    def all(self) -> list[R]:
        """Every record, in the order of the keys."""
        records = [self.load(file.stem) for file in sorted(self.folder.glob("*.json"))]
        return [record for record in records if record is not None]

    def save(self, record: R) -> None:
        """Write a record, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write(self.file(record.key), record.to_json())

    def corrupt(self) -> list[Path]:
        """Files that were set aside."""
        return sorted(self.folder.glob(f"*{CORRUPT}"))


def set_aside(file: Path) -> Path:
    """Give a file that holds nothing legible a name that nothing has yet, so that it is neither read nor lost."""
    names = (file.with_suffix(f".{number}{CORRUPT}") for number in count(1))
    return file.replace(next(name for name in chain([file.with_suffix(CORRUPT)], names) if not name.exists()))
