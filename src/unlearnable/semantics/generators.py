"""Generators of a bank's pictures: each draws a picture of a class from a seed."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from unlearnable.images.decode import square
from unlearnable.keys import Key
from unlearnable.options import Generator
from unlearnable.semantics.diffusion import Diffusion
from unlearnable.semantics.render import render
from unlearnable.semantics.stylise import redraw, shape_of

Painted = UInt8[ndarray, "3 side side"]
Painter = Callable[[int, int, int], Painted]  # of class, index and the picture's seed


def painter(
    generator: Generator, sources: Sequence[tuple[str, Sequence[Path]]], seed: int, size: int, **networks: Any
) -> Painter:
    """What draws; the last photograph and its shape are kept, and the last picture.

    Args:
        generator: its name.
        sources: caption and photographs of every class, of which ``photo`` takes all and others the first; none for
            ``render``.
        seed: of the key of ``render``.
        size: side of the pictures in px.
        networks: parameters of `Diffusion`.
    """
    photograph = lru_cache(maxsize=1)(lambda label, index=0: square(sources[label][1][index], size))

    match generator:
        case "diffusion":
            model = Diffusion(size=size, **networks)

            def paint(label: int, index: int, seed: int) -> Painted:
                return model.draw(sources[label][0], photograph(label), seed)

        case "stylise":
            shape = lru_cache(maxsize=1)(lambda label: shape_of(photograph(label)))

            def paint(label: int, index: int, seed: int) -> Painted:
                return redraw(shape(label), np.random.default_rng(seed))

        case "render":
            key = Key.of_seed(seed)

            def paint(label: int, index: int, seed: int) -> Painted:
                return render(key, label, index, size, size)

        case "photo":

            def paint(label: int, index: int, seed: int) -> Painted:
                return photograph(label, index).transpose(2, 0, 1)

    return lru_cache(maxsize=1)(paint)
