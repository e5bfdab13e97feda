"""Frequencies: the public waves of this tool's drawings cut out, and classes whose power spectra are made alike.

No such papers are known to us: these are the attackers that follow this tool's own method.
"""

import itertools
import math
from dataclasses import replace
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from unlearnable.compute.devices import at_once
from unlearnable.countermeasures.preprocess import Preprocess
from unlearnable.images.imageset import Images8, ImageSet, to_bytes
from unlearnable.semantics.render import FIELDS, STYLES, WEAVES, slowest_wave
from unlearnable.training.countermeasure import Countermeasure, Knowledge, countermeasures

CHUNK_PIXELS = 1 << 18  # of the pictures that are transformed at once, so that they stay in the processor's cache
ROUNDING = 1 / 12  # variance of a value that was rounded to 8 bits


@countermeasures.register("notch")
class Notch(Preprocess):
    """Project the catalogue of waves out of every channel of every picture, at all phases: 7 % of a 32 px picture.

    Which waves are drawn is public (`semantics.render`); which class has which is the key's. A picture keeps its mean.

    Attributes:
        test: whether the classifier's pictures are treated, too.
    """

    test: bool = False

    def transform(self, images: Images8) -> Images8:
        """Subtract what lies in the span."""
        flat = images.flatten(2).float()
        basis = catalogue(*images.shape[-2:]).to(images.device)
        return to_bytes((flat - (flat @ basis) @ basis.T).view(images.shape))


@cache
def catalogue(height: int, width: int) -> Float[Tensor, "pixels k"]:
    """Orthonormal columns that span the waves of all styles at a picture's size, at all phases, without their means."""
    slowest = {slowest_wave(height, width, style) for style in STYLES.values()}
    rows, columns = (2 * math.pi * torch.arange(side, dtype=torch.float64) for side in (height, width))
    waves = [
        (down[:, None] * across).flatten()
        for length in sorted(slowest)
        for code in (*FIELDS, *WEAVES)
        for across, down in itertools.product(_phases(code[0] / length * columns), _phases(code[1] / length * rows))
    ]
    span = torch.stack(waves, 1)
    span -= span.mean(0)
    basis, scales, _ = torch.linalg.svd(span, full_matrices=False)
    kept: Tensor = basis[:, scales > 1e-6 * scales[0]].float()
    return kept


def _phases(angles: Float[Tensor, " side"]) -> tuple[Tensor, Tensor]:
    return angles.cos(), angles.sin()


@countermeasures.register("spectrum")
class EqualSpectra(Countermeasure):
    """Bring each class's mean power spectrum to that of all pictures, channel by channel.

    Every frequency but the mean is multiplied by sqrt(pooled / class). The gain is not smoothed over frequencies: a
    wave is one of them, and a mean over hundreds of pictures is smooth enough. The labels of the tested pictures are
    unknown, so that those come as they are.
    """

    def purify(self, data: ImageSet, knowledge: Knowledge) -> ImageSet:
        """Filter every class."""
        classes = data.labels.unique().tolist()
        spectra = torch.stack([mean_power(data.images[data.labels == label]) for label in classes])
        counts = torch.stack([(data.labels == label).sum() for label in classes])
        pooled = (spectra * counts[:, None, None, None]).sum(0) / len(data)
        images, chunk = data.images.clone(), at_once(data.images, CHUNK_PIXELS)
        for label, power in zip(classes, spectra, strict=True):
            floor = ROUNDING * data.images[0, 0].numel()
            gain = ((pooled + floor) / (power + floor)).sqrt()
            gain[:, 0, 0] = 1
            for index in (data.labels == label).nonzero()[:, 0].split(chunk):
                images[index] = _filtered(data.images[index], gain)
        return replace(data, images=images)


def mean_power(images: Images8) -> Float[Tensor, "3 h half_w"]:
    """Mean squared size of the pictures' Fourier coefficients."""
    waves = (torch.fft.rfft2(chunk.float()) for chunk in images.split(at_once(images, CHUNK_PIXELS)))
    total = sum(torch.view_as_real(chunk).square().sum((0, -1)) for chunk in waves)
    return torch.as_tensor(total / len(images))


def _filtered(images: Images8, gain: Float[Tensor, "3 h half_w"]) -> Images8:
    size = images.shape[-2:]
    return to_bytes(torch.fft.irfft2(torch.fft.rfft2(images.float()) * gain, s=tuple(size)))
