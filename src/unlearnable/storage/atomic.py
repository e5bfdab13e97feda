"""Files that appear whole or not at all."""

import hashlib
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

PARTIAL = ".partial"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside ``path``; on success it takes ``path``'s place in one step, else it goes.

    The name is this process's own, so that of several that write the same file the last one wins, whole. The bytes are
    flushed to the disk before the name changes, so that a power cut cannot leave an empty file.
    """
    _sweep(path.parent)
    name = _digest(os.fsencode(path.name))  # its own name may be as long as names can be
    temporary = path.with_name(f".{name}-{_machine()}-{os.getpid()}{PARTIAL}")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write(path: Path, content: str | bytes) -> None:
    """Write a file, whole or not at all; text as UTF-8."""
    with replacing(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


@cache
def _sweep(folder: Path) -> None:
    """Remove, once in the life of this process, what killed processes of this machine left in a folder."""
    for left in folder.glob(f".*-{_machine()}-*{PARTIAL}"):
        if not _runs(int(left.stem.rpartition("-")[2])):
            left.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        pass
    return True


@cache
def _machine() -> str:
    """Its name, of which others that see the same folder have another."""
    return _digest(platform.node().encode())


def _digest(name: bytes) -> str:
    return hashlib.sha256(name).hexdigest()[:16]
