"""Names with parameters, such as ``jpeg:quality=10``, and the registries in which they are looked up.

The only extension mechanism: a frozen dataclass with defaulted fields, registered under a name, can be listed, made
from text, and turned back into the same text. What a parameter takes stands once, in the type of its field, with the
bounds of annotated-types: ``quality: Annotated[int, Interval(ge=1, le=100)] = 10``. It is checked whenever an instance
is made, before the class's own ``__post_init__``, which is for conditions between parameters.
"""

import math
import operator
from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, Generic, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

from annotated_types import Ge, GroupedMetadata, Gt, Le, Lt, Predicate

T = TypeVar("T")
R = TypeVar("R")  # a kind of T

# What a value is called in messages, and in JSON Schema.
KINDS: dict[Any, tuple[str, str]] = {
    int: ("a whole number", "integer"),
    float: ("a number", "number"),
    bool: ("true or false", "boolean"),
    str: ("text", "string"),
}
LIMITS: dict[Any, tuple[str, str]] = {
    Ge: ("of at least", "minimum"),
    Gt: ("above", "exclusiveMinimum"),
    Le: ("at most", "maximum"),
    Lt: ("below", "exclusiveMaximum"),
}


@dataclass(frozen=True)
class Parameter:
    """What a field of a dataclass takes.

    Attributes:
        kind: its type; of choices, theirs.
        default: None where a value must be given.
        choices: of which it is one; none where there are no choices.
        bounds: of a number: `Ge`, `Gt`, `Le`, `Lt`, or a `Predicate` whose function has a telling name.
    """

    kind: Any
    default: Any = None
    choices: tuple[Any, ...] = ()
    bounds: tuple[Any, ...] = ()

    @classmethod
    def of(cls, hint: Any, default: Any) -> "Parameter":
        """From the type of a field.

        Raises:
            TypeError: it has a bound that nobody would check.
        """
        kind, *declared = get_args(hint) if get_origin(hint) is Annotated else (hint,)
        bounds = tuple(one for bound in declared for one in (bound if isinstance(bound, GroupedMetadata) else [bound]))
        if unknown := [bound for bound in bounds if not isinstance(bound, (*LIMITS, Predicate))]:
            raise TypeError(f"expected bounds that are Ge, Gt, Le, Lt, Interval or Predicate, got {unknown[0]!r}")
        choices = get_args(kind) if get_origin(kind) is Literal else ()
        return cls(type(choices[0]) if choices else kind, default, choices, bounds)

    def accepts(self, value: Any) -> bool:
        """Whether it may have this value; a whole number will do for a number, which is finite."""
        if self.kind not in KINDS:
            return True
        if not isinstance(value, (int, float) if self.kind is float else self.kind):
            return False
        if isinstance(value, bool) != (self.kind is bool):
            return False
        if self.kind is float and not abs(value) < math.inf:
            return False
        return (not self.choices or value in self.choices) and all(_within(value, bound) for bound in self.bounds)

    def parse(self, text: str, place: str) -> Any:
        """A value from text.

        Raises:
            ValueError: it cannot have it; the message names its ``place``.
        """
        try:
            value = {"true": True, "false": False}[text.lower()] if self.kind is bool else self.kind(text)
        except (ValueError, KeyError):
            raise self.refusal(text, place) from None
        if not self.accepts(value):
            raise self.refusal(value, place)
        return value

    def refusal(self, value: Any, place: str) -> ValueError:
        """What to say of a value that it cannot have."""
        example = "" if self.default is None else f"; take for example {place}={text_of(self.default)}"
        return ValueError(f"expected {place} as {self.words}, got {value!r}{example}")

    @property
    def words(self) -> str:
        """What it takes, in plain words: ``a whole number from 1 to 100``."""
        if self.choices:
            return " or ".join(map(text_of, self.choices))
        limits = {type(bound): _limit(bound) for bound in self.bounds if type(bound) in LIMITS}
        if limits.keys() == {Ge, Le}:
            phrases = [f"from {limits[Ge]} to {limits[Le]}"]
        else:
            phrases = [f"{LIMITS[kind][0]} {limit}" for kind, limit in limits.items()]
        phrases += [bound.func.__name__ for bound in self.bounds if isinstance(bound, Predicate)]
        endless = self.kind is float and not limits.keys() & {Le, Lt}
        return f"{'a finite number' if endless else KINDS[self.kind][0]} {', '.join(phrases)}".rstrip()

    @property
    def schema(self) -> dict[str, Any]:
        """The same as JSON Schema."""
        limits = {LIMITS[type(bound)][1]: _limit(bound) for bound in self.bounds if type(bound) in LIMITS}
        given = {"default": self.default, "enum": list(self.choices)}
        described = {"type": KINDS[self.kind][1], "description": self.words} | limits
        return described | {key: value for key, value in given.items() if value not in (None, [])}


@cache
def parameters_of(cls: Any) -> dict[str, Parameter]:
    """What each field of a dataclass takes."""
    hints = get_type_hints(cls, include_extras=True)
    return {
        field.name: Parameter.of(hints[field.name], None if field.default is MISSING else field.default)
        for field in fields(cls)
    }


def check_fields(instance: Any, name: str = "") -> None:
    """Check what a dataclass holds against the types of its fields; those that are no parameter can be anything.

    Args:
        instance: of the dataclass.
        name: under which it is registered, if it is.

    Raises:
        ValueError: one has a value that it cannot have; the message says which, what was expected, and an example.
    """
    for field, parameter in parameters_of(instance.__class__).items():
        if not parameter.accepts(value := getattr(instance, field)):
            raise parameter.refusal(value, f"{name}:{field}" if name else field)


class Registry(Generic[T]):
    """Frozen dataclasses by name.

    Args:
        kind: what they are, in the plural, for messages.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._classes: dict[str, type[T]] = {}

    def register(self, name: str) -> Callable[[type[R]], type[R]]:
        """Decorate a dataclass: freeze it, list it under ``name``, and check the fields of every instance."""

        def add(cls: type[R]) -> type[R]:
            if name in self._classes:
                raise ValueError(f"two {self.kind} are called {name}")
            own: Callable[[R], None] = getattr(cls, "__post_init__", lambda instance: None)

            def check(instance: R) -> None:
                check_fields(instance, name)
                own(instance)

            cls.__post_init__ = check  # type: ignore[attr-defined]
            frozen = dataclass(frozen=True)(cls)
            for field, parameter in parameters_of(cast(Any, frozen)).items():
                if parameter.kind not in KINDS:
                    raise TypeError(f"expected int, float, bool, str or Literal for {name}:{field}, got {parameter}")
            self._classes[name] = cast(type[T], frozen)
            return frozen

        return add

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._classes))

    def parameters(self, name: str) -> dict[str, Parameter]:
        """What every parameter takes, in order."""
        return parameters_of(cast(Any, self._find(name)))

    def make(self, spec: str) -> T:
        """Make ``name`` or ``name:parameter=value,parameter=value``.

        Raises:
            ValueError: unknown name or parameter, a value that it cannot have, or a missing one.
        """
        name, _, rest = spec.partition(":")
        cls = self._find(name)
        parameters = self.parameters(name)
        given: dict[str, str] = {}
        for part in rest.split(",") if rest else []:
            key, equals, text = part.partition("=")
            if equals and key in parameters:
                given[key] = text
            elif given and (not equals or ":" in given[next(reversed(given))]):  # inside a value, or a spec in a spec
                given[next(reversed(given))] += f",{part}"
            else:
                expected = ", ".join(parameters) or "no parameter"
                raise ValueError(f"expected parameters of {name} as name=value with {expected}; got {part!r}")
        values = {key: parameters[key].parse(text, f"{name}:{key}") for key, text in given.items()}
        for key, parameter in parameters.items():
            if parameter.default is None and key not in values:
                raise ValueError(f"expected a value of {key}, which has no default: {name}:{key}=…")
        return cls(**values)

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


def text_of(value: Any) -> str:
    """A value as it is written in text."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _limit(bound: Any) -> Any:
    """The number of ``Ge(1)`` and the like."""
    return getattr(bound, type(bound).__name__.lower())


def _within(value: Any, bound: Any) -> bool:
    if isinstance(bound, Predicate):
        return bool(bound.func(value))
    return bool(getattr(operator, type(bound).__name__.lower())(value, _limit(bound)))


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
