"""Captions and their photographs: the text prompts and the sources of edge maps of section 3.2.3.

The paper's list is COCO's 30,000 captions of "Erasing Concepts from Diffusion Models" (Gandikota, Materzynska,
Fiotto-Kaufman and Bau, ICCV 2023), a CSV file; JSON of the form ``{picture: [caption, …]}`` serves as well.
"""

import csv
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from unlearnable.storage.decode import check_inside, from_json

COCO_NAMES = ("{:012}.jpg", "COCO_val2014_{:012}.jpg")  # of the pictures of COCO 2017 and 2014


@dataclass(frozen=True)
class Caption:
    """A sentence about a photograph.

    Attributes:
        text: the sentence.
        picture: name of the photograph's file, or None where it is not there.
    """

    text: str
    picture: str | None


@dataclass(frozen=True)
class Captions:
    """All captions of a file.

    Attributes:
        folder: of the photographs.
        captions: with a photograph or without, in the order of the file.
    """

    folder: Path
    captions: tuple[Caption, ...]

    @cached_property
    def pictures(self) -> set[str]:
        """Names of the photographs that are there."""
        return {caption.picture for caption in self.captions if caption.picture}

    @property
    def without_picture(self) -> int:
        """How many captions can serve no class, for want of their photograph."""
        return sum(caption.picture is None for caption in self.captions)

    def path(self, caption: Caption) -> Path:
        """The photograph of a caption that has one."""
        return self.folder / str(caption.picture)


def read_captions(file: Path, folder: Path) -> Captions:
    """Read captions from JSON or CSV, and look for their photographs.

    Args:
        file: JSON ``{picture: [caption, …]}``, or CSV with the columns ``image_id`` (COCO's) and ``prompt``.
        folder: of the photographs, those of COCO by their 12 digits, with or without ``COCO_val2014_`` before.

    Raises:
        FileNotFoundError: there is no such file or folder.
        ValueError: it is neither, or none of its captions has a photograph in the folder.
    """
    if not file.is_file():
        raise FileNotFoundError(f"expected a file of captions, got {file}")
    if not folder.is_dir():
        raise FileNotFoundError(f"expected the folder of the captions' photographs, got {folder}")
    try:
        text = file.read_text(encoding="utf-8-sig")
        pairs = _from_csv(text) if file.suffix.lower() == ".csv" else _from_json(text)
    except (ValueError, TypeError, KeyError, csv.Error) as error:
        expected = 'JSON {"picture.jpg": ["caption", …]} or CSV with the columns image_id and prompt'
        raise ValueError(f"expected {expected} in {file}, got something else: {error!r}") from None
    found: dict[tuple[str, ...], str | None] = {}
    for names, _ in pairs:
        if names not in found:
            found[names] = next((name for name in names if (folder / name).is_file()), None)
    captions = Captions(folder, tuple(Caption(sentence, found[names]) for names, sentence in pairs))
    if not captions.pictures:
        example = f", such as {' or '.join(pairs[0][0])}" if pairs else ""
        raise ValueError(f"{len(pairs)} captions in {file}, but none of their photographs in {folder}{example}")
    return captions


def _from_json(text: str) -> list[tuple[tuple[str, ...], str]]:
    """Possible names of the photograph, and caption."""
    pairs: list[tuple[tuple[str, ...], str]] = []
    for name, sentences in from_json(text, dict[str, tuple[str, ...]]).items():
        check_inside(name)
        pairs += [((name,), sentence.strip()) for sentence in sentences if sentence.strip()]
    return pairs


def _from_csv(text: str) -> list[tuple[tuple[str, ...], str]]:
    rows = csv.DictReader(text.splitlines(keepends=True))
    return [
        (tuple(name.format(int(row["image_id"])) for name in COCO_NAMES), row["prompt"].strip())
        for row in rows
        if (row["prompt"] or "").strip()
    ]
