"""What a step of a run threw: as an exception that any process can send, and as a record that the report reads."""

from dataclasses import dataclass
from traceback import format_exception
from typing import ClassVar

from safetensors import SafetensorError

from unlearnable.compute.devices import DivergedError
from unlearnable.storage.provenance import __version__
from unlearnable.storage.records import Record

EXPLAINED = (ValueError, OSError, RuntimeError, DivergedError, SafetensorError)  # of others the name is needed, too


class StepError(Exception):
    """A step could not be done.

    Args:
        reason: in a line.
        traceback: of what it threw; empty where it threw nothing itself.
    """

    def __init__(self, reason: str, traceback: str = "") -> None:
        super().__init__(reason, traceback)  # all arguments, so that it can be sent by pickle
        self.reason, self.traceback = reason, traceback

    def __str__(self) -> str:
        return self.reason

    @classmethod
    def of(cls, error: Exception) -> "StepError":
        """What was thrown, as text: not every exception can be sent from one process to another."""
        reason = str(error) if isinstance(error, EXPLAINED) else ""
        return cls(reason or repr(error), "".join(format_exception(error)))


class NoTimeError(StepError):
    """A step would not end in time; nothing is wrong with it."""


@dataclass(frozen=True)
class Failure(Record):
    """A training that could not be done, until it can.

    Attributes:
        training: key of what was to be trained.
        name: of the training, for people.
        reason: in a line.
        traceback: of what was thrown, if anything was.
        version: of this package.
    """

    named: ClassVar[str] = "the record of a failure"

    training: str
    name: str
    reason: str
    traceback: str
    version: str = __version__

    @property
    def key(self) -> str:
        """That of what was to be trained."""
        return self.training
