"""How far classes lie apart, and how close the pictures of one class are (paper, section 3.2.3)."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from unlearnable.semantics.thumbnails import standardised


def distances(classes: Sequence[Float[ndarray, "_ side side"]]) -> dict[str, float | None]:
    """Distances of grey thumbnails, each 1 minus a correlation: 0 for the same shape, about 1 for unrelated ones.

    Returns:
        ``within``, the mean over pairs of one class; ``between``, over pairs of two classes; ``nearest``, the
        smallest distance between the mean thumbnails of two classes. None where there is no such pair.
    """
    rows = [np.stack([standardised(picture).ravel() for picture in pictures]) for pictures in classes]
    rows = [pictures / np.sqrt(pictures.shape[1]) for pictures in rows]  # now a product of two is their correlation
    counts, sums = np.array([len(pictures) for pictures in rows]), np.stack([pictures.sum(0) for pictures in rows])
    own = sum(float(total @ total) for total in sums)  # over ordered pairs of one class, each picture with itself too
    alike = sum(float((pictures * pictures).sum()) for pictures in rows)
    every = float(sums.sum(0) @ sums.sum(0))
    same, all_pairs = int((counts**2).sum()), int(counts.sum() ** 2)
    means = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    nearest = 1 - (means @ means.T)[np.triu_indices(len(rows), 1)]
    return {
        "within": _rounded(1 - (own - alike) / (same - counts.sum())) if same > counts.sum() else None,
        "between": _rounded(1 - (every - own) / (all_pairs - same)) if len(rows) > 1 else None,
        "nearest": _rounded(nearest.min()) if len(rows) > 1 else None,
    }


def _rounded(distance: float) -> float:
    return round(float(distance), 4) + 0.0  # no minus zero
