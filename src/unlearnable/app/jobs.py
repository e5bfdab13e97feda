"""One piece of work at a time, in a thread: how far it is, what came of each file, and how it ends."""

import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from unlearnable.compute.devices import DivergedError

State = Literal["running", "stopping", "done", "stopped", "failed"]
AT_ONCE = 400  # files that one answer tells of: a browser draws no more at a time
REMEMBERED = 120  # states from which the time left is foreseen
CLOSING = 20.0  # s that a job is waited for when the page is closed; what is cut off then resumes


class StopError(Exception):
    """The user has stopped the work."""


class BusyError(ValueError):
    """There is work going on already."""


@dataclass(frozen=True)
class Row:
    """What came of a file."""

    file: str
    status: str
    reason: str = ""


@dataclass(frozen=True)
class Copies:
    """A folder that was protected, with what it takes to look into it."""

    src: Path
    dst: Path
    key: Path
    weights: str | None


@dataclass
class Job:
    """Some work and its state.

    Attributes:
        number: counts the jobs of this start.
        kind: which tab it is of.
        work: does it, and tells of it through this object.
        state: how it stands.
        what: is being done, in a word or two; ``step`` says it more closely.
        done, total: of it.
        sentences: what is to be said of it.
        page: HTML that it made, shown inside the tab.
        pictures: titles, and pictures as data addresses.
        copies: what it protected.
        zipped: whether the copies are to be downloaded.
    """

    number: int
    kind: str
    work: Callable[["Job"], None] = field(repr=False)
    state: State = "running"
    what: str = "beginning"
    step: str = ""
    done: int = 0
    total: int | None = None
    sentences: list[str] = field(default_factory=list)
    page: Path | None = None
    pictures: list[tuple[str, str]] = field(default_factory=list)
    copies: Copies | None = None
    zipped: bool = False
    _rows: list[Row] = field(default_factory=list, repr=False)
    _known: dict[str, Row] = field(default_factory=dict, repr=False)
    _past: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=REMEMBERED), repr=False)

    def run(self) -> None:
        """Do the work to its end, whatever that is. Only when all its threads have ended its state says so."""
        try:
            self.work(self)
        except StopError:
            state: State = "stopped"
        except (ValueError, OSError, DivergedError) as error:
            state = "failed"
            self.sentences.append(str(error))
        except Exception as error:  # it is a fault of ours: the page stays, and the terminal says where
            state = "failed"
            traceback.print_exc()
            self.sentences.append(f"Something went wrong that should not: {type(error).__name__}: {error}")
        else:
            state = "done"
        self.state = state

    def stop(self) -> None:
        """Let it end at the next step."""
        if self.state == "running":
            self.state = "stopping"

    def at(self, what: str, done: float, total: float | None) -> None:
        """Tell how far it is.

        Raises:
            StopError: it is to stop here.
        """
        if self.state == "stopping":
            raise StopError
        if what != self.what:
            self._past.clear()
        self.what, self.done, self.total = what, int(done), None if total is None else int(total)
        self._past.append((time.monotonic(), done))

    def row(self, row: Row) -> None:
        """Tell what came of a file; the last word counts."""
        if self._known.get(row.file) != row:
            self._known[row.file] = row
            self._rows.append(row)

    def rows_since(self, number: int) -> tuple[list[Row], int]:
        """Some of what was told after so many rows, and the number to ask for next."""
        rows = self._rows[number : number + AT_ONCE]
        return rows, number + len(rows)

    @property
    def told(self) -> int:
        """How many rows were told."""
        return len(self._rows)

    def counts(self) -> dict[str, int]:
        """Of files by what came of them."""
        counted: dict[str, int] = {}
        for row in list(self._known.values()):
            counted[row.status] = counted.get(row.status, 0) + 1
        return counted

    def time_left(self) -> str:
        """In words; empty where nobody knows."""
        past = list(self._past)
        if self.state != "running" or not self.total or len(past) < 2:
            return ""
        (begun, before), (now, after) = past[0], past[-1]
        if after <= before:
            return ""
        return in_words((now - begun) / (after - before) * (self.total - after))


class Desk:
    """Where jobs are given in: one at a time, as each takes all of the computer."""

    def __init__(self) -> None:
        self.jobs: dict[int, Job] = {}
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def begin(self, kind: str, work: Callable[[Job], None]) -> Job:
        """Start some work.

        Raises:
            BusyError: other work is going on.
        """
        with self._lock:
            if self._thread and self._thread.is_alive():
                busy = self.jobs[max(self.jobs)]
                raise BusyError(f"the tab {busy.kind.capitalize()} is at work; wait until it has ended, or stop it")
            job = Job(len(self.jobs) + 1, kind, work)
            self.jobs[job.number] = job
            self._thread = threading.Thread(target=job.run, name=f"job {job.number}", daemon=True)
            self._thread.start()
        return job

    def close(self) -> None:
        """Stop what is going on, and wait for it a while."""
        for job in self.jobs.values():
            job.stop()
        if self._thread:
            self._thread.join(CLOSING)


def in_words(seconds: float) -> str:
    """A time, roughly."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s left"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} min left"
    return f"about {seconds / 3600:.1f} h left"
