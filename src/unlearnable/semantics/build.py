"""Build a bank of semantic images: prompts are chosen, pictures drawn, distances measured (paper, section 3.2.3).

A build that was killed resumes: a picture that is there stays, as pictures appear whole or not at all.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from unlearnable.keys import Key
from unlearnable.options import Generator
from unlearnable.semantics.bank import BANK, SHEET, Bank, BankClass, BankPicture, encoded
from unlearnable.semantics.captions import Captions, read_captions
from unlearnable.semantics.generators import Painter, painter
from unlearnable.semantics.prompts import (
    TFIDF,
    Prompt,
    Vectors,
    clustered_prompts,
    embed,
    mean_distance,
    photographs,
    random_prompts,
)
from unlearnable.semantics.render import MAX_CLASSES
from unlearnable.semantics.thumbnails import contact_sheet, distances, thumbnail
from unlearnable.storage.atomic import PARTIAL, replacing, write

MIN_SIZE, MAX_SIZE = 16, 2048
ROWS, COLUMNS, TILE = 100, 10, 96  # of the contact sheet at most, and px
NEEDED = {"diffusion": ("diffusers", "transformers", "accelerate", "cv2"), "stylise": ("cv2",)}


def build_bank(
    out: str | Path,
    *,
    generator: Generator,
    classes: int,
    per_class: int,
    captions: str | Path | None = None,
    images: str | Path | None = None,
    embedder: str = TFIDF,
    clustering: bool = True,
    clusters: int | None = None,
    seed: int = 0,
    size: int = 512,
    diffusion: str | None = None,
    controlnet: str | None = None,
    steps: int = 20,
    guidance: float = 7.5,
    device: str | None = None,
    on_image: Callable[[int, int], None] | None = None,
) -> Bank:
    """Build a bank in ``out``, or resume its build.

    Args:
        out: a new or empty folder, or that of the same build.
        generator: ``diffusion``, ``stylise`` (redrawn photographs), ``photo`` (different photographs as they are, no
            generation: `prompts.photographs`) or ``render`` (drawings, without captions).
        classes: how many.
        per_class: how many pictures of each.
        captions: file of `read_captions`.
        images: folder of their photographs.
        embedder: ``tfidf``, or the folder or hub id of a CLIP model.
        clustering: choose captions of distinct clusters; otherwise random ones.
        clusters: how many; four a class when None.
        seed: of everything.
        size: side of the pictures in px.
        diffusion: folder or hub id of Stable Diffusion, for the generator of this name.
        controlnet: folder or hub id of its ControlNet for Canny edges.
        steps: of denoising (20 in ControlNet's own example).
        guidance: weight of the prompt (diffusers' default).
        device: torch device; CUDA where there is one when None.
        on_image: called with (pictures done, pictures in all) after every picture.

    Raises:
        ValueError: options that do not fit, too few captions, or a folder of something else.
        FileNotFoundError: captions or photographs are not there.
    """
    out = Path(out)
    _check(generator, classes, per_class, size, captions, images, diffusion, controlnet, embedder, clustering, clusters)
    options: dict[str, Any] = {"classes": classes, "per_class": per_class, "seed": seed, "size": size}
    sentences, prompts, sources = None, [], []
    if captions is not None and images is not None:
        sentences = read_captions(Path(captions), Path(images))
        vectors = embed([caption.text for caption in sentences.captions], embedder, device, seed)
        prompts = _prompts(sentences, vectors, clustering, clusters, classes, seed)
        names = photographs(sentences, vectors, prompts, per_class if generator == "photo" else 1, seed)
        sources = [
            (p.caption.text, [sentences.folder / name for name in of]) for p, of in zip(prompts, names, strict=True)
        ]
        options |= {
            "captions": hashlib.sha256(Path(captions).read_bytes()).hexdigest(),
            "without_picture": sentences.without_picture,
            "embedder": embedder,
            "clustering": clustering,
            "clusters": clusters,
        }
    networks: dict[str, Any] = {}
    if generator == "diffusion":
        networks = {"diffusion": diffusion, "controlnet": controlnet, "steps": steps, "guidance": guidance}
    planned = tuple(_planned(label, prompts[label] if prompts else None, sentences) for label in range(classes))
    bank = Bank(out, generator, options | networks, planned)
    paint = painter(generator, sources, seed, size, device=device, **networks)
    bank = _painted(bank, _earlier(bank), paint, on_image)
    thumbnails = [np.stack([_small(bank, label, index) for index in range(per_class)]) for label in range(classes)]
    measured = {"captions": mean_distance(prompts) if prompts else None} | distances(thumbnails)
    with replacing(out / SHEET) as temporary:
        _sheet(bank).save(temporary, "PNG")
    bank = replace(bank, distances=measured, complete=True)
    bank.save()
    return bank


def _check(
    generator: Generator,
    classes: int,
    per_class: int,
    size: int,
    captions: str | Path | None,
    images: str | Path | None,
    diffusion: str | None,
    controlnet: str | None,
    embedder: str,
    clustering: bool,
    clusters: int | None,
) -> None:
    """Whether the options fit each other and what they need is installed."""
    if generator not in get_args(Generator):
        raise ValueError(f"expected a generator among {', '.join(get_args(Generator))}, got {generator!r}")
    if not 1 <= classes <= MAX_CLASSES or per_class < 1 or not MIN_SIZE <= size <= MAX_SIZE:
        raise ValueError(
            f"expected 1 to {MAX_CLASSES} classes, 1 picture a class or more and a size from {MIN_SIZE} to {MAX_SIZE} "
            f"px, got {classes}, {per_class} and {size}"
        )
    given = [option is not None for option in (captions, images)]
    if generator == "render" and any(given):
        raise ValueError("render draws from the seed alone; leave --captions and --images out")
    if generator != "render" and not all(given):
        raise ValueError(f"{generator} needs --captions and --images")
    if clusters is not None and not clustering:
        raise ValueError("--clusters needs --clustering")
    if [model is not None for model in (diffusion, controlnet)] != [generator == "diffusion"] * 2:
        raise ValueError("--diffusion and --controlnet name the two models of --generator diffusion, and of no other")
    needed = NEEDED.get(generator, ()) + (() if embedder == TFIDF else ("transformers",))
    if missing := [name for name in needed if find_spec(name) is None]:
        raise ValueError(f"{', '.join(missing)} is not installed: pip install 'unlearnable[semantics]'")


def _prompts(
    captions: Captions, vectors: Vectors, clustering: bool, clusters: int | None, classes: int, seed: int
) -> list[Prompt]:
    if clustering:
        return clustered_prompts(captions, vectors, classes, clusters, seed)
    return random_prompts(captions, vectors, classes, seed)


def _planned(label: int, prompt: Prompt | None, captions: Captions | None) -> BankClass:
    """A class before its pictures are drawn."""
    if prompt is None or captions is None:
        return BankClass(f"{label:03}")
    caption = prompt.caption
    words = re.sub(r"[^a-z0-9]+", "_", caption.text.lower()).strip("_")[:40]
    sha256 = hashlib.sha256(captions.path(caption).read_bytes()).hexdigest()
    return BankClass(f"{label:03}_{words}".strip("_"), caption.text, caption.picture, sha256, prompt.cluster)


def _earlier(bank: Bank) -> Bank | None:
    """What an earlier run of the same build left.

    Raises:
        ValueError: the folder holds something else.
    """
    out = bank.folder
    if not (out / BANK).is_file():
        if out.exists() and (not out.is_dir() or any(path.suffix != PARTIAL for path in out.iterdir())):
            raise ValueError(f"expected a new folder, or that of a build to resume, got {out}")
        return None
    earlier = Bank.read(out)
    differing = [name for name, value in bank.options.items() if earlier.options.get(name) != value]
    if earlier.generator != bank.generator:
        differing.insert(0, "generator")
    if not differing and [replace(of_class, pictures=()) for of_class in earlier.classes] != list(bank.classes):
        differing = ["captions or photographs"]
    if differing:
        raise ValueError(f"{out} holds another build (other {', '.join(differing)}); name another folder")
    return earlier


def _painted(bank: Bank, earlier: Bank | None, paint: Painter, on_image: Callable[[int, int], None] | None) -> Bank:
    """Draw what is missing; ``bank.json`` is written before the first picture and after every class."""
    key = Key.of_seed(bank.options["seed"])
    count, classes = bank.options["per_class"], list(bank.classes)
    seeds = [[int(key.rng("image", label, i).integers(2**31)) for i in range(count)] for label in range(len(classes))]
    if earlier is None:
        paint(0, 0, seeds[0][0])  # whatever is wrong with a model shows before anything is written
        bank.folder.mkdir(parents=True, exist_ok=True)
        bank.save()
    known = {picture.file: picture.sha256 for of in (earlier.classes if earlier else ()) for picture in of.pictures}
    for label, of_class in enumerate(classes):
        (bank.folder / of_class.name).mkdir(exist_ok=True)
        pictures = []
        for index, seed in enumerate(seeds[label]):
            name = f"{of_class.name}/{index:04}.png"
            sha256 = _kept(bank.folder / name, known.get(name))
            if sha256 is None:
                sha256 = _write(bank.folder / name, paint(label, index, seed))
            pictures.append(BankPicture(name, seed, sha256))
            if on_image:
                on_image(label * count + index + 1, len(classes) * count)
        classes[label] = replace(of_class, pictures=tuple(pictures))
        if not (earlier and earlier.complete):
            replace(bank, classes=tuple(classes)).save()
    return replace(bank, classes=tuple(classes))


def _kept(file: Path, known: str | None) -> str | None:
    """SHA-256 of a picture that is there, unless it is no longer the one that was recorded."""
    if not file.is_file():
        return None
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    return sha256 if known in (None, sha256) else None


def _write(file: Path, picture: UInt8[ndarray, "3 side side"]) -> str:
    content = encoded(picture)
    write(file, content)
    return hashlib.sha256(content).hexdigest()


def _small(bank: Bank, label: int, index: int) -> ndarray:
    return thumbnail(bank.picture(label, index).transpose(2, 0, 1))


def _sheet(bank: Bank) -> Image.Image:
    """The first classes and pictures."""

    def tile(label: int, index: int) -> UInt8[ndarray, "3 side side"]:
        return np.asarray(Image.fromarray(bank.picture(label, index)).resize((TILE, TILE))).transpose(2, 0, 1)

    columns = range(min(COLUMNS, bank.options["per_class"]))
    return contact_sheet([[tile(label, index) for index in columns] for label in range(min(ROWS, len(bank.classes)))])
