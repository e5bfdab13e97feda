"""One run at a time into one folder: a lock file that says who holds it, and that a killed holder does not leave held.

The operating system holds the lock, on a shared folder too where it is mounted with locks, and lets go of it whenever
the process ends, however it ends. So neither ages nor process numbers are judged, which containers may share.
"""

import json
import os
import platform
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

LOCK = ".lock"
PATIENCE = 1.0  # s; for a holder that is just ending


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
    file = folder / LOCK
    lock = FileLock(file, timeout=PATIENCE, poll_interval=PATIENCE / 10)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _acquire(lock, file)
        try:
            yield
        finally:
            with suppress(OSError):  # where an open file cannot be removed, releasing it does
                file.unlink(missing_ok=True)  # while it is held: nobody else's
            lock.release()
    finally:
        for path in made:
            with suppress(OSError):  # it is in use, or was never made
                path.rmdir()


def _acquire(lock: FileLock, file: Path) -> None:
    """Take the lock, and write into its file who holds it."""
    try:
        lock.acquire()
    except Timeout:
        raise LockedError(
            f"{file.parent} is being written by another run ({_holder_of(file)}); wait until that one has ended, or "
            "stop it, or name another folder"
        ) from None
    except OSError as error:
        warnings.warn(f"{file.parent} cannot be locked ({error}): see that no other run writes to it", stacklevel=4)
    since = datetime.now().astimezone().isoformat(" ", "seconds")
    with suppress(OSError):  # where a locked file cannot be written: the lock holds, and does not say for whom
        file.write_text(json.dumps({"host": platform.node(), "process": os.getpid(), "since": since}) + "\n")


def _holder_of(file: Path) -> str:
    """Who holds the lock, as its file says."""
    try:
        return ", ".join(f"{name} {value}" for name, value in json.loads(file.read_text()).items())
    except (OSError, ValueError):  # it was made a moment ago, or its system lets nobody read it
        return "which does not say who it is"
