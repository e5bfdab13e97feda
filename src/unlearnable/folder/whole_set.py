"""A protection that looks at all pictures of a folder together, at one square size, before it perturbs any.

The set is read once, perturbed once, and then the files are streamed: each picture's perturbation is there already.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image
from torch import Tensor

from unlearnable.compute.threads import map_ahead
from unlearnable.folder.job import is_up_to_date
from unlearnable.folder.manifest import ManifestEntry, Report, read_manifest
from unlearnable.folder.method import SEED, WORKING_SIZE, Inputs, Method, OnStage, RefusedError, hashed
from unlearnable.images.imageset import ImageSet
from unlearnable.images.photos import Photo, UnreadablePhotoError, picture_size, read_limited, read_photo
from unlearnable.images.scan import CHECKPOINT, Found
from unlearnable.keys import Key
from unlearnable.protections.base import Protection
from unlearnable.protections.optimised import OptimisationStep, Optimised
from unlearnable.registry import spec_of

LISTED = 3  # sizes in a message


class WholeSet(Method):
    """A protection whose perturbations are computed for the whole set at once.

    Args:
        name: under which it is registered.
        protection: with its parameters.
        working_size: side of the square to which pictures are stretched; None for that which all have.
        device: where to optimise.
        on_stage: called while the set is read and its perturbations are optimised.
    """

    def __init__(
        self,
        name: str,
        protection: Protection,
        working_size: int | None,
        device: torch.device,
        on_stage: OnStage | None = None,
    ) -> None:
        self.name, self.protection, self.device = name, protection, device
        self.spec, self.weights, self.options = spec_of(name, protection, whole=True), hashed(protection), {}
        self.side, self.on_stage = working_size, on_stage or (lambda *_: None)
        self.changes: dict[str, Float[ndarray, "3 s s"]] = {}

    def inspect(self, src: Path, found: list[Found]) -> list[Found]:
        """Read the whole set; only what can be read is perturbed."""
        files = super().inspect(src, found)
        self.working_size = self.side or _common_side(src, files, self.name)
        self.loaded: dict[str, UInt8[ndarray, "3 s s"]] = {}
        self.hashes: dict[str, str] = {}
        with ThreadPoolExecutor(2) as pool:
            read = map_ahead(pool, lambda file: _read(src / file.name, self.working_size), files)
            for done, (file, picture) in enumerate(zip(files, read, strict=True), 1):
                if picture:
                    self.hashes[file.name], self.loaded[file.name] = picture
                self.on_stage("reading", done, len(files))
        self.pictures = hashlib.sha256(json.dumps(list(self.hashes.items())).encode()).hexdigest()
        self.files = [file for file in files if file.name in self.loaded]
        return self.files

    def begin(self, owner: Key, report: Report, dst: Path, taken: Sequence[int]) -> list[int]:
        """Compute all perturbations, unless every copy is there already."""
        done = read_manifest(dst)
        if not all(name in done and is_up_to_date(done[name], sha256, dst) for name, sha256 in self.hashes.items()):
            labels = [report.of_file(file)["class_index"] for file in self.files]
            pictures = torch.from_numpy(np.stack(list(self.loaded.values())))
            data = ImageSet(pictures, torch.tensor(labels), tuple(report.classes))
            self.changes = dict(zip(self.loaded, self._compute(data, owner.seed(SEED), report, dst), strict=True))
        del self.loaded
        return []

    def _compute(self, data: ImageSet, seed: int, report: Report, dst: Path) -> Float[ndarray, "n 3 s s"]:
        """The perturbations; of an optimisation that was killed, from where its checkpoint in ``dst`` is."""
        save_report = cache(report.save)  # once, when a first step has shown that the method takes these pictures

        def on_step(step: OptimisationStep) -> None:
            save_report(dst)
            self.on_stage("optimising", step.done, step.steps)

        if isinstance(self.protection, Optimised):
            change = self.protection.optimised(
                data, seed, device=self.device, checkpoint=dst / CHECKPOINT, on_step=on_step
            )
        else:
            change = self.protection.changes(data, seed)
        self.protection.check(data, change)
        return change.float().cpu().numpy()

    def inputs(self, entry: ManifestEntry, photo: Photo) -> Inputs:
        """The picture's perturbation, which serves the bytes that it was computed for."""
        if self.hashes.get(entry.file) != entry.sha256_input or entry.file not in self.changes:
            raise UnreadablePhotoError("it changed while the set was being protected; protect the set to a new folder")
        return (self.changes[entry.file],)

    def perturb(self, entries: Sequence[ManifestEntry], *inputs: Tensor) -> Float[Tensor, "n 3 h w"]:
        """They are there."""
        (changes,) = inputs
        return changes


def _read(file: Path, side: int) -> tuple[str, UInt8[ndarray, "3 s s"]] | None:
    """SHA-256 of a file and its picture, stretched to a square; None where it cannot be read."""
    try:
        content = read_limited(file)
        photo = read_photo(content)
    except UnreadablePhotoError:
        return None
    picture = Image.fromarray(np.ascontiguousarray(photo.rgb))
    if picture.size != (side, side):
        picture = picture.resize((side, side), Image.Resampling.BICUBIC, reducing_gap=3.0)
    return hashlib.sha256(content).hexdigest(), np.asarray(picture).transpose(2, 0, 1)


def _common_side(src: Path, files: list[Found], name: str) -> int:
    """The side of all pictures, where they are square and of one size.

    Raises:
        RefusedError: they are not.
    """
    sizes = Counter(size for file in files if (size := _stated_size(src / file.name)))
    if not sizes:  # nothing can be read, so nothing will be perturbed
        return WORKING_SIZE
    (width, height), _ = sizes.most_common(1)[0]
    if len(sizes) == 1 and width == height:
        return width
    listed = ", ".join(f"{w}x{h} px ({count} files)" for (w, h), count in sizes.most_common(LISTED))
    more = f" and {len(sizes) - LISTED} other sizes" if len(sizes) > LISTED else ""
    raise RefusedError(
        f"{name} looks at all pictures together, at one square size, and here are {listed}{more}; say with "
        "--working-size at how many px a side, such as 224: what they will be trained at"
    )


def _stated_size(file: Path) -> tuple[int, int] | None:
    try:
        return picture_size(file)
    except UnreadablePhotoError:
        return None
