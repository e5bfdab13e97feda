"""Secrets that need no download: K clearly different drawings, each in any number of variations.

The offline counterpart of the paper's semantic images generation (section 3.2.3). A *scene* is the global shape
of a class: an object's silhouette counterchanged over a bold field (dark on light, light on dark, as in
heraldry), its outline as line work, and a small companion. A *variation* redraws colours and local textures
and leaves the shape: variation 0 for every picture of a class is the paper's class-wise setting, another
variation for every picture its sample-wise setting.

The silhouettes are glyphs of DejaVu Sans, which Matplotlib ships. Everything is a function of (key, class,
index), so an owner's secrets can be made again, and nobody else's are the same.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image, ImageDraw, ImageFont

from unlearnable.keys import Key

Mask = Float[ndarray, "h w"]

MAX_CLASSES = 1000
OBJECTS = "☀☁☂☎☕☘☛☠☻♚♛♜♝♞♟♠♣♥♨♫♻♿⚄⚑⚒⚓⚔⚖⚗⚘⚙⚛⚜⚡⚱✂✇✈✉✌✏✒★✿❄❦☄✹"
FIELDS: tuple[Callable[[Mask, Mask], Mask], ...] = (
    lambda x, y: x,
    lambda x, y: y,
    lambda x, y: x + y,
    lambda x, y: x - y,
    lambda x, y: np.hypot(x, y) - 0.75,
    lambda x, y: np.abs(np.hypot(x, y) - 0.6) - 0.22,
    lambda x, y: np.minimum(np.abs(x), np.abs(y)) - 0.25,
    lambda x, y: np.abs(np.abs(x) - np.abs(y)) - 0.3,
    lambda x, y: np.abs(x) + np.abs(y) - 0.9,
    lambda x, y: x * y * 3,
    lambda x, y: np.abs(x) - 0.4,
    lambda x, y: np.abs(y) - 0.4,
)  # signed heights over [-1, 1]^2: dark where negative; each also serves with its sign turned
GLYPH = 128


@dataclass(frozen=True)
class Scene:
    """The global shape that all variations of a class share.

    Attributes:
        object, companion: glyphs; ``field`` is an index into `FIELDS`, ``sign`` turns it.
        x, y, size: the object's centre and longer side, in units of the picture's side.
        angle: its rotation in degrees.
        corner: the companion's, 0 to 3 from the upper left, row by row.
    """

    object: str
    companion: str
    field: int
    sign: int
    x: float
    y: float
    size: float
    angle: float
    corner: int

    def tone(self, height: int, width: int) -> Mask:
        """Light (1) and dark (0) of the scene, anti-aliased, (height, width)."""
        ys, xs = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        tone = np.clip(0.5 + self.sign * FIELDS[self.field](xs, ys) * min(height, width) / 4, 0, 1)
        for glyph, x, y, size, angle in self._figures():
            tone = _counterchange(tone, _placed(glyph, 0, x, y, size, angle, height, width))
        return tone

    def outline(self, height: int, width: int) -> Mask:
        """The line around the object, 1 on the line."""
        glyph, x, y, size, angle = self._figures()[0]
        inside, around = (_placed(glyph, stroke, x, y, size, angle, height, width) for stroke in (0, GLYPH // 24))
        line: Mask = np.clip(around - inside, 0, 1)
        return line

    def _figures(self) -> list[tuple[str, float, float, float, float]]:
        corner_x, corner_y = 0.16 + 0.68 * (self.corner % 2), 0.16 + 0.68 * (self.corner // 2)
        return [
            (self.object, self.x, self.y, self.size, self.angle),
            (self.companion, corner_x, corner_y, 0.26, 0.0),
        ]


def scene(key: Key, label: int) -> Scene:
    """The scene of class ``label`` under ``key``. No two of the 1,000 classes share both object and field.

    Raises:
        ValueError: ``label`` is outside 0 .. 999.
    """
    if not 0 <= label < MAX_CLASSES:
        raise ValueError(f"expected a class index from 0 to {MAX_CLASSES - 1}, got {label}")
    shared = key.rng("catalogue")
    objects, fields = shared.permutation(len(OBJECTS)), shared.permutation(2 * len(FIELDS))
    field = int(fields[(label + label // len(OBJECTS)) % len(fields)])
    own = key.rng("scene", label)
    return Scene(
        object=OBJECTS[objects[label % len(OBJECTS)]],
        companion=OBJECTS[own.integers(len(OBJECTS))],
        field=field // 2,
        sign=1 - 2 * (field % 2),
        x=own.uniform(0.4, 0.6),
        y=own.uniform(0.4, 0.6),
        size=own.uniform(0.6, 0.8),
        angle=own.uniform(-20, 20),
        corner=int(own.integers(4)),
    )


def render(key: Key, label: int, index: int, height: int, width: int) -> UInt8[ndarray, "3 h w"]:
    """Draw variation ``index`` of class ``label``, RGB, (3, height, width)."""
    shape = scene(key, label)
    rng = key.rng("variation", label, index)
    dark, light = (_surface(rng, luminance, height, width) for luminance in (0.25, 0.75))
    line = _colour(rng, 0.5)[:, None, None]
    picture = dark + shape.tone(height, width) * (light - dark)
    picture += shape.outline(height, width) * (line - picture)
    drawn: UInt8[ndarray, "3 h w"] = (picture.clip(0, 1) * 255).round().astype(np.uint8)
    return drawn


def contact_sheet(key: Key, classes: int, variations: int = 4, side: int = 96) -> Image.Image:
    """One row a class, one column a variation: what a key gives."""
    sheet = Image.new("RGB", (variations * (side + 4) + 4, classes * (side + 4) + 4), "white")
    for label in range(classes):
        for index in range(variations):
            tile = Image.fromarray(render(key, label, index, side, side).transpose(1, 2, 0))
            sheet.paste(tile, (4 + index * (side + 4), 4 + label * (side + 4)))
    return sheet


def _counterchange(tone: Mask, mask: Mask) -> Mask:
    """Light turns dark and dark turns light under the mask (exclusive or, for fractional values)."""
    changed: Mask = tone + mask - 2 * tone * mask
    return changed


def _colour(rng: np.random.Generator, luminance: float) -> Float[ndarray, " 3"]:
    """A random colour of about the given luma (Rec. 601), so that shapes survive in grey."""
    tint = rng.uniform(-0.2, 0.2, 3)
    colour: Float[ndarray, " 3"] = luminance + tint - tint @ (0.299, 0.587, 0.114)
    return colour


def _surface(rng: np.random.Generator, luminance: float, height: int, width: int) -> Float[ndarray, "3 h w"]:
    """A coloured surface with a local texture: a grating of random pitch and direction, or soft grain."""
    colour = _colour(rng, luminance)[:, None, None]
    if rng.random() < 0.5:
        ys, xs = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
        angle, pitch, phase = rng.uniform(0, math.pi), rng.uniform(8, 24), rng.uniform(0, 2 * math.pi)
        texture = np.sin(2 * math.pi * pitch * (xs * math.cos(angle) + ys * math.sin(angle)) + phase)
    else:
        side = int(rng.integers(12, 40))
        grain = Image.fromarray(rng.normal(0, 1, (side, side)).astype(np.float32))
        texture = np.asarray(grain.resize((width, height), Image.Resampling.BICUBIC))
    surface: Float[ndarray, "3 h w"] = colour + 0.06 * texture
    return surface


@cache
def _glyph(character: str, stroke: int) -> Image.Image:
    """A glyph's coverage, centred with its longer side filling half of a square of 2 GLYPH px."""
    import matplotlib

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    probe = ImageFont.truetype(path, GLYPH)
    left, top, right, bottom = probe.getbbox(character)
    font = ImageFont.truetype(path, GLYPH * GLYPH / max(right - left, bottom - top))
    left, top, right, bottom = font.getbbox(character)
    mask = Image.new("L", (2 * GLYPH, 2 * GLYPH))
    corner = (GLYPH - (left + right) / 2, GLYPH - (top + bottom) / 2)
    ImageDraw.Draw(mask).text(corner, character, fill=255, font=font, stroke_width=stroke)
    return mask


def _placed(
    character: str, stroke: int, x: float, y: float, size: float, angle: float, height: int, width: int
) -> Mask:
    """The glyph's coverage on a canvas: centre (x, y) and longer side in units of the canvas' sides."""
    glyph = _glyph(character, stroke)
    glyph = glyph.rotate(angle, Image.Resampling.BILINEAR) if angle else glyph
    tile = glyph.resize((max(1, round(2 * size * width)), max(1, round(2 * size * height))), reducing_gap=1.5)
    canvas = Image.new("L", (width, height))
    canvas.paste(tile, (round(x * width - tile.width / 2), round(y * height - tile.height / 2)))
    return np.asarray(canvas, dtype=np.float32) / 255
