"""Contact sheets: a row a class, a column a variation."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

GAP = 4


def contact_sheet(rows: Sequence[Sequence[UInt8[ndarray, "3 side side"]]]) -> Image.Image:
    """Square pictures of one size in a grid on white."""
    step = rows[0][0].shape[-1] + GAP
    sheet = Image.new("RGB", (max(map(len, rows)) * step + GAP, len(rows) * step + GAP), "white")
    for row, pictures in enumerate(rows):
        for column, picture in enumerate(pictures):
            tile = Image.fromarray(np.ascontiguousarray(picture.transpose(1, 2, 0)))
            sheet.paste(tile, (GAP + column * step, GAP + row * step))
    return sheet
