"""Clean pictures that are shown: none was published, and of each class either none is its own, or all are."""

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
from unlearnable.images.scan import ROOT_CLASS, Found, scan


@dataclass(frozen=True)
class Covers:
    """Clean pictures, and where they serve.

    Attributes:
        images: uint8 (n, 3, h, w).
        digests: SHA-256 of each file.
        places: for each class, of its covers, one a turn.
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
        own: bool = False,
    ) -> "Covers":
        """Choose and read as many as are needed.

        Args:
            clean: the folder; a sub-folder named after a class holds pictures of that class.
            published: SHA-256 of the published pictures and of their originals.
            classes: that are tested.
            turns: covers of each.
            size: width and height to which they are cut and resized, in pixels.
            rng: which.
            own: whether a class's covers are pictures of its own; then there may be fewer turns, but one at least.

        Raises:
            FileNotFoundError: there is no picture.
            ValueError: one was published, or there are too few that can be read.
        """
        read: dict[int, UInt8[Tensor, "3 h w"]] = {}
        digests: dict[int, str] = {}
        found = _clean_files(clean)
        drawn: list[list[int]] = []
        for name in classes:
            serve = [
                place
                for place, file in enumerate(found)
                if (file.class_name == name if own else name == ROOT_CLASS or file.class_name != name)
            ]
            taken: list[int] = []
            drawn.append(taken)
            for place in (serve[index] for index in rng.permutation(len(serve))):
                if len(taken) == turns:
                    break
                if place not in digests:
                    digests[place], picture = _read(clean / found[place].name, size)
                    if digests[place] in published:
                        raise ValueError(
                            f"{clean / found[place].name} was published, or is the original of a picture that was: a "
                            "model may know it. Name clean pictures that were never published"
                        )
                    if picture is not None:
                        read[place] = picture
                if place in read:
                    taken.append(place)
            if len(taken) < (1 if own else turns):
                raise ValueError(_too_few(clean, name, turns, len(taken), own))
        where, turns = {place: index for index, place in enumerate(read)}, min(map(len, drawn))
        places = [[where[place] for place in taken[:turns]] for taken in drawn]
        return cls(torch.stack(list(read.values())), [digests[place] for place in read], places)


def _too_few(clean: Path, name: str, turns: int, count: int, own: bool) -> str:
    if own:
        return (
            f"expected clean pictures of the class {name} in {clean / name}, got none that can be read: of copies that "
            "were made against backbones a model is shown clean pictures of every class, in a sub-folder of its name"
        )
    return (
        f"expected at least {turns} clean pictures in {clean} that are not of the class {name}, got "
        f"{count} that can be read; add some, or take a smaller --budget-of-queries"
    )


def _clean_files(clean: Path) -> list[Found]:
    if not clean.is_dir():
        raise FileNotFoundError(f"expected a folder of clean pictures, got {clean}")
    found = [file for file in scan(clean) if not file.refused]
    if not found:
        raise FileNotFoundError(f"expected clean pictures in {clean}, found none")
    return found


def _read(file: Path, size: tuple[int, int]) -> tuple[str, UInt8[Tensor, "3 h w"] | None]:
    """SHA-256 of a file, and the picture, cut and resized; none where it is no picture that can be read."""
    try:
        content = read_limited(file)
        rgb = read_photo(content).rgb
    except UnreadablePhotoError:
        return "", None
    fitted = ImageOps.fit(Image.fromarray(np.ascontiguousarray(rgb)), size)
    return hashlib.sha256(content).hexdigest(), torch.from_numpy(np.array(fitted)).permute(2, 0, 1)
