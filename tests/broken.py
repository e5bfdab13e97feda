"""Functions for other processes that throw something."""

from typing import Any, NoReturn


class UnsendableError(Exception):
    """One that pickle writes, and cannot read."""

    def __init__(self, *, kind: int) -> None:
        super().__init__()
        self.kind = kind


def broken(error: Exception, *arguments: Any) -> NoReturn:
    """Throw ``error``, whatever else there is to do."""
    raise error


def broken_unsendably(*arguments: Any) -> NoReturn:
    """Throw an error that cannot be sent back."""
    raise UnsendableError(kind=1)
