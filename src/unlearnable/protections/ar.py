"""Add noise of an autoregressive process, another process for each class (AR: Sandoval-Segura et al., NeurIPS 2022).

"Autoregressive Perturbations for Data Poisoning", Sandoval-Segura, Singla, Geiping, Goldblum, Goldstein and Jacobs,
arXiv 2206.03693. Every picture's noise starts from values of its own.
"""

import math
from functools import lru_cache

import torch
from einops import rearrange
from jaxtyping import Float, Int64, UInt8
from numpy import ndarray
from torch import Tensor

from unlearnable.keys import Key
from unlearnable.protections.autoregression import STARTS, TILE, processes, response
from unlearnable.protections.base import Perturber, Streaming, protections
from unlearnable.protections.patterns import by_class, normals

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
            return noise.mul_(self.strength * math.sqrt(noise[0].numel()) / norms)

        return perturb
