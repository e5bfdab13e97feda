"""JSON and YAML as typed values: what a file says is checked here, and nowhere else, against what it should say."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import yaml

EXPECTED = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    Path: "a path",
    tuple: "a list",
    list: "a list",
}  # of whatever else: names and values
NUMBER = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$")


class UnknownNameError(ValueError):
    """There is a name that is not known here, maybe one of a later version."""


def from_json(text: str, kind: Any) -> Any:
    """What a JSON text says, as a ``kind``; see `decode`."""
    return decode(json.loads(text), kind)


def from_yaml(text: str, place: str = "") -> dict[str, Any]:
    """What a YAML text of names and values says; ``place`` is where it stands, for the message.

    Raises:
        ValueError: it is no such text.
    """
    try:
        content: dict[str, Any] = decode(yaml.load(text, _Loader), dict[str, Any], place)
    except yaml.YAMLError as error:
        raise ValueError(f"expected YAML{_of(place)}: {error}") from None
    return content


def decode(value: Any, kind: Any, place: str = "") -> Any:
    """A value of JSON or YAML as a ``kind``, with everything in it checked.

    Args:
        value: to be decoded.
        kind: a dataclass; a list, tuple or dictionary of one kind of value; ``kind | None``; a text, a number, a path;
            or Any.
        place: where it stands, for the message.

    Raises:
        UnknownNameError: a dataclass has no such field.
        ValueError: the value is no such thing, a field is missing, or a dataclass refuses its fields.
    """
    if type(value) is kind:
        return value
    origin, parts = _parts(kind)
    if kind is Any or (origin is UnionType and type(value) in parts):
        return value
    if origin is UnionType:
        return decode(value, parts[0], place)
    if is_dataclass(kind) and isinstance(value, dict):
        return _decode_fields(value, kind, place)
    if origin is dict and isinstance(value, dict):
        names = [decode(name, parts[0], place) for name in value]
        return {name: decode(value[name], parts[1], f"{place}.{name}") for name in names}
    if origin in (list, tuple) and isinstance(value, list):
        alike = set(map(type, value)) == {parts[0]}  # all at once: matrices have thousands
        return origin(value if alike else [decode(part, parts[0], f"{place}[{i}]") for i, part in enumerate(value)])
    if kind is float and type(value) is int:
        return float(value)
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise ValueError(f"expected {EXPECTED.get(origin, 'names and values')}{_of(place)}, got {value!r:.80}")


def check_inside(path: str) -> None:
    """Check a path below a folder that a file of that folder names.

    Raises:
        ValueError: it leads out of the folder.
    """
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise ValueError(f"{path!r} leaves the folder")


@contextmanager
def expecting(what: str, file: Path) -> Iterator[None]:
    """Whatever does not fit while ``file`` is read is said of the file: it is not ``what``."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{file} is not {what}: {error}") from None


class _Loader(yaml.SafeLoader):
    """YAML 1.1, which takes 1e-4 for a word, with the numbers of YAML 1.2."""


_Loader.add_implicit_resolver("tag:yaml.org,2002:float", NUMBER, list("-+0123456789"))


@cache
def _parts(kind: Any) -> tuple[Any, tuple[Any, ...]]:
    return get_origin(kind) or kind, get_args(kind)


def _decode_fields(value: dict[Any, Any], kind: Any, place: str) -> Any:
    kinds, needed = _fields(kind)
    if unknown := [str(name) for name in value if name not in kinds]:
        raise UnknownNameError(f"unknown name{_of(place)}: {', '.join(unknown)}; known: {', '.join(sorted(kinds))}")
    if missing := sorted(needed - value.keys()):
        raise ValueError(f"expected {', '.join(missing)}{_of(place)}, got {', '.join(value) or 'nothing'}")
    return kind(**{name: decode(part, kinds[name], f"{place}.{name}") for name, part in value.items()})


@cache
def _fields(kind: Any) -> tuple[dict[str, Any], set[str]]:
    """The kind of every field, and the names of those without a default."""
    hints, own = get_type_hints(kind), fields(kind)
    needed = {field.name for field in own if field.default is MISSING and field.default_factory is MISSING}
    return {field.name: hints[field.name] for field in own}, needed


def _of(place: str) -> str:
    return f" for {place.lstrip('.')}" if place else ""
