"""One run at a time into one folder: a lock file that says who holds it, and that a killed holder does not leave held.

The operating system holds the lock, on a shared folder too where it is mounted with locks, and lets go of it whenever
the process ends, however it ends. So neither ages nor process numbers are judged, which containers may share.
"""

import fcntl
import json
import os
import platform
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

LOCK = ".lock"


class LockedError(OSError):
    """Another run is writing to the folder."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder's lock, and make the folder where there is none; one that is still empty goes again.

    A file system without locks is warned of.

    Raises:
        LockedError: another process holds it; the message says which, since when, and what to do.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = _acquire(folder / LOCK)
        try:
            yield
        finally:
            (folder / LOCK).unlink(missing_ok=True)  # while it is held: nobody else's
            os.close(descriptor)
    finally:
        for path in made:
            with suppress(OSError):  # it is in use, or was never made
                path.rmdir()


def _acquire(file: Path) -> int:
    """Lock the file, and write into it who holds it; its descriptor."""
    while True:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(descriptor, file)
            if _is_at(descriptor, file):
                os.truncate(descriptor, 0)
                os.pwrite(descriptor, _holder().encode(), 0)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # its last holder has just removed it


def _lock(descriptor: int, file: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise LockedError(
            f"{file.parent} is being written by another run ({_said(descriptor)}); wait until that one has ended, or "
            "stop it, or name another folder"
        ) from None
    except OSError as error:
        warnings.warn(f"{file.parent} cannot be locked ({error}): see that no other run writes to it", stacklevel=2)


def _is_at(descriptor: int, file: Path) -> bool:
    """Whether the open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(descriptor), file.stat())
    except FileNotFoundError:
        return False


def _holder() -> str:
    since = datetime.now().astimezone().isoformat(" ", "seconds")
    return json.dumps({"host": platform.node(), "process": os.getpid(), "since": since}) + "\n"


def _said(descriptor: int) -> str:
    """Who holds the lock, as its file says."""
    try:
        return ", ".join(f"{name} {value}" for name, value in json.loads(os.pread(descriptor, 4096, 0)).items())
    except ValueError:  # it was made a moment ago
        return "which has just begun"
