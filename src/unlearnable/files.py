"""Files on which something depends that is named in text."""

from collections.abc import Iterable
from pathlib import Path


def check_files(files: Iterable[Path], of: object) -> None:
    """Check that what ``of`` depends on is there.

    Raises:
        FileNotFoundError: it is not.
    """
    if missing := [str(file) for file in files if not file.is_file()]:
        raise FileNotFoundError(f"expected {', '.join(missing)}, on which {of} depends; no such file")
