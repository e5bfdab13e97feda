"""Build a bank of semantic images: prompts are chosen, pictures drawn, distances measured (paper, section 3.2.3).

A build that was killed resumes: a picture that is there stays, as pictures appear whole or not at all.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from unlearnable.keys import Key
from unlearnable.semantics.bank import BANK, SHEET, Bank, BankClass, BankPicture, encoded
from unlearnable.semantics.captions import Captions, read_captions
from unlearnable.semantics.generators import Painter, painter
from unlearnable.semantics.options import BankOptions
from unlearnable.semantics.prompts import (
    TFIDF,
    Prompt,
    clustered_prompts,
    embed,
    mean_distance,
    photographs,
    random_prompts,
)
from unlearnable.semantics.thumbnails import contact_sheet, distances, thumbnail
from unlearnable.storage.atomic import PARTIAL, replacing, write
from unlearnable.storage.lock import LOCK, locked

ROWS, COLUMNS, TILE = 100, 10, 96  # of the contact sheet at most, and px
NEEDED = {"diffusion": ("diffusers", "transformers", "accelerate", "cv2"), "stylise": ("cv2",)}


@dataclass(frozen=True)
class Sources:
    """What the pictures are made from.

    Attributes:
        classes: before their pictures are drawn.
        photographs: caption and photographs of every class; none without captions.
        without_picture: how many captions have no photograph; None without captions.
        distance: mean one between the classes' captions; None without captions.
    """

    classes: tuple[BankClass, ...]
    photographs: tuple[tuple[str, list[Path]], ...] = ()
    without_picture: int | None = None
    distance: float | None = None


def build_bank(
    out: str | Path,
    options: BankOptions | None = None,
    *,
    device: str | None = None,
    on_image: Callable[[int, int], None] | None = None,
    **keywords: Any,
) -> Bank:
    """Build a bank in ``out``, or resume its build.

    Args:
        out: a new or empty folder, or that of the same build.
        options: what decides the pictures.
        device: torch device; CUDA where there is one when None.
        on_image: called with (pictures done, pictures in all) after every picture.
        keywords: fields of `BankOptions`, in the place of those of ``options``: ``generator="render"``.

    Raises:
        ValueError: options that do not fit, too few captions, or a folder of something else.
        FileNotFoundError: captions or photographs are not there.
        LockedError: another build is writing to ``out``.
    """
    out = Path(out)
    options = replace(options, **keywords) if options else BankOptions(**keywords)
    _check_installed(options)
    _check_place(out)
    with locked(out):
        sources = _sources(options, device)
        bank = Bank(out, options.generator, options.recorded(sources.without_picture), sources.classes)
        paint = painter(
            options.generator, sources.photographs, options.seed, options.size, device=device, **options.networks
        )
        bank = _painted(bank, _earlier(bank), paint, on_image)
        with replacing(out / SHEET) as temporary:
            _sheet(bank).save(temporary, "PNG")
        bank = replace(bank, distances={"captions": sources.distance} | _distances(bank), complete=True)
        bank.save()
    return bank


def _check_installed(options: BankOptions) -> None:
    needed = NEEDED.get(options.generator, ()) + (() if options.embedder == TFIDF else ("transformers",))
    if missing := [name for name in needed if find_spec(name) is None]:
        raise ValueError(f"{', '.join(missing)} is not installed: pip install 'unlearnable[semantics]'")


def _check_place(out: Path) -> None:
    if (out / BANK).is_file() or not out.exists():
        return
    if not out.is_dir() or any(path.suffix != PARTIAL and path.name != LOCK for path in out.iterdir()):
        raise ValueError(f"expected a new folder, or that of a build to resume, got {out}")


def _sources(options: BankOptions, device: str | None) -> Sources:
    """What captions decide, or, without them, the names of the classes."""
    if options.captions is None or options.images is None:
        return Sources(tuple(BankClass(f"{label:03}") for label in range(options.classes)))
    captions, seed = read_captions(Path(options.captions), Path(options.images)), options.seed
    vectors = embed([caption.text for caption in captions.captions], options.embedder, device, seed)
    if options.clustering:
        prompts = clustered_prompts(captions, vectors, options.classes, options.clusters, seed)
    else:
        prompts = random_prompts(captions, vectors, options.classes, seed)
    each = options.per_class if options.generator == "photo" else 1
    names = photographs(captions, vectors, prompts, each, seed)
    return Sources(
        tuple(_class_of(label, prompt, captions) for label, prompt in enumerate(prompts)),
        tuple((p.caption.text, [captions.folder / name for name in of]) for p, of in zip(prompts, names, strict=True)),
        captions.without_picture,
        mean_distance(prompts),
    )


def _class_of(label: int, prompt: Prompt, captions: Captions) -> BankClass:
    """A class before its pictures are drawn."""
    caption = prompt.caption
    words = re.sub(r"[^a-z0-9]+", "_", caption.text.lower()).strip("_")[:40]
    sha256 = hashlib.sha256(captions.path(caption).read_bytes()).hexdigest()
    return BankClass(f"{label:03}_{words}".strip("_"), caption.text, caption.picture, sha256, prompt.cluster)


def _earlier(bank: Bank) -> Bank | None:
    """What an earlier run of the same build left.

    Raises:
        ValueError: the folder holds something else.
    """
    if not (bank.folder / BANK).is_file():
        return None
    earlier = Bank.read(bank.folder)
    differing = [name for name, value in bank.options.items() if earlier.options.get(name) != value]
    if earlier.generator != bank.generator:
        differing.insert(0, "generator")
    if not differing and [replace(of_class, pictures=()) for of_class in earlier.classes] != list(bank.classes):
        differing = ["captions or photographs"]
    if differing:
        raise ValueError(f"{bank.folder} holds another build (other {', '.join(differing)}); name another folder")
    return earlier


def _painted(bank: Bank, earlier: Bank | None, paint: Painter, on_image: Callable[[int, int], None] | None) -> Bank:
    """Draw what is missing; ``bank.json`` is written before the first picture and after every class."""
    key = Key.of_seed(bank.options["seed"])
    count, classes = bank.options["per_class"], list(bank.classes)
    seeds = [[int(key.rng("image", label, i).integers(2**31)) for i in range(count)] for label in range(len(classes))]
    if earlier is None:
        paint(0, 0, seeds[0][0])  # whatever is wrong with a model shows before anything is written
        bank.save()
    known = {picture.file: picture.sha256 for of in (earlier.classes if earlier else ()) for picture in of.pictures}
    for label, of_class in enumerate(classes):
        (bank.folder / of_class.name).mkdir(exist_ok=True)
        pictures = []
        for index, seed in enumerate(seeds[label]):
            name = f"{of_class.name}/{index:04}.png"
            sha256 = _unchanged(bank.folder / name, known.get(name))
            if sha256 is None:
                sha256 = _write(bank.folder / name, paint(label, index, seed))
            pictures.append(BankPicture(name, seed, sha256))
            if on_image:
                on_image(label * count + index + 1, len(classes) * count)
        classes[label] = replace(of_class, pictures=tuple(pictures))
        if not (earlier and earlier.complete):
            replace(bank, classes=tuple(classes)).save()
    return replace(bank, classes=tuple(classes))


def _unchanged(file: Path, known: str | None) -> str | None:
    """SHA-256 of a picture that is there, unless it is no longer the one that was recorded."""
    if not file.is_file():
        return None
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    return sha256 if known in (None, sha256) else None


def _write(file: Path, picture: UInt8[ndarray, "3 side side"]) -> str:
    content = encoded(picture)
    write(file, content)
    return hashlib.sha256(content).hexdigest()


def _distances(bank: Bank) -> dict[str, float | None]:
    """Within and between the classes' pictures."""

    def small(label: int, index: int) -> ndarray:
        return thumbnail(bank.picture(label, index).transpose(2, 0, 1))

    indices = range(bank.options["per_class"])
    return distances([np.stack([small(label, index) for index in indices]) for label in range(len(bank.classes))])


def _sheet(bank: Bank) -> Image.Image:
    """The first classes and pictures."""

    def tile(label: int, index: int) -> UInt8[ndarray, "3 side side"]:
        return np.asarray(Image.fromarray(bank.picture(label, index)).resize((TILE, TILE))).transpose(2, 0, 1)

    columns = range(min(COLUMNS, bank.options["per_class"]))
    return contact_sheet([[tile(label, index) for index in columns] for label in range(min(ROWS, len(bank.classes)))])
