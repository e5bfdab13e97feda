"""Whose secret is in a part of a picture? Found copies are cut, and nobody says where and how far.

What is hidden in the whole picture is laid on what was taken out of the part, at every place where it fits and at a row
of sizes; the best place counts, for the key as for every decoy. That is a cross-correlation, by Fourier transforms.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float
from numpy import fft, ndarray
from PIL import Image

from unlearnable.folder.job import working_picture
from unlearnable.hiding.inference import reveal_secret
from unlearnable.hiding.network import Hider
from unlearnable.images.photos import Photo
from unlearnable.semantics.identify import KeyScore, Seen, rank_key
from unlearnable.semantics.secrets import Secrets
from unlearnable.semantics.thumbnails import grey, standardised

Shape = tuple[int, int]  # height and width of a working picture, in px

SMALLEST, STEP = 0.4, 1.02  # of the whole's long side that a part has at least; and by how much sizes differ
REDUCTION = 2  # at which both are compared: the finest waves have five pixels
DECOYS = 199


@dataclass(frozen=True)
class Part:
    """What was taken out of a part at one size.

    Attributes:
        spectrum: of it in the corner of a canvas as large as the whole.
        places: rows and columns at which it fits into the whole.
    """

    spectrum: Complex[ndarray, "h w"]
    places: tuple[slice, slice]

    def similarity(self, whole: Complex[ndarray, "h w"], canvas: Shape) -> float:
        """At the best place: a correlation, whose size chance gives alike whatever the part's size."""
        return float(np.abs(fft.irfft2(whole * np.conj(self.spectrum), canvas)[self.places]).max())


def score_part(
    photo: Photo, hider: Hider, secrets: Secrets, numbers: Sequence[int], shapes: Sequence[Shape], decoys: int = DECOYS
) -> KeyScore:
    """Score a key on a found picture that is a part of one of the owner's.

    Args:
        photo: as it was found.
        hider: prepared, with the weights that hid.
        secrets: those of the claimed key.
        numbers: of the secrets that may be in it.
        shapes: those that the owner's working pictures have.
        decoys: how many random keys to compare with.
    """
    parts = {shape: list(_parts(photo, hider, shape)) for shape in shapes}

    def similarities(candidate: Secrets) -> list[float]:
        return [
            max((part.similarity(whole, _canvas(shape)) for part in parts[shape]), default=0.0)
            for number in numbers
            for shape in shapes
            for whole in [fft.rfft2(_reduced(candidate.whole(number, *shape)))]
        ]

    return rank_key(secrets, similarities, [number for number in numbers for _ in shapes], decoys)


def _parts(photo: Photo, hider: Hider, shape: Shape) -> Iterator[Part]:
    """What the hider finds in the photo at every size that a part of such a picture may have."""
    canvas, long_side = _canvas(shape), max(shape)
    sizes = long_side * STEP ** np.arange(0, np.log(SMALLEST) / np.log(STEP), -1.0)
    for size in sizes:
        part = _reduced(grey(reveal_secret(hider, working_picture(photo, round(size), enlarge=True))))
        room = canvas[0] - part.shape[0], canvas[1] - part.shape[1]
        if min(room) >= 0:
            places = slice(0, room[0] + 1), slice(0, room[1] + 1)
            yield Part(fft.rfft2(part, canvas) / np.sqrt(part.size), places)


def _canvas(shape: Shape) -> Shape:
    return shape[0] // REDUCTION, shape[1] // REDUCTION


def _reduced(picture: Seen) -> Float[ndarray, "h w"]:
    """Averaged over blocks, standardised."""
    height, width = _canvas((picture.shape[0], picture.shape[1]))
    image = Image.fromarray(picture[: height * REDUCTION, : width * REDUCTION].astype(np.float32))
    return standardised(np.asarray(image.reduce(REDUCTION), dtype=np.float64))
