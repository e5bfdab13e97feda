"""Find the waves that repeat all over a picture, whatever lengths a key has given them.

A drawing's waves repeat from one border to the other, and edges do not. The catalogue of fields is public, and a key
makes them a little longer or shorter: the field, and its lengths, that fit the whole picture best are those that were
hidden. No key is needed to find them, and it does not matter where they are turned around.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Complex, Float, Int
from numpy import ndarray

from unlearnable.semantics.render import FIELDS, FOURTH, slowest_wave, wave
from unlearnable.semantics.silhouettes import Mask
from unlearnable.semantics.thumbnails import middle

ALIKE = 0.03  # by how much lengths of two fields of one drawing may seem to differ
SOUGHT = 0.6  # of the slowest wave: smoothed over as much a field is found
SURE = 2.0  # the same, once it is known where the waves are turned around
SECOND, SIDE = 0.1, 224  # a weaker field then has as much of the best one's strength on pictures of as many px,
RIVAL = 1.5  # on smaller ones more; and as many times that of any other
RINGS = 3  # an octave of lengths, in each of which waves are compared with what is usual there
FINER = 2  # lengths that are tried, from one wave across the picture to the next
STRIP = 8  # times as long as it is wide a picture is looked at, at most, to find its waves

Spectrum = Complex[ndarray, "h2 w2"]
Left = tuple[Int[ndarray, "_"], Float[ndarray, "_"]]  # steps of a spectrum, and how much is left of each


@dataclass(frozen=True)
class Candidate:
    """A field at lengths that a key may have given it.

    Attributes:
        field: index into `FIELDS`.
        stretch: how many times as many waves there are across and down as in the catalogue; 0 where there are none.
        blur: by how much each of the two may be wrong, as lengths are tried in steps.
        strength: of these waves, wherever they are turned around.
    """

    field: int
    stretch: tuple[float, float]
    blur: tuple[float, float]
    strength: float

    def fits(self, other: "Candidate") -> bool:
        """Whether one drawing can have both: it stretches all its waves alike."""
        ways = zip(self.stretch, other.stretch, self.blur, other.blur, strict=True)
        return all(abs(one - two) <= max(ALIKE, blur + more) for one, two, blur, more in ways if one and two)

    def waves(self, height: int, width: int) -> Mask:
        """The field, (height, width), of mean square 1."""
        turn = 2 * math.pi / slowest_wave(height, width, FOURTH)
        x = turn * self.stretch[0] * (np.arange(width) - (width - 1) / 2)
        y = turn * self.stretch[1] * (np.arange(height)[:, None] - (height - 1) / 2)
        return wave(FIELDS[self.field], x, y)


def repeating(plane: Float[ndarray, "h w"]) -> tuple[list[Candidate], float]:
    """The fields that repeat over a plane that is `whitened`, and how many times as strong as any other they are.

    The strongest alone, or it and the next that one drawing can have beside it; whichever stands out more.
    """
    best, *others = _strongest(_tried(plane, SOUGHT))
    alone = [best], best.strength / max(others[0].strength, 1e-9)
    second = next((other for other in others if other.fits(best)), None)
    if second is None:
        return alone
    rival = max(other.strength for other in others if other is not second)
    together = [best, second], second.strength / max(rival, 1e-9)
    return max(alone, together, key=lambda chosen: chosen[1])


def repeating_upright(plane: Float[ndarray, "h w"]) -> list[Candidate]:
    """The fields that repeat over such a plane in which waves that were turned around have been turned back."""
    tried = _tried(plane, SURE)
    best = max(tried, key=lambda one: one.strength)
    others = _strongest(one for one in tried if one.field != best.field and one.fits(best))
    second, rival = (one.strength for one in others[:2])
    least = SECOND * SIDE / math.sqrt(plane.size) * best.strength
    return [best, others[0]] if second > max(least, RIVAL * rival) else [best]


def whitened(plane: Float[ndarray, "h w"]) -> Float[ndarray, "h w"]:
    """With waves of all lengths as strong as each other in the middle, and without those longer than a drawing's."""
    spectrum = np.fft.fft2(plane - plane.mean())
    height, width = plane.shape
    longer = max(height, width)
    down, across = (longer * np.fft.fftfreq(side) for side in (height, width))
    waves = np.hypot(down[:, None], across)
    rings = np.rint(RINGS * np.log2(np.maximum(waves, 1)))
    for ring in np.unique(rings):
        spectrum[rings == ring] /= max(float(np.median(np.abs(spectrum[rings == ring]))), 1e-9)
    spectrum[waves < longer / slowest_wave(height, width, FOURTH)] = 0
    return np.fft.ifft2(spectrum).real


def _tried(plane: Float[ndarray, "h w"], over: float) -> list[Candidate]:
    """Every field at all lengths that a key may have given it, smoothed over so much of the slowest wave."""
    plane = plane[middle(plane.shape, STRIP * min(plane.shape))]
    height, width = plane.shape
    slowest = slowest_wave(height, width, FOURTH)
    spectrum = _around_the_middle(plane)
    rows, columns = (_left(side, over * slowest) for side in (height, width))
    tried = []
    for field, code in enumerate(FIELDS):
        usual = FINER * code[0] * width / slowest, FINER * code[1] * height / slowest
        blur = 0.5 / max(usual[0], 1), 0.5 / max(usual[1], 1)
        for steps in product(*map(_around, usual)):
            across, down = (step / count if count else 0.0 for step, count in zip(steps, usual, strict=True))
            tried.append(Candidate(field, (across, down), blur, _strength(spectrum, rows, columns, *steps)))
    return tried


def _strongest(tried: Iterable[Candidate]) -> list[Candidate]:
    """Every field at the lengths at which it is strongest, the strongest first."""
    best: dict[int, Candidate] = {}
    for one in sorted(tried, key=lambda one: -one.strength):
        best.setdefault(one.field, one)
    return list(best.values())


def _around(usual: float) -> range:
    """Steps to which a key may have stretched as many."""
    return range(round(usual * (1 - FOURTH.stretch)), round(usual * (1 + FOURTH.stretch)) + 1)


def _around_the_middle(plane: Float[ndarray, "h w"]) -> Spectrum:
    """Spectrum in steps of a `FINER` part of a wave across the picture, with phases counted from its middle."""
    sides = [FINER * side for side in plane.shape]
    down, across = (np.exp(1j * math.pi * np.fft.fftfreq(side) * (side // FINER - 1)) for side in sides)
    spectrum: Spectrum = np.fft.fft2(plane, sides) * down[:, None] * across
    return spectrum


def _left(side: int, pixels: float) -> Left:
    """Steps along one side, whole waves apart, of which something is left after smoothing over so many pixels."""
    reach = math.ceil(side / (2 * pixels))
    waves = np.arange(-reach, reach + 1)
    return FINER * waves, np.exp(-2 * (math.pi * pixels * waves / side) ** 2)


def _strength(spectrum: Spectrum, rows: Left, columns: Left, across: int, down: int) -> float:
    """Mean square, up to a factor, of a picture that is multiplied by a field of so many steps and then smoothed."""
    places = list(product({down, -down}, {across, -across}))
    height, width = spectrum.shape
    moved = [spectrum[np.ix_((rows[0] + y) % height, (columns[0] + x) % width)] for y, x in places]
    return float((np.abs(sum(moved) * rows[1][:, None] * columns[1]) ** 2).sum() / len(places))
