"""Secrets that need no download: K clearly different drawings, each in any number of variations.

The offline counterpart of the paper's semantic images generation (section 3.2.3). A *scene* is the global shape
of a class: a fabric of waves, and an object on it in relief and in the opposite colours. A *variation* redraws tints
and local textures and leaves the shape: variation 0 for every picture of a class is the paper's class-wise setting,
another variation for every picture its sample-wise setting.

The objects are glyphs (`semantics.silhouettes`). The fields are waves of few periods: what repeats over the whole
picture outlives a crop, a patch and a shift, and on small pictures these waves are the coefficients that JPEG keeps
longest (docs/robust_hiding.md has the measurements). Everything is a function of (key, class, index), so an owner's
secrets can be made again, and nobody else's are the same.

Drawings come in four styles. In the first every picture of a class carries one pattern in one phase, and a class's
mean shows it. In the second each variation has its negative, the object is larger, and lighter or darker than the
ground. In the third the key draws the length of a class's waves, too: no public catalogue has them. In the fourth the
waves are turned around on the object of larger pictures, where it was lighter or darker before: hiding does not keep
light and dark, and waves it does, so that the object can be read again (`semantics.reading`).
"""

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image

from unlearnable.keys import Key
from unlearnable.semantics.silhouettes import GLYPHS, WHOLE, Mask, Silhouette, Window

MAX_CLASSES = 1000
FIELDS = ((2, 0), (0, 2), (2, 2), (3, 0), (0, 3), (3, 1), (1, 3), (2, 1), (1, 2), (1, 1), (3, 2), (2, 3))
WEAVES = ((5, 0), (0, 5), (6, 0), (0, 6), (5, 1), (1, 5), (5, 2), (2, 5), (6, 1), (1, 6))
# Waves across and down, as multiples of the slowest: products of cosines around the picture's middle, so that they are
# mirror-symmetric, as flips are common. Fields outlive JPEG at 10, weaves at 50: those are less like any photograph.
WEAVE = 0.8  # size of the weave beside the field's
GROUND, OBJECT = 0.18, 0.34  # contrast of the waves around the object and on it; higher peaks are clipped
TURNED = 0.28  # the same of both, where the object's waves are turned around
TILT = 20  # degrees by which an object is turned at most
PAIRS = tuple(itertools.combinations(range(len(FIELDS)), 2))
HUES = ((0.33, -0.16, -0.01), (-0.33, 0.16, 0.01), (-0.05, -0.06, 0.45), (0.05, 0.06, -0.45))  # red, cyan, blue, yellow


@dataclass(frozen=True)
class Style:
    """How scenes are drawn.

    Attributes:
        version: names it where it is recorded.
        growth: exponent with which the waves grow with the picture (`slowest_wave`).
        fading: exponent with which the weave fades beside them, as a trainer's reduction takes it away.
        light: by how much the object is lighter than mid-grey, and the ground darker.
        sizes: of the object's longer side, in units of the picture's side.
        places: of its centre, in the same.
        signed: whether odd variations are the negatives of the even ones before them.
        stretch: by how much at most the key makes a class's waves shorter or longer, across and down.
        small: px of the side up to which there is neither light nor stretch; all of both from twice as many up.
        turned: whether the object's waves run in the opposite phase, as soon as there is all of the stretch; there is
            no light then.
    """

    version: int
    growth: float
    fading: float
    light: float
    sizes: tuple[float, float]
    places: tuple[float, float]
    signed: bool
    stretch: float = 0.0
    small: int = 32
    turned: bool = False

    def largeness(self, height: int, width: int) -> float:
        """The part of ``light`` and ``stretch`` that is left: small pictures have no room for it, or JPEG takes all."""
        return min(1.0, max(0.0, min(height, width) / self.small - 1))

    def turns(self, height: int, width: int) -> bool:
        """Whether the object's waves run in the opposite phase on pictures of that size."""
        return self.turned and self.largeness(height, width) == 1


FIRST = Style(version=2, growth=0.2, fading=0.0, light=0.0, sizes=(0.6, 0.8), places=(0.4, 0.6), signed=False)
SECOND = Style(version=3, growth=0.3, fading=0.7, light=0.2, sizes=(0.75, 0.95), places=(0.45, 0.55), signed=True)
THIRD = replace(SECOND, version=4, stretch=0.12)
FOURTH = replace(THIRD, version=5, turned=True)
STYLES = {style.version: style for style in (FIRST, SECOND, THIRD, FOURTH)}


@dataclass(frozen=True)
class Scene:
    """The global shape that all variations of a class share.

    Attributes:
        object: in relief, or where the waves are turned.
        fields: indices into `FIELDS`, whose waves are added up.
        weave: index into `WEAVES`, the finer waves inside the field.
        hue: what the light parts have more of than the dark, RGB without luma; or, where waves are turned, the ground
            than the object.
        sign: turns light and dark.
        stretch: how many waves across and down there are on large pictures where the catalogue has one.
        style: of drawing.
    """

    object: Silhouette
    fields: tuple[int, ...]
    weave: int
    hue: tuple[float, float, float]
    sign: int
    stretch: tuple[float, float] = (1.0, 1.0)
    style: Style = FIRST

    def tone(self, height: int, width: int, window: Window = WHOLE) -> Mask:
        """Light (1) and dark (0) of the scene, anti-aliased, (height, width), or what the window shows of it."""
        return self.tone_around(self.object.mask(height, width, window), height, width, window)

    def tone_around(self, silhouette: Mask, height: int, width: int, window: Window = WHOLE) -> Mask:
        """The `tone`, where the `silhouette` of the same window is there already."""
        turn = 2 * math.pi / slowest_wave(height, width, self.style)
        rows, columns = (np.arange(length)[part] for length, part in zip((height, width), window, strict=True))
        large = self.style.largeness(height, width)
        across, down = (turn * (1 + (stretch - 1) * large) for stretch in self.stretch)
        x, y = across * (columns - (width - 1) / 2), down * (rows[:, None] - (height - 1) / 2)
        field = sum(wave(FIELDS[field], x, y) for field in self.fields) / math.sqrt(len(self.fields))
        weave = WEAVE * min(1.0, 32 / min(height, width)) ** self.style.fading
        woven = field + weave * wave(WEAVES[self.weave], x, y)
        if self.style.turns(height, width):
            relief, lighter = TURNED * (1 - 2 * silhouette), np.zeros_like(silhouette)
        else:
            relief = GROUND + (OBJECT - GROUND) * silhouette
            lighter = large * self.style.light * (2 * silhouette - 1)
        tone: Mask = np.clip(0.5 + self.sign * (relief * woven + lighter), 0, 1)
        return tone


def slowest_wave(height: int, width: int, style: Style = FIRST) -> float:
    """The length in pixels of a field's slowest wave: 16 on a picture of 32 px, growing much slower than the picture.

    At 16 the waves are the cosines of JPEG's blocks. Were they to grow with the picture, a classifier of larger ones
    would find its own content easier: on 96 px photographs after JPEG 10 it reaches 61 % where four waves cross the
    picture, 55 % where eight do, 34 % where twelve do. But short waves on large pictures are seen.
    """
    return 16 * math.pow(min(height, width) / 32, style.growth)


def scene(key: Key, label: int, style: Style = FIRST) -> Scene:
    """The scene of class ``label`` under ``key``. No two of the 1,000 classes share fields, weave and sign.

    The first classes have one field each, later ones two: one alone is learnt fastest.

    Raises:
        ValueError: ``label`` is outside 0 .. 999.
    """
    if not 0 <= label < MAX_CLASSES:
        raise ValueError(f"expected a class index from 0 to {MAX_CLASSES - 1}, got {label}")
    shared = key.rng("catalogue")
    counts = map(len, (GLYPHS, FIELDS, PAIRS, WEAVES))
    objects, fields, pairs, weaves = (shared.permutation(count) for count in counts)
    own = key.rng("scene", label)
    hue = HUES[own.integers(len(HUES))]
    if label < len(FIELDS):
        chosen, weave, sign = (int(fields[label]),), label, int(own.choice((-1, 1)))
    else:
        round_, pair = divmod(label - len(FIELDS), len(PAIRS))
        chosen, weave, sign = PAIRS[pairs[pair]], pair + round_, 1 - 2 * (round_ // len(WEAVES))
    return Scene(
        object=Silhouette(
            glyph=GLYPHS[objects[label % len(GLYPHS)]],
            x=own.uniform(*style.places),
            y=own.uniform(*style.places),
            size=own.uniform(*style.sizes),
            angle=own.uniform(-TILT, TILT),
        ),
        hue=hue,
        fields=chosen,
        weave=int(weaves[weave % len(WEAVES)]),
        sign=sign,
        stretch=(1 + own.uniform(-style.stretch, style.stretch), 1 + own.uniform(-style.stretch, style.stretch)),
        style=style,
    )


def render(key: Key, label: int, index: int, height: int, width: int, style: Style = FIRST) -> UInt8[ndarray, "3 h w"]:
    """Draw variation ``index`` of class ``label``, RGB, (3, height, width)."""
    shape = scene(key, label, style)
    if style.signed:
        index, negative = divmod(index, 2)
        shape = replace(shape, sign=-shape.sign if negative else shape.sign)
    rng = key.rng("variation", label, index)
    silhouette = shape.object.mask(height, width)
    tone = shape.tone_around(silhouette, height, width)
    hue = np.array(shape.hue)[:, None, None] * rng.uniform(0.4, 0.6) * (1 - 2 * silhouette)
    dark = _surface(rng, 0.2, height, width) + (hue if style.turns(height, width) else -hue)
    light = _surface(rng, 0.8, height, width) + hue
    picture = dark + tone * (light - dark)
    drawn: UInt8[ndarray, "3 h w"] = (picture.clip(0, 1) * 255).round().astype(np.uint8)
    return drawn


def wave(code: tuple[int, int], x: Float[ndarray, " w"], y: Float[ndarray, "h 1"]) -> Mask:
    """A field or weave of that code over phases across and down: a product of cosines, of mean square 1."""
    across, down = code
    waves: Mask = math.sqrt(2) ** (bool(across) + bool(down)) * np.cos(across * x) * np.cos(down * y)
    return waves


def _surface(rng: np.random.Generator, luma: float, height: int, width: int) -> Float[ndarray, "3 h w"]:
    """A nearly grey surface with a local texture: a grating of random pitch and direction, or soft grain."""
    colour = luma + rng.uniform(-0.05, 0.05, (3, 1, 1))
    if rng.random() < 0.5:
        ys, xs = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
        angle, pitch, phase = rng.uniform(0, math.pi), rng.uniform(8, 24), rng.uniform(0, 2 * math.pi)
        texture = np.sin(2 * math.pi * pitch * (xs * math.cos(angle) + ys * math.sin(angle)) + phase)
    else:
        side = int(rng.integers(12, 40))
        grain = Image.fromarray(rng.normal(0, 1, (side, side)).astype(np.float32))
        texture = np.asarray(grain.resize((width, height), Image.Resampling.BICUBIC))
    surface: Float[ndarray, "3 h w"] = colour + 0.03 * texture
    return surface
