"""Add blocks of colour that a linear classifier tells apart (Yu, Zhang, Chen, Yin and Liu, KDD 2022, arXiv 2111.00898).

"Availability Attacks Create Shortcuts": linearly separable perturbations (LSP), synthetic. The blocks' colours are a
point of a cluster of its class; every picture has another.
"""

from functools import lru_cache

import numpy as np
import torch
from einops import rearrange, repeat
from jaxtyping import Float, Int64, UInt8
from numpy import ndarray
from torch import Tensor

from unlearnable.images.imageset import ImageSet
from unlearnable.keys import Key
from unlearnable.options import PositiveInt
from unlearnable.protections.base import Perturber, Streaming, protections
from unlearnable.protections.patterns import by_class, normals

SEPARATION = 10.0  # of a cluster's centre from 0 in every feature (authors' code: class_sep)
MOST_BLOCKS = 28  # along a side, as many as 224 px hold of 8 px: a cluster's matrix has then 5.5 million entries
CACHED = 4  # matrices


@protections.register("lsp")
class LSP(Streaming):
    """Points of the clusters of scikit-learn's ``make_classification``, one cluster a class, as blocks of colour.

    A class has one vertex of a hypercube and one random matrix for every number of blocks. Neither changes when classes
    are added.

    Attributes:
        patch: side of a block, in px (authors: 8). Blocks are larger where a side of the picture would have more than
            28 of them, smaller where a small picture would have too few for so many classes, and cropped at the right
            and at the bottom where they do not fit.
        budget: ``rms:6``, the authors' L2 norm of 6 / 255 times the square root of the number of values (1.30 at
            32 px). The pattern's RMS is `strength`. The authors cut fractions of grey levels off;
            here they are rounded.
    """

    patch: PositiveInt = 8
    budget: str = "rms:6"

    def perturber(self, classes: int, seed: int) -> Perturber:
        """Points of clusters that come from a key made from ``seed``, as blocks."""
        key = Key.of_seed(seed)

        @lru_cache(CACHED)
        def matrix(label: int, features: int) -> Float[ndarray, "d d"]:
            return key.rng("lsp matrix", label, features).uniform(-1, 1, (features, features)).astype(np.float32)

        @lru_cache(CACHED)
        def centres(features: int) -> Float[ndarray, "k d"]:
            return SEPARATION * vertices(key.rng("lsp vertices", features), classes, features).astype(np.float32)

        def perturb(
            images: UInt8[Tensor, "n 3 h w"], labels: Int64[Tensor, " n"], numbers: Int64[Tensor, " n"]
        ) -> Float[Tensor, "n 3 h w"]:
            height, width = images.shape[-2:]
            patch = self._patch(height, width, classes)
            rows, columns = np.arange(height) // patch, np.arange(width) // patch  # in which each pixel's block is
            pixels = repeat(np.outer(np.bincount(rows), np.bincount(columns)), "r c -> (r c k)", k=3)

            def cluster(label: int, numbers: Int64[ndarray, " m"]) -> Float[ndarray, "m d"]:
                features = len(pixels)
                drawn = normals(key.rng("lsp pictures", label, features), numbers, features)
                colours = points(drawn, matrix(label, features), centres(features)[label])
                rms = np.sqrt(np.average(np.square(colours), axis=1, weights=pixels, keepdims=True))
                strong: Float[ndarray, "m d"] = colours * (self.radius / rms)
                return strong

            colours = by_class(labels, numbers, len(pixels), cluster)
            blocks = rearrange(colours, "n (r c k) -> n k r c", r=rows[-1] + 1, k=3)
            return torch.from_numpy(blocks.take(columns, 3).take(rows, 2))  # whole rows: faster than both at once

        return perturb

    def check_serves(self, data: ImageSet, seed: int) -> None:
        """See `Protection`: the smallest pictures have too few blocks."""
        super().check_serves(data, seed)
        (height, width), classes = data.images.shape[-2:], len(data.classes)
        patch = self._patch(height, width, classes)
        check_vertices(classes, 3 * -(-height // patch) * -(-width // patch))

    def _patch(self, height: int, width: int, classes: int) -> int:
        patch = max(self.patch, -(-max(height, width) // MOST_BLOCKS))
        while patch > 1 and 2 ** (3 * -(-height // patch) * -(-width // patch)) < classes:
            patch -= 1
        return patch


def points(
    drawn: Float[ndarray, "n d"], matrix: Float[ndarray, "d d"], centre: Float[ndarray, " d"]
) -> Float[ndarray, "n d"]:
    """A cluster of ``make_classification``, all of whose features are informative, from standard normal values."""
    cluster: Float[ndarray, "n d"] = drawn @ matrix + centre
    return cluster


def vertices(rng: np.random.Generator, classes: int, features: int) -> Float[ndarray, "k d"]:
    """A vertex of the hypercube of sides from -1 to 1 for each class, no two the same.

    Raises:
        ValueError: there are more classes than vertices.
    """
    check_vertices(classes, features)
    distinct: dict[tuple[int, ...], None] = {}
    while len(distinct) < classes:
        distinct[tuple(rng.integers(2, size=features).tolist())] = None
    return 2 * np.array(list(distinct), np.float64) - 1


def check_vertices(classes: int, features: int) -> None:
    """Check that every class can have a vertex of its own.

    Raises:
        ValueError: there are more classes than vertices.
    """
    if classes > 2**features:
        raise ValueError(
            f"expected at most {2**features} classes, a vertex of {features} features for each, got {classes}; "
            "use larger pictures"
        )
