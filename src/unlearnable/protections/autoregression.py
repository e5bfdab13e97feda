"""Autoregressive processes: what they generate, and a search for such as stay finite and can be told apart.

"Autoregressive Perturbations for Data Poisoning" (Sandoval-Segura, Singla, Geiping, Goldblum, Goldstein and Jacobs,
NeurIPS 2022, arXiv 2206.03693), generation and search for coefficients; those found here are our own. A process has a
window of 3x3 coefficients for each colour: every pixel is the weighted sum of the eight before it in its window, row by
row, and there is no other noise than the pixels with which it starts.
"""

import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from einops import rearrange
from jaxtyping import Float
from numpy import ndarray
from numpy.lib.stride_tricks import sliding_window_view

from unlearnable.keys import Key

WINDOW = 3
BORDER = WINDOW - 1  # rows and columns of random values with which a process starts
CROPPED = 4  # rows and columns of what is generated that are not used (authors)
TILE = 32  # side in px of what is used
CANVAS = TILE + CROPPED

STARTS = CANVAS**2 - (CANVAS - BORDER) ** 2  # values of a colour: two rows and two columns

LOUDEST = 50.0  # L2 norm of a colour's canvas when its start is white noise of variance 1 (authors)
CANDIDATES = 2048  # windows that are tried at a time
TRIED = 1_000_000  # windows, at most (authors)


class NoProcessError(ValueError):
    """The search ended before there was a process for each class."""


def scan(windows: Float[ndarray, "3 3 m"], canvases: Float[ndarray, "h w m"]) -> Float[ndarray, "h w m"]:
    """Generate, in place: every pixel but those of the first two rows and columns becomes its window's weighted sum."""
    height, width = canvases.shape[:2]
    for row in range(BORDER, height):
        for column in range(BORDER, width):
            seen = canvases[row - BORDER : row + 1, column - BORDER : column + 1]
            np.einsum("ijm,ijm->m", seen, windows, out=canvases[row, column])
    return canvases


def response(windows: Float[ndarray, "3 3 3"]) -> Float[ndarray, "3 starts pixels"]:
    """What each start value of each colour adds to each pixel of a tile: what is generated is linear in its start."""
    starts = np.zeros((CANVAS, CANVAS, STARTS))
    starts[_border()] = np.eye(STARTS)
    scanned = scan(np.repeat(windows.transpose(1, 2, 0), STARTS, axis=2), np.tile(starts, 3))
    return scanned[CROPPED:, CROPPED:].reshape(TILE**2, 3, STARTS).transpose(1, 2, 0)


@lru_cache(maxsize=8)
def processes(count: int, seed: int) -> Float[ndarray, "k 3 3 3"]:
    """Windows of so many processes, the first of which are the same for every ``count``.

    As the authors do, by rejection. A new process must make every earlier one's filter respond: by `required` at least,
    to a tile of what it generates, scaled to the authors' L2 norm of 1.

    Raises:
        NoProcessError: after a million windows there were fewer.
    """
    found: list[Float[ndarray, "3 3 3"]] = []
    filters = np.empty((0, 3 * WINDOW**2))
    for windows, canvas in _stable(seed):
        if len(found) == count:
            break
        tile = canvas[:, CROPPED:, CROPPED:] / np.linalg.norm(canvas[:, CROPPED:, CROPPED:])
        if _responses(filters, tile).min(initial=np.inf) >= required(len(found) + 1):
            found.append(windows)
            filters = np.concatenate([filters, _filter(windows)[None]])
    else:
        raise NoProcessError(
            f"expected autoregressive processes for {count} classes, found {len(found)} that can be told apart among "
            f"{TRIED} windows; use fewer classes or another seed"
        )
    return np.stack(found)


def required(place: int) -> float:
    """The response that the process at ``place``, from 1, owes to every earlier filter.

    The authors ask 10 of the processes for 10 classes and 3 of those for 100. Here the first ten owe 10, and the later
    ones less by a power law that asks 3 of the hundredth, 2.1 of the two hundredth.
    """
    return 10 * min(1.0, math.pow(place / 10, math.log10(0.3)))


def _stable(seed: int) -> Iterator[tuple[Float[ndarray, "3 3 3"], Float[ndarray, "3 h w"]]]:
    """Windows for three colours, and what they generated; each colour is finite, and not too loud.

    Colours are independent, so each of them is tried by itself: of windows about one in four passes.
    """
    rng = Key.of_seed(seed).rng("autoregressive processes")
    for _ in range(0, TRIED, CANDIDATES):
        windows = rng.standard_normal((WINDOW, WINDOW, CANDIDATES))
        windows[-1, -1] = 0
        windows /= windows.sum((0, 1))
        canvases = np.zeros((CANVAS, CANVAS, CANDIDATES))
        canvases[_border()] = rng.standard_normal((STARTS, CANDIDATES))
        with np.errstate(over="ignore", invalid="ignore"):
            loudness = np.sqrt(np.square(scan(windows, canvases)).sum((0, 1)))
        passed = np.flatnonzero(loudness <= LOUDEST)
        chosen = passed[: len(passed) // 3 * 3]
        by_three = (rearrange(each[..., chosen], "h w (n k) -> n k h w", k=3) for each in (windows, canvases))
        yield from zip(*map(np.ascontiguousarray, by_three), strict=True)


def _filter(windows: Float[ndarray, "3 3 3"]) -> Float[ndarray, " 27"]:
    """The convolution that is zero wherever the process itself has generated the pixels."""
    whole = windows.copy()
    whole[:, -1, -1] = -1
    return whole.ravel()


def _responses(filters: Float[ndarray, "k 27"], tile: Float[ndarray, "3 h w"]) -> Float[ndarray, " k"]:
    """The sum of each filter's convolution with ``tile``, over the places where that is positive."""
    patches = sliding_window_view(tile, (WINDOW, WINDOW), axis=(1, 2)).transpose(1, 2, 0, 3, 4)
    summed: Float[ndarray, " k"] = np.maximum(patches.reshape(-1, filters.shape[1]) @ filters.T, 0).sum(0)
    return summed


def _border() -> tuple[ndarray, ...]:
    """Rows and columns of the canvas's start values."""
    rows, columns = np.indices((CANVAS, CANVAS))
    return np.nonzero(np.minimum(rows, columns) < BORDER)
