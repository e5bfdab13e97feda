"""Before and after of one file at 100 %, where most is seen of it; their difference, and what is hidden."""

import io
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from unlearnable.app.jobs import Copies
from unlearnable.folder.job import working_picture
from unlearnable.folder.manifest import ManifestEntry, Report, read_manifest
from unlearnable.folder.preview import Hidden, hidden_in
from unlearnable.images.photos import read_limited, read_photo
from unlearnable.images.platforms import PublishedSize, read_published
from unlearnable.images.quality import GAIN, magnified
from unlearnable.images.transparency import Seen
from unlearnable.images.visibility import in_words, visibility, worst_crop
from unlearnable.pages.html import data_uri
from unlearnable.semantics.secrets import RENDER

Pixels = UInt8[ndarray, "h w 3"]


@dataclass(frozen=True)
class Comparison:
    """Pictures as data addresses, and what is to be said of them."""

    file: str
    width: int
    height: int
    before: str
    after: str
    others: list[tuple[str, str]]
    words: str


def compared(copies: Copies, name: str) -> Comparison:
    """A protected file beside its original.

    Raises:
        ValueError: it was not protected, or its original or its copy cannot be read any more.
    """
    entry = read_manifest(copies.dst).get(name)
    if not entry or entry.status != "protected":
        raise ValueError(f"{name} was not protected")
    report = Report.load(copies.dst)
    size = PublishedSize.recorded(report.options)
    original = read_published(read_limited(copies.src / entry.file), size)
    published = read_photo(read_limited(copies.dst / str(entry.output)))
    shown = Seen.through(original.alpha)
    before, after = shown.picture(original.rgb), shown.picture(published.rgb)
    words = []
    if size:
        words.append("The copy has the size of where it is published; the original is shown reduced to it.")
    seen = visibility(before, after)
    if seen:
        words.append(f"Seen at 100 %: {in_words(seen.worst_crop)} (SSIMULACRA2 {seen.worst_crop:.1f}).")
    crop = worst_crop(before, after)
    if crop[0].shape != before.shape:
        words.append(f"Shown is the place of {after.shape[1]:,} x {after.shape[0]:,} px at which most is seen.")
    others = [(f"The difference there, {GAIN} times as large", magnified(*crop))]
    if report.hides:
        hidden = _hidden(copies, report.weights)
        working = working_picture(published, report.options["working_size"])
        others.append(("Hidden in it, as your key draws it", _drawn(hidden, entry, working.shape[1:])))
        taken = hidden.taken(published, report.options["working_size"])
        others.append(("What the network takes out of the copy", taken.transpose(1, 2, 0)))
        if (read := hidden.read(taken)) is not None:
            others.append(("The drawing that is read in it, without your key", read.transpose(1, 2, 0)))
    height, width = crop[0].shape[:2]
    besides = [(title, address_of(picture)) for title, picture in others]
    return Comparison(name, width, height, address_of(crop[0]), address_of(crop[1]), besides, " ".join(words))


def address_of(picture: Pixels) -> str:
    """A picture inside an answer, as PNG."""
    content = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(content, "PNG")
    return str(data_uri(content.getvalue(), "image/png"))


@lru_cache(1)
def _hidden(copies: Copies, weights: str) -> Hidden:
    """The network is kept for the next file of the same run."""
    return hidden_in(Report.load(copies.dst), copies.key, RENDER, copies.weights)


def _drawn(hidden: Hidden, entry: ManifestEntry, shape: tuple[int, ...]) -> Pixels:
    """What the key hid in a file."""
    number, variation = int(entry.secret_number or 0), int(entry.variation or 0)
    drawn: Pixels = hidden.secrets.draw(number, hidden.secrets.index(variation, entry.file), *shape).transpose(1, 2, 0)
    return drawn
