"""What a form says, as paths and choices, with messages for who filled it in."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Form:
    """The fields of a form as they came: texts, and lists of texts of boxes that can be ticked."""

    fields: Mapping[str, Any]

    def text(self, name: str) -> str:
        """A field, without blanks around it; empty where there is none."""
        value = self.fields.get(name, "")
        if not isinstance(value, str):
            raise ValueError(f"expected a text as {name}, got {value!r}")
        return value.strip()

    def texts(self, name: str) -> list[str]:
        """Those of several boxes that were ticked."""
        value = self.fields.get(name, [])
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(one, str) for one in values):
            raise ValueError(f"expected texts as {name}, got {value!r}")
        return values

    def ticked(self, name: str) -> bool:
        """Whether a box is ticked."""
        return bool(self.texts(name))

    def one_of(self, name: str, choices: Mapping[str, object] | tuple[str, ...]) -> str:
        """A choice.

        Raises:
            ValueError: it is none.
        """
        value = self.text(name)
        if value not in choices:
            raise ValueError(f"expected of {name} one of {', '.join(choices)}, got {value or 'nothing'}")
        return value

    def path(self, name: str, what: str) -> Path:
        """A place on this computer, given in full or from the user's own folder (~).

        Raises:
            ValueError: it is not.
        """
        path = self.path_or_none(name, what)
        if path is None:
            raise ValueError(f"expected {what}: type or paste its place, such as {Path.home() / 'Pictures'}")
        return path

    def path_or_none(self, name: str, what: str) -> Path | None:
        """The same, where it may be left out."""
        text = self.text(name).strip('"')  # as file managers copy it
        if not text:
            return None
        try:
            path = Path(text).expanduser()
        except RuntimeError:  # the folder of somebody whom nobody knows
            raise ValueError(f"expected of {what} a place, got {text}") from None
        if not path.is_absolute():
            raise ValueError(f"expected of {what} the whole place, such as {Path.home() / 'Pictures'}, got {text}")
        return path

    def number(self, name: str, what: str, least: int) -> int | None:
        """A whole number, or None where it was left out.

        Raises:
            ValueError: it is none, or less than ``least``.
        """
        text = self.text(name)
        if text and not (text.isdecimal() and int(text) >= least):
            raise ValueError(f"expected of {what} a whole number from {least} on, got {text}")
        return int(text) if text else None

    def colours(self, name: str, what: str, usual: float) -> tuple[float, ...]:
        """One number for all colours, or three with commas between them; ``usual`` where it was left out.

        Raises:
            ValueError: they are neither.
        """
        text = self.text(name)
        try:
            numbers = tuple(map(float, text.split(","))) if text else (usual,)
        except ValueError:
            numbers = ()
        if len(numbers) not in (1, 3):
            raise ValueError(f"expected of {what} one number, or three with commas between them, got {text}")
        return numbers
