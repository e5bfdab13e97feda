"""Files that appear whole or not at all."""

import hashlib
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

PARTIAL = ".partial"
ABANDONED = 24 * 60 * 60  # seconds after which no file is written to any more, whoever began it


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside ``path``; on success it takes ``path``'s place in one step, else it goes.

    The name is this process's own, so that of several that write the same file the last one wins, whole. The bytes are
    flushed to the disk before the name changes, so that a power cut cannot leave an empty file.
    """
    _sweep(path.parent)
    name = _digest(os.fsencode(path.name))  # its own name may be as long as names can be
    temporary = path.with_name(f".{name}-{_place()}-{os.getpid()}{PARTIAL}")
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
    """Remove, once in the life of this process, what killed processes left in a folder.

    What processes began that cannot be seen from here, of another machine or another container, goes after a day.
    """
    for left in folder.glob(f".*-*-*{PARTIAL}"):
        _, place, process = left.stem.split("-")
        with suppress(FileNotFoundError):  # it was finished, or another process sweeps, too
            old = time.time() - left.stat().st_mtime > ABANDONED
            if old or (place == _place() and not _runs(int(process))):
                left.unlink()


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        pass
    return True


@cache
def _place() -> str:
    """Where a number stands for one process: this machine since it was started; on Linux, this container of it."""
    names = [platform.node()]
    with suppress(OSError):  # no Linux
        names += [Path("/proc/sys/kernel/random/boot_id").read_text(), str(Path("/proc/self/ns/pid").readlink())]
    return _digest(" ".join(names).encode())


def _digest(name: bytes) -> str:
    return hashlib.sha256(name).hexdigest()[:16]
