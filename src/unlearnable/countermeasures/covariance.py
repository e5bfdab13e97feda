"""Second moments: what varies in a class and not in the others is found and taken out; no such paper is known to us.

A pattern that is added with a random sign moves no class's mean, so that a linear classifier sees nothing, but it is
the direction in which the class varies most beside all pictures: a generalised eigenvector of the class's covariance
against the pooled one (Fukunaga and Koontz, IEEE Trans. Computers 1970; common spatial patterns: Koles et al., Brain
Topography 1990).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, partial

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from unlearnable.images.imageset import LUMA, Images8, ImageSet, to_bytes
from unlearnable.options import NonNegativeInt, PositiveGreyLevels
from unlearnable.training.countermeasure import Countermeasure, Knowledge, countermeasures

CHUNK = 256
NOTHING = 1e-6  # an eigenvalue below is rounding
DRAWS, MARGIN = 5, 1.1  # of as many pictures as a class has, whatever their labels; by how much draws differ
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
        directions: of each class. 0: all in which the class varies more beside the others, by a tenth, than as many
            pictures drawn from all classes do in any: few pictures have large eigenvalues by chance. A class of more
            contrast than the drawn ones has to exceed them by as much more, as it exceeds them in every direction.
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
        for found in self.class_patterns(data, knowledge.seed):
            for index, amounts in zip(found.chosen.nonzero().split(CHUNK), found.amounts.split(CHUNK), strict=True):
                change = (amounts @ found.patterns).view(shape)
                images[index[:, 0]] = to_bytes(data.images[index[:, 0]] - change)
        return replace(data, images=images)

    def class_patterns(self, data: ImageSet, seed: int = 0) -> Iterator[ClassPatterns]:
        """The patterns of every class that there is, the strongest first; ``seed`` is of what their number hangs on."""
        pictures = _luma(data.images)
        pictures -= pictures.mean(0)
        white = _whitened(pictures, self.noise)
        by_chance = cache(partial(_by_chance, white, torch.Generator().manual_seed(seed)))
        for label in data.labels.unique():
            chosen = data.labels == label
            within = _centred(white[chosen])
            _, scales, rows = torch.linalg.svd(within, full_matrices=False)
            values = scales.square() / len(within)
            count = self.directions or _exceeding(values, len(within) / len(data), *by_chance(len(within)))
            count = min(count, int((values > NOTHING).sum()))
            values, basis = values[:count], rows[:count].T
            patterns = (within @ basis / (values * len(within))).T @ _centred(pictures[chosen])
            yield ClassPatterns(chosen, values, patterns, white[chosen] @ basis)


def _exceeding(values: Float[Tensor, " k"], part: float, largest: float, variance: float) -> int:
    """How many eigenvalues of a class, a ``part`` of all pictures, exceed what `_by_chance` gives."""
    contrast = max(float(values.sum()) / max(variance, NOTHING), 1.0)
    return int((_beside(values, part) > MARGIN * contrast * _beside(torch.tensor(largest), part)).sum())


def _beside(values: Float[Tensor, "*k"], part: float) -> Float[Tensor, "*k"]:
    """Variances in units of all pictures', of which one is at most 1 / ``part``, in units of the other pictures'."""
    share = values * part
    return share / (1 - share).clamp_min(NOTHING)


def _by_chance(white: Float[Tensor, "n k"], generator: torch.Generator, count: int) -> tuple[float, float]:
    """The largest eigenvalue of any of a few draws of ``count`` pictures, and the mean of all their variance."""
    drawn = [_centred(white[torch.randperm(len(white), generator=generator)[:count]]) for _ in range(DRAWS)]
    products = [draw @ draw.T if len(draw) < draw.shape[1] else draw.T @ draw for draw in drawn]
    largest = max(float(torch.linalg.eigvalsh(product)[-1]) for product in products)
    return largest / count, sum(float(product.trace()) for product in products) / count / DRAWS


def _centred(values: Float[Tensor, "m k"]) -> Float[Tensor, "m k"]:
    return values - values.mean(0)


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
