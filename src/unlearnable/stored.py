"""Files that a command stored and another reads: they may be broken, or somebody else's."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from unlearnable.atomic import write

CORRUPT = ".corrupt"


R = TypeVar("R", bound="Record")


class Record(ABC):
    """A frozen dataclass that has a key and can be written down.

    Attributes:
        named: what it is, for messages.
    """

    named: ClassVar[str]

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
        try:
            return cls.of_fields(json.loads(text))
        except (TypeError, KeyError, ValueError) as error:
            raise ValueError(f"not {cls.named}: {error!r}") from None

    @classmethod
    @abstractmethod
    def of_fields(cls: type[R], fields: dict[str, Any]) -> R:
        """The record of what its JSON holds; may raise whatever a wrong field raises."""


class Store(Generic[R]):
    """Records of one kind in a folder, one file each.

    Args:
        folder: made on the first save.
        kind: of the records.
    """

    def __init__(self, folder: Path, kind: type[R]) -> None:
        self.folder, self.kind = folder, kind

    def load(self, key: str) -> R | None:
        """The record of this key, or None; a file that holds no such record is set aside under another name."""
        file = self.folder / f"{key}.json"
        if not file.is_file():
            return None
        try:
            record: R = self.kind.from_json(file.read_text())
            if record.key != key:
                raise ValueError("the record of another key")
        except ValueError:
            file.replace(file.with_suffix(CORRUPT))
            return None
        return record

    def all(self) -> list[R]:
        """Every record, in the order of the keys."""
        records = [self.load(file.stem) for file in sorted(self.folder.glob("*.json"))]
        return [record for record in records if record is not None]

    def save(self, record: R) -> None:
        """Write a record, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write(self.folder / f"{record.key}.json", record.to_json())

    def corrupt(self) -> list[Path]:
        """Files that were set aside."""
        return sorted(self.folder.glob(f"*{CORRUPT}"))


@contextmanager
def expecting(what: str, file: Path) -> Iterator[None]:
    """Whatever does not fit while ``file`` is read is said of the file: it is not ``what``."""
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{file} is not {what}: {error!r}") from None
