"""Add blocks of colour that a linear classifier tells apart (Yu, Zhang, Chen, Yin and Liu, KDD 2022, arXiv 2111.00898).

"Availability Attacks Create Shortcuts": linearly separable perturbations (LSP), synthetic. The blocks' colours are a
point of a cluster of its class; every picture has another.
"""

from functools import lru_cache

import numpy as np
from einops import repeat
from jaxtyping import Float, Int64
from numpy import ndarray
from torch import Tensor

from unlearnable.keys import Key
from unlearnable.protections.base import protections
from unlearnable.protections.patterns import Draw, Patterned, by_class, normals

SEPARATION = 10.0  # of a cluster's centre from 0 in every feature (authors' code: class_sep)
MOST_BLOCKS = 28  # along a side, as many as 224 px hold of 8 px: a cluster's matrix has then 5.5 million entries
CACHED = 4  # matrices


@protections.register("lsp")
class LSP(Patterned):
    """Points of the clusters of scikit-learn's ``make_classification``, one cluster a class, as blocks of colour.

    A class has one vertex of a hypercube and one random matrix for every number of blocks. Neither changes when classes
    are added.

    Attributes:
        patch: side of a block, in px (authors: 8). Blocks are larger where a side of the picture would have more than
            28 of them, and cropped at the right and at the bottom where they do not fit.
        budget: ``rms:6``, the authors' L2 norm of 6 / 255 times the square root of the number of values (1.30 at
            32 px). The pattern's RMS is `strength`. The authors cut fractions of grey levels off;
            here they are rounded.
    """

    patch: int = 8
    budget: str = "rms:6"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.patch < 1:
            raise ValueError(f"expected a patch of 1 px or more, got {self.patch}")

    def drawing(self, classes: int, seed: int) -> Draw:
        """Points of clusters that come from a key made from ``seed``, as blocks."""
        key = Key.of_seed(seed)

        @lru_cache(CACHED)
        def matrix(label: int, features: int) -> Float[ndarray, "d d"]:
            return key.rng("lsp matrix", label, features).uniform(-1, 1, (features, features))

        @lru_cache(CACHED)
        def centres(features: int) -> Float[ndarray, "k d"]:
            return SEPARATION * vertices(key.rng("lsp vertices", features), classes, features)

        def draw(
            labels: Int64[ndarray, " n"], numbers: Int64[ndarray, " n"], height: int, width: int
        ) -> Float[Tensor, "n 3 h w"]:
            patch = max(self.patch, -(-max(height, width) // MOST_BLOCKS))
            rows, columns = -(-height // patch), -(-width // patch)
            features = rows * columns * 3

            def cluster(label: int, places: Int64[ndarray, " m"]) -> Float[ndarray, "m d"]:
                drawn = normals(key.rng("lsp pictures", label, features), numbers[places], features)
                return points(drawn, matrix(label, features), centres(features)[label])

            blocks = by_class(labels, features, cluster)
            wide = repeat(blocks, "n (r c k) -> n k r (c x)", r=rows, c=columns, x=patch)
            enlarged = repeat(wide, "n k r w -> n k (r y) w", y=patch)  # whole rows: faster than both at once
            return enlarged[..., :height, :width]

        return draw


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
    if classes > 2**features:
        raise ValueError(
            f"expected at most {2**features} classes, a vertex of {features} features for each, got {classes}; "
            "use larger pictures or a smaller patch"
        )
    distinct: dict[tuple[int, ...], None] = {}
    while len(distinct) < classes:
        distinct[tuple(rng.integers(2, size=features).tolist())] = None
    return 2 * np.array(list(distinct), np.float64) - 1
