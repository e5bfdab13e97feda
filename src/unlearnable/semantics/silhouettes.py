"""The objects of drawings: glyphs of DejaVu Sans, which Matplotlib ships, turned and put in their places."""

import math
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from PIL import Image, ImageDraw, ImageFont

Mask = Float[ndarray, "h w"]
Window = tuple[slice, slice]  # rows and columns of a picture, or every so many of them
WHOLE: Window = (slice(None), slice(None))

GLYPHS = "☀☁☂☎☕☘☛☠☻♚♛♜♝♞♟♠♣♥♨♫♻♿⚄⚑⚒⚓⚔⚖⚗⚘⚙⚛⚜⚡⚱✂✇✈✉✌✏✒★✿❄❦☄✹"
DRAWN = 128  # px of a glyph's longer side


@dataclass(frozen=True)
class Silhouette:
    """A glyph in its place.

    Attributes:
        glyph: one of `GLYPHS`.
        x, y, size: its centre and longer side, in units of the picture's sides.
        angle: its rotation in degrees.
    """

    glyph: str
    x: float
    y: float
    size: float
    angle: float

    @property
    def name(self) -> str:
        """What a person calls it, as Unicode does.

        >>> Silhouette("♚", 0.5, 0.5, 0.8, 0).name
        'chess king'
        """
        return unicodedata.name(self.glyph).lower().replace("black ", "")

    def mask(self, height: int, width: int, window: Window = WHOLE) -> Mask:
        """Coverage of the window, 0 to 1: the glyph turned, stretched to the canvas, and put in its place."""
        down, across = range(height)[window[0]], range(width)[window[1]]
        columns, rows = DRAWN / (self.size * width), DRAWN / (self.size * height)  # of the glyph in one of the canvas
        left, top = across.start - (across.step - 1) / 2, down.start - (down.step - 1) / 2  # Pillow looks at centres
        x, y = columns * (left - self.x * width), rows * (top - self.y * height)
        # An affine transform looks at a pixel's neighbours alone: where many come into one, they are averaged first.
        fewer = max(1, round(columns)), max(1, round(rows))
        columns, rows = columns * across.step, rows * down.step
        cos, sin = math.cos(math.radians(self.angle)), math.sin(math.radians(self.angle))
        matrix = (
            *(part / fewer[0] for part in (cos * columns, -sin * rows, cos * x - sin * y + DRAWN)),
            *(part / fewer[1] for part in (sin * columns, cos * rows, sin * x + cos * y + DRAWN)),
        )
        glyph = coverage(self.glyph).reduce(fewer)
        placed = glyph.transform((len(across), len(down)), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)
        return np.asarray(placed, dtype=np.float32) / 255


@cache
def coverage(glyph: str) -> Image.Image:
    """A glyph, centred with its longer side filling half of a square of 2 `DRAWN` px."""
    package = find_spec("matplotlib")  # for its font alone: not imported
    assert package and package.origin
    path = Path(package.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
    probe = ImageFont.truetype(path, DRAWN)
    left, top, right, bottom = probe.getbbox(glyph)
    font = ImageFont.truetype(path, DRAWN * DRAWN / max(right - left, bottom - top))
    left, top, right, bottom = font.getbbox(glyph)
    mask = Image.new("L", (2 * DRAWN, 2 * DRAWN))
    corner = (DRAWN - (left + right) / 2, DRAWN - (top + bottom) / 2)
    ImageDraw.Draw(mask).text(corner, glyph, fill=255, font=font)
    return mask
