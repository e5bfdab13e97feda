"""Clean pictures on which the secrets are shown: none was published, and none is of the class that is asked for."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageOps
from torch import Tensor

from unlearnable.images.imageset import Images8
from unlearnable.images.photos import UnreadablePhotoError, read_limited, read_photo
from unlearnable.images.scan import BESIDE, ROOT_CLASS, Found, scan


@dataclass(frozen=True)
class Covers:
    """Clean pictures, and where they serve.

    Attributes:
        images: uint8 (n, 3, h, w).
        digests: SHA-256 of each file.
        places: for each class, of the covers that show its secrets, one a turn.
    """

    images: Images8
    digests: list[str]
    places: list[list[int]]

    @classmethod
    def draw(
        cls,
        clean: Path,
        published: set[str | None],
        classes: Sequence[str],
        turns: int,
        size: tuple[int, int],
        rng: np.random.Generator,
    ) -> "Covers":
        """Choose and read as many as are needed.

        Args:
            clean: the folder; a sub-folder named after a class holds pictures of that class.
            published: SHA-256 of the originals of the published pictures.
            classes: that are tested.
            turns: covers of each.
            size: width and height to which they are cut and resized, in pixels.
            rng: which.

        Raises:
            FileNotFoundError: there is no picture.
            ValueError: one cannot be read or is the original of a published one, or there are too few.
        """
        found = _clean_files(clean)
        drawn = []
        for name in classes:
            others = _others(found, name, turns)
            drawn.append([others[place] for place in rng.permutation(len(others))[:turns]])
        chosen = sorted({place for of_class in drawn for place in of_class})
        digests, images = zip(*(_read(clean / found[place].name, size) for place in chosen), strict=True)
        if known := [place for place, digest in zip(chosen, digests, strict=True) if digest in published]:
            raise ValueError(
                f"{clean / found[known[0]].name} is the original of a published picture, which a model may know. Name "
                "clean pictures that were never published"
            )
        where = {place: index for index, place in enumerate(chosen)}
        return cls(torch.stack(images), list(digests), [[where[place] for place in of_class] for of_class in drawn])


def _clean_files(clean: Path) -> list[Found]:
    if not clean.is_dir():
        raise FileNotFoundError(f"expected a folder of clean pictures, got {clean}")
    found = [file for file in scan(clean) if not file.refused and file.name not in BESIDE]
    if not found:
        raise FileNotFoundError(f"expected clean pictures in {clean}, found none")
    return found


def _others(found: Sequence[Found], name: str, turns: int) -> list[int]:
    """Places of pictures that are not of the class, as far as folders tell."""
    others = [place for place, file in enumerate(found) if name == ROOT_CLASS or file.class_name != name]
    if len(others) < turns:
        raise ValueError(
            f"expected at least {turns} clean pictures that are not of the class {name}, got {len(others)}; add some, "
            "or ask fewer --queries"
        )
    return others


def _read(file: Path, size: tuple[int, int]) -> tuple[str, UInt8[Tensor, "3 h w"]]:
    """SHA-256 of a picture file, and the picture, cut and resized."""
    try:
        content = read_limited(file)
        rgb = read_photo(content).rgb
    except UnreadablePhotoError as unreadable:
        raise ValueError(f"{file}: {unreadable}; take it out of the clean pictures") from None
    fitted = ImageOps.fit(Image.fromarray(np.ascontiguousarray(rgb)), size)
    return hashlib.sha256(content).hexdigest(), torch.from_numpy(np.array(fitted)).permute(2, 0, 1)
