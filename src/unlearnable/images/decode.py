"""Picture files decoded to squares of one size, many at a time."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image, ImageOps
from torch import Tensor

from unlearnable.compute.threads import map_ahead
from unlearnable.images.photos import UnreadablePhotoError, read_limited, read_photo

Item = TypeVar("Item")
Square = UInt8[ndarray, "size size 3"]


def stacked(decode: Callable[[Item], Square], items: Sequence[Item], size: int) -> UInt8[Tensor, "n 3 size size"]:
    """Every item decoded, in order, in threads; the whole is held in memory once.

    Args:
        decode: gives an item's picture.
        items: whatever it takes.
        size: side of the pictures in pixels.
    """
    images = torch.empty((len(items), 3, size, size), dtype=torch.uint8)
    with ThreadPoolExecutor() as pool:
        for place, picture in enumerate(map_ahead(pool, decode, items, width=16)):
            images[place] = torch.from_numpy(picture).permute(2, 0, 1)
    return images


def square(file: Path, size: int) -> Square:
    """One picture file, decoded and centre-cropped.

    Raises:
        ValueError: it cannot be read.
    """
    try:
        return square_of(read_limited(file), size)
    except UnreadablePhotoError as unreadable:
        raise ValueError(f"{file}: {unreadable}; take it out of the data set") from None


def square_of(content: bytes, size: int) -> Square:
    """The bytes of a picture file, decoded, centre-cropped to a square and resized.

    Raises:
        UnreadablePhotoError: they cannot be read.
    """
    photo = read_photo(content)
    return np.array(ImageOps.fit(Image.fromarray(np.ascontiguousarray(photo.rgb)), (size, size)))
