"""Filter each class's pictures with a random kernel of its own (Sadasivan, Soltanolkotabi and Feizi, CVPR 2023).

"CUDA: Convolution-based Unlearnable Datasets", arXiv 2303.04278. The kernel is what is learnt, the change is unbounded.
"""

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.nn import functional as F

from unlearnable.keys import Key
from unlearnable.options import UnitInterval
from unlearnable.protections.base import Perturber, Streaming, protections


@protections.register("cuda")
class CUDA(Streaming):
    """A 3x3 kernel a class, the same for the three colours; filtered pictures are scaled to reach white again.

    Attributes:
        blur: upper end of the kernel's weights, of which one is 1 (authors: 0.3 for CIFAR).
        budget: ``linf:255``, no bound, as the authors have none.
    """

    blur: UnitInterval = 0.3
    budget: str = "linf:255"

    def perturber(self, classes: int, seed: int) -> Perturber:
        """Filter with kernels from a key made from ``seed``."""
        key = Key.of_seed(seed)
        kernels = torch.stack([_kernel(key.rng("cuda", label), self.blur) for label in range(classes)])

        def perturb(
            images: UInt8[Tensor, "n 3 h w"], labels: Int64[Tensor, " n"], numbers: Int64[Tensor, " n"]
        ) -> Float[Tensor, "n 3 h w"]:
            before = images.float()
            filtered = _filtered(before, kernels.to(images.device)[labels])
            brightest = filtered.amax((1, 2, 3), keepdim=True)
            return 255 * filtered / brightest.where(brightest > 0, 1) - before  # a black picture stays black

        return perturb


def _kernel(rng: np.random.Generator, blur: float) -> Float[Tensor, "3 3"]:
    """Weights between 0 and ``blur`` but for one, anywhere, of 1."""
    weights = rng.uniform(0, blur, 9)
    weights[rng.integers(9)] = 1
    return torch.from_numpy(weights.reshape(3, 3)).float()


def _filtered(images: Float[Tensor, "n 3 h w"], kernels: Float[Tensor, "n 3 3"]) -> Float[Tensor, "n 3 h w"]:
    """Each picture's convolution with its kernel, as networks convolve, with zeros around the picture."""
    height, width = images.shape[-2:]
    padded, filtered = F.pad(images, (1, 1, 1, 1)), torch.zeros_like(images)
    for row in range(3):
        for column in range(3):
            weights = kernels[:, row, column, None, None, None]
            filtered.addcmul_(weights, padded[..., row : row + height, column : column + width])
    return filtered
