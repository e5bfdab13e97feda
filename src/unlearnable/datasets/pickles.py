"""Pickles of plain values and byte arrays, read without running anything that they name.

CIFAR's python version is pickled, and a pickle may call whatever it names. Here it can name three things of numpy's,
and in place of each it gets a class that only keeps what it is given: not even numpy's own reconstruction runs.
"""

import io
import pickle
from typing import Any, TypeVar

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

T = TypeVar("T")
ARRAYS = {("numpy.core.multiarray", "_reconstruct"), ("numpy", "ndarray"), ("numpy", "dtype")}


class RefusedPickleError(ValueError):
    """A pickle that names something else, or is none."""


class Kept:
    """Stands in for numpy's classes.

    Attributes:
        arguments: what it was made with.
        state: what was set on it.
    """

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Plain(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> type[Kept]:
        """What a name stands for: never what it names."""
        if (module, name) not in ARRAYS:
            raise RefusedPickleError(f"it asks to run {module}.{name}, which no such file does")
        return Kept


def read_pickle(content: bytes) -> dict[Any, Any]:
    """A pickled dictionary of Python 2: byte strings, numbers, lists, and arrays for `byte_array`.

    Raises:
        RefusedPickleError: it names anything else, is broken, or is no dictionary.
    """
    try:
        value = _Plain(io.BytesIO(content), encoding="bytes").load()
    except RefusedPickleError:
        raise
    except Exception as error:  # a broken pickle makes the unpickler raise anything
        raise RefusedPickleError(f"broken or cut short: {error or type(error).__name__}") from None
    if not isinstance(value, dict):
        raise RefusedPickleError(f"expected a dictionary, got {type(value).__name__}")
    return value


def listed(stored: dict[Any, Any], key: bytes, kind: type[T]) -> list[T]:
    """The list of one kind of value that a dictionary of `read_pickle` holds.

    Raises:
        RefusedPickleError: it holds something else.
    """
    values = stored.get(key)
    if not isinstance(values, list) or not all(isinstance(value, kind) for value in values):
        raise RefusedPickleError(f"expected a list of {kind.__name__} as its {key.decode()}")
    return values


def byte_array(kept: Any) -> UInt8[ndarray, "n m"]:
    """The matrix of bytes that a pickle describes.

    Raises:
        RefusedPickleError: it describes something else.
    """
    match kept:
        case Kept(state=(_, (int(rows), int(columns)), Kept(arguments=(b"u1", *_)), fortran, bytes(raw))):
            if rows * columns == len(raw):
                return np.frombuffer(raw, np.uint8).reshape(rows, columns, order="F" if fortran else "C")
    raise RefusedPickleError("expected a whole matrix of bytes as its data")
