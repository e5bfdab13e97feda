"""Read a drawing in a revealed picture: which waves repeat all over it, and where they are turned around.

What the network takes out of a published picture holds the waves that were hidden and, as strong, the edges of what the
picture shows; after JPEG more of the edges than of the waves. The waves are found (`semantics.waves`), and on the
object of drawings of the fourth style (`semantics.render`) they run in the opposite phase: multiplied by the field and
smoothed over a third of its slowest wave, what was revealed shows the object. If that is known again
(`semantics.objects`), it says where the waves are turned around, so that a weaker field is found, too.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from unlearnable.semantics.objects import known_object
from unlearnable.semantics.render import FOURTH, HUES, TURNED, slowest_wave
from unlearnable.semantics.silhouettes import Mask, Silhouette
from unlearnable.semantics.thumbnails import grey
from unlearnable.semantics.waves import Candidate, repeating, repeating_upright, whitened

CLEAR = 3.0  # the least `Reading.clarity` of pictures of which nobody knows whether anything is hidden in them
SHOWN = 0.3  # of the slowest wave: smoothed over as much an object is seen
BORDER = 0.1  # of the picture's sides, where there is no object
HUE, DARK, LIGHT = 0.5 * np.array(HUES[3]), 0.2, 0.8


@dataclass(frozen=True)
class Reading:
    """A drawing that was found.

    Attributes:
        fields: indices into `FIELDS` of the waves that repeat; of two that a drawing has, maybe the stronger alone.
        woven: their sum, (h, w), of mean square 1.
        ground: how surely there is ground (1) or object (-1), (h, w); as it is drawn where the object is known.
        sign: of the whole: a picture carries a drawing or its negative.
        clarity: how many times as strong as any other field those are that were found first.
        object: of the catalogue; None where none was known again.
    """

    fields: tuple[int, ...]
    woven: Mask
    ground: Mask
    sign: int
    clarity: float
    object: Silhouette | None = None

    def around(self, known: Silhouette) -> "Reading":
        """The same with an object that was known again, as it is drawn."""
        return replace(self, ground=1 - 2 * known.mask(*self.ground.shape), object=known)

    def picture(self) -> UInt8[ndarray, "3 h w"]:
        """Drawn as `render` draws: the fabric in light and dark, the object in the opposite colour."""
        tone = np.clip(0.5 + self.sign * TURNED * self.ground * self.woven, 0, 1)
        drawn = DARK + (LIGHT - DARK) * tone + HUE[:, None, None] * self.ground
        pixels: UInt8[ndarray, "3 h w"] = (drawn.clip(0, 1) * 255).round().astype(np.uint8)
        return pixels


def read_drawing(revealed: UInt8[ndarray, "3 h w"], clarity: float = CLEAR) -> Reading | None:
    """The drawing in a revealed picture; None where none is clear, or the picture is too small for turned waves.

    Args:
        revealed: what the network takes out.
        clarity: the least that is asked for; 1 where a drawing is known to be hidden.

    Examples:
        >>> from unlearnable import Key
        >>> from unlearnable.semantics.render import FOURTH, render, scene
        >>> key = Key(bytes(32))
        >>> reading = read_drawing(render(key, 3, 0, 96, 96, FOURTH))
        >>> reading.fields == scene(key, 3, FOURTH).fields, reading.picture().shape
        (True, (3, 96, 96))
    """
    height, width = revealed.shape[1:]
    if not FOURTH.turns(height, width):
        return None
    plane = whitened(grey(revealed))
    reading = _repeating_in(plane, clarity)
    if reading is None:
        return None
    pixels = SHOWN * slowest_wave(height, width, FOURTH)
    known = known_object(reading.ground, pixels)
    if known is None:
        return reading
    upright = plane * reading.around(known).ground
    again = _reading(plane, repeating_upright(upright), reading.clarity)
    return again.around(known_object(again.ground, pixels) or known)


def read_plane(plane: Float[ndarray, "h w"], clarity: float = CLEAR) -> Reading | None:
    """What repeats in one plane of any picture, such as one that was published, and where; no object is known again.

    Args:
        plane: in any units.
        clarity: see `read_drawing`.
    """
    return _repeating_in(whitened(plane), clarity) if FOURTH.turns(*plane.shape) else None


def _repeating_in(plane: Mask, clarity: float) -> Reading | None:
    chosen, clear = repeating(plane)
    return _reading(plane, chosen, clear) if clear > clarity else None


def _reading(plane: Mask, chosen: list[Candidate], clarity: float) -> Reading:
    """Where these waves are turned around in a plane that is whitened."""
    height, width = plane.shape
    woven: Mask = np.sum([one.waves(height, width) for one in chosen], axis=0) / math.sqrt(len(chosen))
    phase = smoothed(plane * woven, SHOWN * slowest_wave(height, width, FOURTH))
    sign = 1 if phase.sum() > phase[_inside(height), _inside(width)].sum() else -1
    ground = np.tanh(sign * phase / np.abs(phase).mean())
    return Reading(tuple(sorted(one.field for one in chosen)), woven, ground, sign, clarity)


def smoothed(values: Float[ndarray, "*c h w"], pixels: float) -> Float[ndarray, "*c h w"]:
    """Planes under a Gaussian of that standard deviation."""
    from scipy.ndimage import gaussian_filter

    blurred: Float[ndarray, "*c h w"] = gaussian_filter(values, pixels, axes=(-2, -1))
    return blurred


def _inside(side: int) -> slice:
    """Rows or columns that are not the border."""
    border = round(BORDER * side)
    return slice(border, side - border)
