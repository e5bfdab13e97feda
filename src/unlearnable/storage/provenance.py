"""What made a result: versions of this package and of others, and fingerprints of files."""

import hashlib
import platform
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("torch", "torchvision", "kornia", "timm", "pillow", "numpy")  # that a result depends on
_installed = cache(version)  # reads a file each time

__version__ = "0.5.0"


def check_files(files: Iterable[Path], of: object) -> None:
    """Check that what ``of`` depends on is there.

    Raises:
        FileNotFoundError: it is not.
    """
    if missing := [str(file) for file in files if not file.is_file()]:
        raise FileNotFoundError(f"expected {', '.join(missing)}, on which {of} depends; no such file")


def versions() -> dict[str, str]:
    """Of Python and of the packages that matter, as they are here."""
    return {"python": platform.python_version()} | {name: _installed(name) for name in PACKAGES}


def file_fingerprint(files: Iterable[Path]) -> str:
    """SHA-256 over the files' bytes, the first 16 digits; empty where there are none."""
    contents = [file.read_bytes() for file in files]
    return hashlib.sha256(b"".join(contents)).hexdigest()[:16] if contents else ""
