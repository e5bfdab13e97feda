"""Second moments: what varies in a class and not in the others is found and taken out; no such paper is known to us.

A pattern that is added with a random sign moves no class's mean, so that a linear classifier sees nothing, but it is
the direction in which the class varies most beside all pictures: a generalised eigenvector of the class's covariance
against the pooled one (Fukunaga and Koontz, IEEE Trans. Computers 1970; common spatial patterns: Koles et al., Brain
Topography 1990).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from unlearnable.images.imageset import LUMA, Images8, ImageSet, to_bytes
from unlearnable.options import NonNegativeInt, PositiveGreyLevels
from unlearnable.training.countermeasure import Countermeasure, Knowledge, countermeasures

CHUNK = 256
LARGEST = 16  # eigenvalues among which the gap is looked for
NOTHING = 1e-6  # an eigenvalue below is rounding
JITTER = 1e-4  # of the pictures' mean energy, so that single precision leaves their Gram matrix positive
AT_MOST = 16_384  # rows of the matrix that is factorised: a gigabyte


@dataclass(frozen=True)
class ClassPatterns:
    """What a class has and the others have not.

    Attributes:
        chosen: the pictures of the class.
        values: variance along each pattern, in units of the regularised pooled one.
        patterns: in luma.
        amounts: of each pattern in each picture of the class, counted from the pooled mean.
    """

    chosen: Bool[Tensor, " n"]
    values: Float[Tensor, " m"]
    patterns: Float[Tensor, "m pixels"]
    amounts: Float[Tensor, "of_class m"]


@countermeasures.register("covariance")
class CovarianceProjection(Countermeasure):
    """Take each class's top generalised eigenvectors out of its training pictures, in luma.

    Of an eigenvector v of (C_class, C + noise^2 I) what is taken out is the pattern (C + noise^2 I) v, as much of it
    as v finds in a picture: a projection that is orthogonal after whitening. The labels of the tested pictures are
    unknown, so that those come as they are.

    Attributes:
        directions: of each class. 0: up to the largest ratio of neighbours among a class's 16 largest eigenvalues, of
            which a clean set is not asked.
        noise: white noise in grey levels whose variance is added to the pooled one; what varies less is passed over.
    """

    directions: NonNegativeInt = 0
    noise: PositiveGreyLevels = 8.0

    def check_serves(self, clean: ImageSet) -> None:
        """See `Countermeasure`: each class needs a covariance, and the pooled one must fit into memory."""
        super().check_serves(clean)
        clean.first(max(self.directions, 1) + 1)
        rows = min(len(clean), clean.images[0, 0].numel())
        if rows > AT_MOST:
            raise ValueError(f"expected at most {AT_MOST} pictures or pixels for covariance, got {rows}; use fewer")

    def purify(self, data: ImageSet, knowledge: Knowledge) -> ImageSet:
        """Subtract from every class its patterns."""
        images, shape = data.images.clone(), (-1, 1, *data.images.shape[-2:])
        for found in self.class_patterns(data):
            for index, amounts in zip(found.chosen.nonzero().split(CHUNK), found.amounts.split(CHUNK), strict=True):
                change = (amounts @ found.patterns).view(shape)
                images[index[:, 0]] = to_bytes(data.images[index[:, 0]] - change)
        return replace(data, images=images)

    def class_patterns(self, data: ImageSet) -> Iterator[ClassPatterns]:
        """The patterns of every class that there is, the strongest first."""
        pictures = _luma(data.images)
        pictures -= pictures.mean(0)
        white = _whitened(pictures, self.noise)
        for label in data.labels.unique():
            chosen = data.labels == label
            within = white[chosen] - white[chosen].mean(0)
            _, scales, rows = torch.linalg.svd(within, full_matrices=False)
            values = scales.square() / len(within)
            count = self._count(values)
            values, basis = values[:count], rows[:count].T
            deviations = pictures[chosen] - pictures[chosen].mean(0)
            patterns = (within @ basis / (values * len(within))).T @ deviations
            yield ClassPatterns(chosen, values, patterns, white[chosen] @ basis)

    def _count(self, values: Float[Tensor, " k"]) -> int:
        """How many of these eigenvalues, which fall, are taken for the protection's."""
        real = values[values > NOTHING]
        if self.directions or len(real) < 2:
            return min(self.directions or 1, len(real))
        return int((real[:-1] / real[1:])[:LARGEST].argmax()) + 1


def _luma(images: Images8) -> Float[Tensor, "n pixels"]:
    weights = torch.tensor(LUMA, device=images.device)
    return torch.cat([torch.einsum("nchw,c->nhw", chunk.float(), weights).flatten(1) for chunk in images.split(CHUNK)])


def _whitened(pictures: Float[Tensor, "n pixels"], noise: float) -> Float[Tensor, "n k"]:
    """Coordinates of centred pictures in which their covariance plus white noise is the identity.

    Where there are fewer pictures than pixels their span is all that matters, and coordinates in it come from the
    inner products alone: a covariance of 224 px pictures would have 50,176 rows.
    """
    count, pixels = pictures.shape
    if count < pixels:
        inner = (pictures @ pictures.T).double()
        inner.diagonal().add_(JITTER * inner.diagonal().mean().clamp(min=1))
        coordinates = torch.linalg.cholesky(inner)
    else:
        coordinates = pictures.double()
    pooled = coordinates.T @ coordinates / count
    pooled.diagonal().add_(noise**2)
    factor = torch.linalg.cholesky(pooled)
    white: Tensor = torch.linalg.solve_triangular(factor, coordinates.T, upper=False).T.float()
    return white
