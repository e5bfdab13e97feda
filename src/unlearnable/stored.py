"""Files that a command stored and another reads: they may be broken, or somebody else's."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def expecting(what: str, file: Path) -> Iterator[None]:
    """Whatever does not fit while ``file`` is read is said of the file: it is not ``what``."""
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{file} is not {what}: {error!r}") from None
