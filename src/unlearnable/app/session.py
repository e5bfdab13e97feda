"""What one start of the page holds: the owner's key, dropped files in a folder of its own, and its jobs."""

import shutil
import tempfile
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from unlearnable.app.jobs import Desk
from unlearnable.storage.decode import check_inside


@dataclass
class Session:
    """One start of the page.

    Attributes:
        key: the owner's key file; not made before it is needed.
        weights: of the network that hides; those that ship when None.
        folder: for this start alone, readable by its user alone, removed at the end.
        desk: its jobs.
    """

    key: Path
    weights: str | None = None
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="unlearnable-app-")).resolve())
    desk: Desk = field(default_factory=Desk)
    _numbers: "count[int]" = field(default_factory=lambda: count(1), repr=False)

    def new_folder(self, what: str) -> Path:
        """An empty folder that nothing else uses."""
        made = self.folder / f"{what}{next(self._numbers)}"
        made.mkdir()
        return made

    def dropped(self, name: str) -> Path:
        """The folder of a batch of dropped files.

        Raises:
            ValueError: there is none of this name.
        """
        folder = self.folder / name
        if not (name.startswith("dropped") and name.isalnum() and folder.is_dir()):
            raise ValueError("expected files that were dropped here since the page was started; drop them again")
        return folder

    def place(self, batch: str, name: str) -> Path:
        """Where a dropped file goes, with its folders as they were.

        Raises:
            ValueError: its name leaves the batch's folder, or another file has it already.
        """
        folder = self.dropped(batch)
        check_inside(name)
        file = folder / name
        if "\0" in name or not name or file.resolve() == folder or not file.resolve().is_relative_to(folder):
            raise ValueError(f"{name!r} is no name of a file in a folder")
        if file.exists():
            raise ValueError(f"{name} was dropped already; to keep files of one name apart, drop their folders")
        return file

    def close(self) -> None:
        """Stop the work, and remove what was dropped."""
        self.desk.close()
        shutil.rmtree(self.folder, ignore_errors=True)
