"""Files of tensors, in safetensors: whether one is there, can be read, and is undamaged."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open


@contextmanager
def opened(file: Path) -> Iterator[Any]:
    """The file, for reading.

    Raises:
        FileNotFoundError: there is none.
        OSError: there is one that cannot be read.
        SafetensorError: it is damaged.
    """
    try:
        file.open("rb").close()  # of a file that may not be read safetensors says that there is none
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(f"expected the file {file}, found none") from None
    except OSError as error:
        raise OSError(f"{file} is there and cannot be read ({error}); make it readable, or move it away") from None
    with safe_open(file, framework="pt") as stored:
        yield stored


def is_readable(file: Path) -> bool:
    """Whether there is an undamaged file, of the length that it says; the tensors themselves are not read.

    Raises:
        OSError: there is one that cannot be read.
    """
    try:
        with opened(file):
            return True
    except FileNotFoundError:
        return False
    except SafetensorError as error:
        warnings.warn(f"{file} is damaged ({error}) and counts as missing", stacklevel=2)
        return False
