"""Pictures in rows and columns with a title, names and captions, everything placed in inches so that text fits."""

import io
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jaxtyping import UInt8
from numpy import ndarray

WIDTH = 10.0  # inches: 1000 px on a page, at which the text is as large as a page's small print
DPI = 150
INK = "#1a1a1a"
FONT, TITLE_FONT, CAPTION_FONT = 9, 11, 8  # points
LINE = 0.16  # inches of a line of text
GAP = 0.08  # inches between pictures
NAMES = 1.2  # inches for the rows' names
LARGEST = 1.7  # inches of a picture's longer side
EM = 0.6  # of the font's size: the mean width of a character


@dataclass(frozen=True)
class Tile:
    """A picture and what stands below it.

    Attributes:
        picture: RGB.
        caption: may be empty.
    """

    picture: UInt8[ndarray, "h w 3"]
    caption: str = ""


@dataclass(frozen=True)
class Scale:
    """What the colours of a map mean.

    Attributes:
        colours: matplotlib's name of a colour map.
        low, high: what its ends mean.
    """

    colours: str
    low: str
    high: str


def draw_grid(
    title: str,
    columns: Sequence[str],
    rows: Sequence[tuple[str, Sequence[Tile]]],
    scale: Scale | None = None,
) -> bytes:
    """Draw rows of pictures of one size as PNG.

    Args:
        title: above everything.
        columns: a name above each column.
        rows: a name left of each row, and its pictures, as many as there are columns.
        scale: drawn below, where the pictures are maps.
    """
    from matplotlib.figure import Figure

    height, width, _ = rows[0][1][0].picture.shape
    wide = min((WIDTH - NAMES) / len(columns) - GAP, LARGEST * min(1, width / height))
    tall = wide * height / width
    heads = [wrapped(name, wide + GAP) for name in columns]
    captions = [[wrapped(tile.caption, wide + GAP, CAPTION_FONT) for tile in tiles] for _, tiles in rows]
    below = [LINE * max(map(_lines, row)) + GAP for row in captions]
    head, foot = LINE * max(map(_lines, heads)) + GAP, 3 * LINE if scale else 0
    titled = wrapped(title, WIDTH, TITLE_FONT)
    top = 2 * GAP + LINE * TITLE_FONT / FONT * _lines(titled)
    whole = top + head + len(rows) * tall + sum(below) + foot
    figure = Figure(figsize=(WIDTH, whole))

    def write(text: str, x: float, y: float, **how: Any) -> None:
        look: dict[str, Any] = {"fontsize": FONT, "color": INK, "va": "top"} | how
        figure.text(x / WIDTH, 1 - y / whole, text, **look)

    def place(x: float, y: float, size: tuple[float, float]) -> Any:
        axes = figure.add_axes((x / WIDTH, 1 - (y + size[1]) / whole, size[0] / WIDTH, size[1] / whole))
        axes.set(xticks=[], yticks=[])
        return axes

    write(titled, GAP, GAP, fontsize=TITLE_FONT, weight="bold")
    lefts = [NAMES + index * (wide + GAP) for index in range(len(columns))]
    for text, left in zip(heads, lefts, strict=True):
        write(text, left + wide / 2, top + head - GAP / 2, ha="center", va="bottom", weight="bold")
    y = top + head
    for (name, tiles), texts, space in zip(rows, captions, below, strict=True):
        write(wrapped(name, NAMES - 2 * GAP), NAMES - GAP, y + tall / 2, ha="right", va="center", weight="bold")
        for tile, text, left in zip(tiles, texts, lefts, strict=True):
            place(left, y, (wide, tall)).imshow(tile.picture)
            write(text, left + wide / 2, y + tall + GAP / 4, ha="center", fontsize=CAPTION_FONT)
        y += tall + space
    if scale:
        bar = place(NAMES + 1.2, y + LINE / 2, (2.4, LINE))
        bar.imshow([list(range(256))], cmap=scale.colours, aspect="auto")
        write(scale.low, NAMES + 1.2 - GAP, y + LINE, ha="right", va="center")
        write(scale.high, NAMES + 3.6 + GAP, y + LINE, va="center")
    return png(figure)


def png(figure: Any) -> bytes:
    """A matplotlib figure, without the version that drew it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, facecolor="white", metadata={"Software": None})
    return buffer.getvalue()


class Wrapper(textwrap.TextWrapper):
    """Breaks a line between words and, where a spec is too long, between its parts."""

    wordsep_re = re.compile(r"( +|(?<=[:,+_=]))")


def wrapped(text: str, inches: float, size: int = FONT) -> str:
    """Text of so many points in lines at most so long, about; nothing in it is mathematics to matplotlib."""
    wrapper = Wrapper(width=max(4, int(inches * 72 / (EM * size))))
    return "\n".join(wrapper.fill(line) for line in text.split("\n")).replace("$", r"\$")


def _lines(text: str) -> int:
    return text.count("\n") + 1 if text else 0
