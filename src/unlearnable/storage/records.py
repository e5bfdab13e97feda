"""Files that a command stored and another reads: they may be broken, or somebody else's."""

import json
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from functools import cache
from itertools import chain, count
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, ClassVar, Generic, TypeVar, get_args, get_origin, get_type_hints

from safetensors import SafetensorError, safe_open

from unlearnable.storage.atomic import write
from unlearnable.storage.provenance import __version__

CORRUPT = ".corrupt"
PLAIN: dict[Any, set[type]] = {str: {str}, bool: {bool}, int: {int}, float: {float, int}}  # as JSON has them

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
        try:
            record: R = typed(json.loads(text), cls)
            _ = record.key  # nobody can look up what has none
        except (TypeError, KeyError, ValueError) as error:
            raise ValueError(f"not {cls.named}: {error!r}") from None
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


def set_aside(file: Path) -> None:
    """Give a file that holds nothing legible a name that nothing has yet, so that it is neither read nor lost."""
    names = (file.with_suffix(f".{number}{CORRUPT}") for number in count(1))
    file.replace(next(name for name in chain([file.with_suffix(CORRUPT)], names) if not name.exists()))


def is_whole(file: Path) -> bool:
    """Whether there is a safetensors file of the length that it says; the tensors themselves are not read."""
    try:
        with safe_open(file, framework="pt"):
            return True
    except FileNotFoundError:
        return False
    except (SafetensorError, OSError) as error:
        warnings.warn(f"{file} is damaged ({error}) and counts as missing", stacklevel=2)
        return False


def typed(value: Any, kind: Any) -> Any:
    """What a JSON value is as a ``kind``: a dataclass, a list as a tuple, or as it is, with everything in it checked.

    Raises:
        TypeError: it is none.
        KeyError: a dataclass has no such field.
        ValueError: a dataclass refuses a field.
    """
    origin, parts = get_origin(kind), get_args(kind)
    if origin is UnionType:
        return None if value is None and NoneType in parts else typed(value, parts[0])
    if isinstance(kind, type) and is_dataclass(kind) and isinstance(value, dict):
        kinds = _kinds(kind)
        return kind(**{name: typed(part, kinds[name]) for name, part in value.items()})
    if origin is dict and isinstance(value, dict):
        return {typed(name, parts[0]): typed(part, parts[1]) for name, part in value.items()}
    if origin is tuple and isinstance(value, list):
        plain = set(map(type, value)) <= PLAIN.get(parts[0], set())  # all at once: matrices have thousands
        return tuple(value) if plain else tuple(typed(part, parts[0]) for part in value)
    if type(value) in PLAIN.get(kind, ()):
        return value
    raise TypeError(f"expected {kind}, got {value!r:.80}")


_kinds = cache(get_type_hints)


@contextmanager
def expecting(what: str, file: Path) -> Iterator[None]:
    """Whatever does not fit while ``file`` is read is said of the file: it is not ``what``."""
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{file} is not {what}: {error!r}") from None
