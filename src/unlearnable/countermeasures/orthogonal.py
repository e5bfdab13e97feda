"""Orthogonal projection (Sandoval-Segura et al., NeurIPS 2023, arXiv 2305.19254).

A linear classifier finds, for each class, the direction in pixel space that gives it away; pictures without their
components in those directions carry no linear shortcut.
"""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from unlearnable.images.imageset import ImageSet, to_bytes
from unlearnable.options import PositiveFloat, PositiveInt
from unlearnable.training.countermeasure import Countermeasure, Knowledge, countermeasures

CHUNK = 1024


@countermeasures.register("orthogonal")
class OrthogonalProjection(Countermeasure):
    """Logistic regression without bias, then the orthogonal complement of its rows.

    Attributes:
        epochs: of the regression (authors: 20).
        learning_rate: of its SGD (authors: 0.1).
        batch_size: of its SGD (authors: 1024).
    """

    epochs: PositiveInt = 20
    learning_rate: PositiveFloat = 0.1
    batch_size: PositiveInt = 1024

    def purify(self, data: ImageSet, knowledge: Knowledge) -> ImageSet:
        """Project each picture's difference from the mean picture, and round to 8 bits.

        The mean gives no class away, and most pictures without it would not fit into 8 bits.
        """
        rows = self.regression(data, knowledge.seed)
        basis = torch.linalg.qr(rows[:-1].T).Q  # the rows sum to zero, so that the last adds nothing but rounding
        mean = data.images.sum(0).flatten() / len(data)
        projected = [_without(chunk, mean, basis) for chunk in data.images.split(CHUNK)]
        return replace(data, images=torch.cat(projected))

    def regression(self, data: ImageSet, seed: int) -> Float[Tensor, "k pixels"]:
        """The rows of the linear classifier of pixels in [0, 1]."""
        generator = torch.Generator().manual_seed(seed)
        pixels = data.images[0].numel()
        weight = torch.zeros(len(data.classes), pixels, device=data.images.device, requires_grad=True)
        optimizer = torch.optim.SGD([weight], lr=self.learning_rate)
        for _ in range(self.epochs):
            for batch in torch.randperm(len(data), generator=generator).split(self.batch_size):
                logits = (data.images[batch].flatten(1).float() / 255) @ weight.T
                optimizer.zero_grad()
                F.cross_entropy(logits, data.labels[batch]).backward()
                optimizer.step()
        return weight.detach()


def _without(images: Tensor, mean: Float[Tensor, " pixels"], basis: Float[Tensor, "pixels k"]) -> Tensor:
    flat = images.flatten(1).float()
    rest = flat - ((flat - mean) @ basis) @ basis.T
    return to_bytes(rest.view(images.shape))
