"""Add noise of an autoregressive process, another process for each class (AR: Sandoval-Segura et al., NeurIPS 2022).

"Autoregressive Perturbations for Data Poisoning", Sandoval-Segura, Singla, Geiping, Goldblum, Goldstein and Jacobs,
arXiv 2206.03693. Every picture's noise starts from values of its own.
"""

import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int64, UInt8
from numpy import ndarray
from numpy.lib.stride_tricks import sliding_window_view
from torch import Tensor

from unlearnable.keys import Key
from unlearnable.protections.base import Perturber, Streaming, protections
from unlearnable.protections.patterns import by_class, normals

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


CACHED = 16  # classes whose matrices are kept, 3 MB each


@protections.register("ar")
class AR(Streaming):
    """Tiles of 32 px, each generated as the authors do for CIFAR-10; a smaller picture gets a part of one.

    The authors generate larger noise whole, 100 px for STL-10 and 226 px for ImageNet. But processes that stay finite
    over the 36 px of the search need not beyond: from white noise of variance 1, seven of the ten processes of seed 0
    reach values above 1,000 within 226 px, and then all the noise is in a corner. Tiles are as strong everywhere, need
    one small matrix for all sizes, and a filter of the process answers at their seams alone.

    Attributes:
        budget: ``rms:4.60076`` is the authors' L2 norm of 1 at 32 px, and of 3 at 96 px, in pictures in [0, 1]:
            255 / sqrt(3 * 32 * 32) grey levels. The noise's RMS is `strength`.
    """

    budget: str = "rms:4.60076"

    def perturber(self, classes: int, seed: int) -> Perturber:
        """One matrix product a class and colour takes start values, from a key made from ``seed``, to tiles."""
        key, windows = Key.of_seed(seed), processes(classes, seed)

        @lru_cache(CACHED)
        def matrices(label: int) -> Float[ndarray, "3 starts pixels"]:
            return response(windows[label])

        def perturb(
            images: UInt8[Tensor, "n 3 h w"], labels: Int64[Tensor, " n"], numbers: Int64[Tensor, " n"]
        ) -> Float[Tensor, "n 3 h w"]:
            height, width = images.shape[-2:]
            rows, columns = -(-height // TILE), -(-width // TILE)

            def generated(label: int, numbers: Int64[ndarray, " m"]) -> Float[ndarray, "m values"]:
                starts = normals(key.rng("ar pictures", label), numbers, rows * columns * 3 * STARTS)
                tiles = rearrange(starts, "m (t k s) -> k (m t) s", k=3, s=STARTS) @ matrices(label)
                return rearrange(tiles, "k (m t) p -> m (t k p)", m=len(numbers))

            values = torch.from_numpy(by_class(labels, numbers, rows * columns * 3 * TILE**2, generated))
            tiled = rearrange(values, "n (r c k y x) -> n k (r y) (c x)", r=rows, c=columns, k=3, y=TILE)
            noise = tiled[..., :height, :width].contiguous()
            norms = torch.linalg.vector_norm(noise, dim=(1, 2, 3), keepdim=True)
            return noise.mul_(self.radius * math.sqrt(noise[0].numel()) / norms)

        return perturb
