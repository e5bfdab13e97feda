"""What a benchmark measures: one JSON object a line, kept as soon as it is there, so that the same command goes on."""

import json
from pathlib import Path
from typing import Any

from unlearnable.storage.atomic import write

Line = dict[str, Any]


class Lines:
    """The lines of one file.

    Attributes:
        measured: those that are there already, and those that are added.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.measured: list[Line] = json.loads(file.read_text()) if file.exists() else []

    def has(self, what: Line) -> bool:
        """Whether a line says all of this."""
        return any(line | what == line for line in self.measured)

    def add(self, line: Line) -> None:
        """Keep it, and tell of it."""
        self.measured.append(line)
        print(json.dumps(line), flush=True)
        write(self.file, json.dumps(self.measured, indent=1) + "\n")
