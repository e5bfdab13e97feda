"""Textures that are told apart wherever they lie and however they are turned over: what a stamp shows of a class.

Most alternate from pixel to pixel in one direction: one 3x3 convolution sees that, and photographs have next to nothing
of it. Neither a shift nor a flip makes one of them another, so that crops do not mix classes up. Each has as much of
light as of dark and outlives a median filter, some turned inside out: had one class alone lost its texture, every
picture without any would look like that class.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from unlearnable.keys import Key

TILE = 12  # px, a multiple of all periods
Texture = Float[ndarray, "12 12"]


def texture(key: Key, label: int) -> Texture:
    """The texture of class ``label`` under ``key``, of mean 0 and mean square 1; it may be repeated in both directions.

    The first ten classes have one each; later ones have two, above each other. No two of the first hundred are alike.
    """
    order = key.rng("textures").permutation(len(TEXTURES))
    upper, lower = (TEXTURES[order[number % len(order)]] for number in (label, label + label // len(order)))
    return np.concatenate([upper[: TILE // 2], lower[TILE // 2 :]])


def textures(key: Key, labels: Sequence[int]) -> Float[ndarray, "n 12 12"]:
    """The `texture` of every label, each drawn once."""
    drawn = {label: texture(key, label) for label in set(labels)}
    return np.stack([drawn[label] for label in labels])


def _all() -> list[Texture]:
    even = np.ones(TILE)
    twos, fours, sixes = (1.0 - 2 * (np.arange(TILE) // half % 2) for half in (1, 2, 3))
    crossed = [(twos, even), (twos, fours), (twos, sixes), (fours, even)]
    pairs = [(twos, twos), (fours, fours), *crossed, *((across, down) for down, across in crossed)]
    return [np.outer(*pair) for pair in pairs]


TEXTURES = _all()
