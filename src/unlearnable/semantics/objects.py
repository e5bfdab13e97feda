"""Find the object of a drawing again, where its waves were read: which glyph of the catalogue it is, and where.

The catalogue is public, as that of the waves is. What is seen of an object is blurred and full of holes: every glyph,
at several sizes and angles and blurred alike, is laid over it, moved about, and the one that is most like it is turned
and moved a little further. It is believed if it leaves clearly less unexplained than any other glyph.
"""

from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import product

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from PIL import Image

from unlearnable.semantics.render import FOURTH, TILT
from unlearnable.semantics.silhouettes import GLYPHS, Mask, Silhouette

SIDE = 48  # px to which pictures are brought
MOVED = 3  # of them, by how much at most a glyph is moved from the middle
SIZES = tuple(np.linspace(*FOURTH.sizes, 7)[1::2])
ANGLES = tuple(np.linspace(-TILT, TILT, 11)[1::2])
STEPS = {"angle": 4.0, "size": 0.035, "x": 0.01, "y": 0.01}  # of the first round further; halved each time
ROUNDS = 3
LIKE = 0.5  # the least correlation with what is seen
RIVAL = 0.85  # of what the correlation with the next glyph lacks to 1, that with the best may lack as much
BLURRED = 3.0  # px of `SIDE` under a wider Gaussian than which glyphs look alike

Blur = tuple[float, float]  # standard deviation of a Gaussian in px of `SIDE`, down and across
Windows = Float[ndarray, "n pixels"]


@dataclass(frozen=True)
class _Seen:
    """A ground that was read, small, and how much it is blurred."""

    plane: Float[ndarray, "48 48"]
    blur: Blur

    @classmethod
    def of(cls, ground: Mask, pixels: float) -> "_Seen":
        height, width = ground.shape
        plane = Image.fromarray(ground.astype(np.float32)).resize((SIDE, SIDE), Image.Resampling.BOX)
        return cls(np.asarray(plane), (round(pixels * SIDE / height, 2), round(pixels * SIDE / width, 2)))

    def likeness(self, silhouette: Silhouette) -> float:
        """Correlation with an object in its place."""
        planes = np.stack([_expected(silhouette, self.blur), self.plane])[:, 1:-1, 1:-1]
        expected, seen = _unit(planes.reshape(2, -1))
        return float(expected @ seen)

    def nearest(self) -> tuple[Silhouette, float, float]:
        """The object of the coarse catalogue that is most like it, its likeness, and that of the next glyph."""
        shapes = _shapes()
        moves = list(product(range(-MOVED, MOVED + 1), repeat=2))
        inner = SIDE - 2 * MOVED
        windows = [self.plane[MOVED + y :, MOVED + x :][:inner, :inner].ravel() for y, x in moves]
        likeness = _templates(self.blur) @ _unit(np.stack(windows)).T
        place, move = np.unravel_index(likeness.argmax(), likeness.shape)
        best, (y, x) = shapes[place], moves[move]
        others = [i for i, shape in enumerate(shapes) if shape.glyph != best.glyph]
        placed = replace(best, x=0.5 + x / SIDE, y=0.5 + y / SIDE)
        return placed, float(likeness[place, move]), float(likeness[others].max())

    def refined(self, silhouette: Silhouette) -> Silhouette:
        """Turned, stretched and moved, in three rounds of smaller and smaller steps, wherever it becomes more alike."""
        best, most = silhouette, self.likeness(silhouette)
        for done in range(ROUNDS):
            for (name, step), sign in product(STEPS.items(), (-1, 1)):
                changed = replace(best, **{name: getattr(best, name) + sign * step / 2**done})
                if (likeness := self.likeness(changed)) > most:
                    best, most = changed, likeness
        return best


def known_object(ground: Mask, pixels: float) -> Silhouette | None:
    """The object that a ground shows; None where no glyph stands out, or all are too blurred (sides below 112 px).

    Args:
        ground: how surely there is ground (1) or object (-1), (h, w).
        pixels: standard deviation of the Gaussian under which it was read.

    Examples:
        >>> from unlearnable import Key
        >>> from unlearnable.semantics.reading import smoothed
        >>> from unlearnable.semantics.render import FOURTH, scene
        >>> anchor = scene(Key(bytes(32)), 3, FOURTH).object
        >>> known_object(smoothed(1 - 2 * anchor.mask(224, 224), 8.6), 8.6).glyph == anchor.glyph
        True
    """
    seen = _Seen.of(ground, pixels)
    if max(seen.blur) > BLURRED:
        return None
    nearest, likeness, rival = seen.nearest()
    stands_out = likeness >= LIKE and 1 - likeness <= RIVAL * (1 - rival)
    return seen.refined(nearest) if stands_out else None


@cache
def _shapes() -> list[Silhouette]:
    """All glyphs in the middle, in several sizes and turned in several ways."""
    return [Silhouette(glyph, 0.5, 0.5, size, angle) for glyph, size, angle in product(GLYPHS, SIZES, ANGLES)]


@lru_cache(maxsize=4)  # 5 MB for every size of pictures
def _templates(blur: Blur) -> Windows:
    """What would be seen of them, but for the border to which they are moved; of zero mean and unit length."""
    inner = slice(MOVED, SIDE - MOVED)
    return _unit(np.stack([_expected(shape, blur)[inner, inner].ravel() for shape in _shapes()]))


def _expected(silhouette: Silhouette, blur: Blur) -> Float[ndarray, "48 48"]:
    from scipy.ndimage import gaussian_filter

    blurred: Float[ndarray, "48 48"] = gaussian_filter(1 - 2 * silhouette.mask(SIDE, SIDE), blur)
    return blurred


def _unit(planes: Windows) -> Windows:
    centred = planes - planes.mean(1, keepdims=True)
    unit: Windows = centred / np.linalg.norm(centred, axis=1, keepdims=True).clip(1e-9)
    return unit
