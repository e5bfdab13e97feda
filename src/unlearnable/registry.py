"""Names with parameters, such as ``jpeg:quality=10``, and the registries in which they are looked up.

The only extension mechanism: a frozen dataclass with defaulted fields, registered under a name, can be listed,
made from text, and turned back into the same text.
"""

from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")
R = TypeVar("R")  # a kind of T


class Registry(Generic[T]):
    """Frozen dataclasses by name.

    Args:
        kind: what they are, in the plural, for messages.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._classes: dict[str, type[T]] = {}

    def register(self, name: str) -> Callable[[type[R]], type[R]]:
        """Decorate a dataclass: freeze it and list it under ``name``."""

        def add(cls: type[R]) -> type[R]:
            if name in self._classes:
                raise ValueError(f"two {self.kind} are called {name}")
            frozen = dataclass(frozen=True)(cls)
            self._classes[name] = cast(type[T], frozen)
            return frozen

        return add

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._classes))

    def parameters(self, name: str) -> dict[str, Any]:
        """Parameter names and defaults; None where there is none and a value must be given."""
        return {
            field.name: None if field.default is MISSING else field.default
            for field in fields(self._find(name))  # type: ignore[arg-type]
        }

    def make(self, spec: str) -> T:
        """Make ``name`` or ``name:parameter=value,parameter=value``.

        Raises:
            ValueError: unknown name or parameter, a value of the wrong type, or a missing one.
        """
        name, _, rest = spec.partition(":")
        cls = self._find(name)
        types = {field.name: field.type for field in fields(cls)}  # type: ignore[arg-type]
        given: dict[str, str] = {}
        for part in rest.split(",") if rest else []:
            parameter, equals, text = part.partition("=")
            if equals and parameter in types:
                given[parameter] = text
            elif given and (not equals or ":" in given[next(reversed(given))]):  # inside a value, or a spec in a spec
                given[next(reversed(given))] += f",{part}"
            else:
                expected = ", ".join(types) or "no parameter"
                raise ValueError(f"expected parameters of {name} as name=value with {expected}; got {part!r}")
        values = {parameter: _parse(text, types[parameter], f"{name}:{parameter}") for parameter, text in given.items()}
        try:
            return cls(**values)
        except TypeError as error:
            raise ValueError(f"{name}: {error}") from None

    def _find(self, name: str) -> type[T]:
        if name not in self._classes:
            known = ", ".join(self) or "none yet"
            raise ValueError(f"unknown among the {self.kind}: {name!r}; known: {known}")
        return self._classes[name]


def spec_of(name: str, instance: Any, *, whole: bool = False) -> str:
    """The text that makes ``instance`` again, with the parameters that are not at their defaults, or the ``whole``."""
    assert is_dataclass(instance)
    named = [
        f"{field.name}={getattr(instance, field.name)}"
        for field in fields(instance)
        if whole or getattr(instance, field.name) != field.default
    ]
    return name + (":" + ",".join(named) if named else "")


def identity(value: Any) -> str:
    """What a parameterised thing is, for keys: its class and the parameters that are not at their defaults.

    The same however it was spelled. A parameter that is added later, with a default under which all stays as it was,
    changes the identity of nothing that was before; a default that changes asks for a new version of the package.
    """
    if isinstance(value, tuple):
        return f"({', '.join(map(identity, value))})"
    if not is_dataclass(value):
        return repr(value)
    parameters = {field.name: (getattr(value, field.name), field.default) for field in fields(value)}
    changed = [f"{name}={identity(own)}" for name, (own, default) in sorted(parameters.items()) if own != default]
    return f"{type(value).__name__}({', '.join(changed)})"


def _parse(text: str, kind: Any, place: str) -> Any:
    if kind is bool:
        kind = {"true": True, "false": False}.__getitem__
        text = text.lower()
    try:
        return kind(text) if callable(kind) else text
    except (ValueError, KeyError):
        raise ValueError(f"expected a value of another type for {place}, got {text!r}") from None
