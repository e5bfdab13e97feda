"""Files that a command stored and another reads: they may be broken, or somebody else's."""

import hashlib
import json
from abc import ABC, abstractmethod
from dataclasses import asdict, is_dataclass
from functools import cached_property
from itertools import chain, count
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from unlearnable.storage.atomic import write
from unlearnable.storage.decode import UnknownNameError, decode, from_json
from unlearnable.storage.provenance import __version__

CORRUPT = ".corrupt"

R = TypeVar("R", bound="Record")


class OtherVersionError(ValueError):
    """A record by another version of this package, which cannot be read here."""


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
            OtherVersionError: another version of this package wrote it, and it has other fields here.
            ValueError: it is no such record.
        """
        content = from_json(text, dict)
        try:
            record: R = decode(content, cls)
            _ = record.key  # nobody can look up what has none
        except ValueError as error:
            if isinstance(error, UnknownNameError) or cls.version_in(content) not in (None, __version__):
                raise OtherVersionError(f"{cls.named} by another version of this package: {error}") from None
            raise
        return record

    @classmethod
    def version_in(cls, content: dict[str, Any]) -> Any:
        """What the content of a record, maybe of other fields, says of the version; None for nothing."""
        return content.get("version")


class Store(Generic[R]):
    """Records of one kind in a folder, one file each.

    A record is what it says it is. Files are named after the keys of their records, so that one is found at once; a
    file that has another name, given by an older rule, is found by what it holds.

    Args:
        folder: made on the first save.
        kind: of the records.
    """

    def __init__(self, folder: Path, kind: type[R]) -> None:
        self.folder, self.kind = folder, kind

    def load(self, key: str) -> R | None:
        """The record of this key, or None; a file that holds no record is set aside under another name."""
        record = self._read(self.file(key))
        return record if record and record.key == key else self._named_otherwise.get(key)

    def file(self, key: str) -> Path:
        """Where the record of this key is, or will be."""
        return self.folder / f"{key}.json"

    def all(self) -> list[R]:
        """Every record, in the order of the keys."""
        return [record for _, record in sorted(self._by_key().items())]

    def save(self, record: R) -> None:
        """Write a record, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write(self.file(record.key), record.to_json())

    def corrupt(self) -> list[Path]:
        """Files that were set aside."""
        return sorted(self.folder.glob(f"*{CORRUPT}"))

    @cached_property
    def _named_otherwise(self) -> dict[str, R]:
        """Records whose files are not named after their keys: none is written any more."""
        return {key: record for key, record in self._by_key().items() if not self.file(key).is_file()}

    def _by_key(self) -> dict[str, R]:
        read = {file.stem: record for file in sorted(self.folder.glob("*.json")) if (record := self._read(file))}
        found = {record.key: record for record in read.values()}
        return found | {key: read[key] for key in found.keys() & read.keys() if read[key].key == key}

    def _read(self, file: Path) -> R | None:
        if not file.is_file():
            return None
        try:
            return self.kind.from_json(file.read_text())
        except OtherVersionError:
            return None
        except ValueError:
            set_aside(file)
            return None


def key_of(*parts: object) -> str:
    """Names what ``parts`` say; they are written as JSON."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]


def set_aside(file: Path) -> Path:
    """Give a file that holds nothing legible a name that nothing has yet, so that it is neither read nor lost."""
    names = (file.with_suffix(f".{number}{CORRUPT}") for number in count(1))
    return file.replace(next(name for name in chain([file.with_suffix(CORRUPT)], names) if not name.exists()))
