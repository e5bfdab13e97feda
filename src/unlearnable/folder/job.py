"""The stages of a protection: decode, perturb and encode overlap, memory is bounded.

Threads decode ahead and make what perturbing needs, perturbations come in batches of one shape, threads add the
enlarged perturbation to the full picture, project it on the budget and put the file in place whole.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image
from torch.nn import functional as F

from unlearnable.compute.threads import map_ahead
from unlearnable.folder.manifest import ManifestEntry, Report, read_manifest, write_manifest
from unlearnable.folder.method import Inputs, Method
from unlearnable.images.budget import Budget
from unlearnable.images.photos import SUFFIX, Photo, UnreadablePhotoError, encode_photo, read_limited, read_photo
from unlearnable.images.platforms import PublishedSize, read_published
from unlearnable.images.quality import measure
from unlearnable.images.scan import MANIFEST, Found, output_names
from unlearnable.images.strength import within
from unlearnable.storage.atomic import write

BATCH_PIXELS = 8_000_000  # of full-size photos that are perturbed together
BLOCK = 64  # files over whose end no batch reaches: what else is in a batch can show in a change's last bits


@dataclass(frozen=True)
class FileTask:
    """A file to be brought to its end.

    Attributes:
        file: as it was found.
        output: path of its copy below the destination.
        earlier: its entry of an earlier run.
    """

    file: Found
    output: str
    earlier: ManifestEntry | None = None


@dataclass(frozen=True)
class Decoded:
    """A photo with what perturbing it takes."""

    task: FileTask
    entry: ManifestEntry
    photo: Photo
    inputs: Inputs


@dataclass(frozen=True)
class Perturbed:
    """A photo with its perturbation at working size, in grey levels."""

    task: FileTask
    entry: ManifestEntry
    photo: Photo
    change: Float[ndarray, "3 h w"]


class FolderJob:
    """What is done to the files of a folder, wherever: here, or on the machines of a cluster.

    Args:
        src, dst: source and destination.
        report: options and classes of the run.
        method: what perturbs.
    """

    def __init__(self, src: Path, dst: Path, report: Report, method: Method) -> None:
        self.src, self.dst, self.report, self.options = src, dst, report, report.options
        self.method = method
        self.budget = Budget.parse(report.options["budget"])
        self.size = PublishedSize.recorded(report.options)

    def run(self, tasks: Iterable[FileTask]) -> Iterator[ManifestEntry]:
        """Take files through the stages; their finished entries, in order. The first task begins a block."""
        with ThreadPoolExecutor(2) as readers, ThreadPoolExecutor(2) as writers:
            yield from map_ahead(writers, self._finish, self._perturb(map_ahead(readers, self._decode, tasks)))

    def _decode(self, task: FileTask) -> Decoded | ManifestEntry:
        """Read one file; a bare entry is final: skipped, or done by an earlier run from the same bytes."""
        name = task.file.name
        try:
            if task.file.refused:
                raise UnreadablePhotoError(task.file.refused)
            content = read_limited(self.src / name)
            sha256 = hashlib.sha256(content).hexdigest()
            if task.earlier and is_up_to_date(task.earlier, sha256, self.dst):
                return task.earlier
            photo = read_published(content, self.size)
            height, width = photo.pixels.shape[:2]
            entry = ManifestEntry(
                file=name,
                status="protected",
                output=task.output,
                sha256_input=sha256,
                height=height,
                width=width,
                notes=photo.notes,
                **self.report.of_file(task.file),
            )
            inputs = self.method.inputs(entry, photo)
        except UnreadablePhotoError as unreadable:
            return self._skip(task, unreadable)
        height, width = inputs[0].shape[1:]
        return Decoded(task, replace(entry, working_height=height, working_width=width), photo, inputs)

    def _perturb(self, items: Iterable[Decoded | ManifestEntry]) -> Iterator[Perturbed | ManifestEntry]:
        """Perturb in batches of a block's consecutive photos of one working shape; final entries keep their place."""
        batch: list[Decoded | ManifestEntry] = []
        for index, item in enumerate(items):
            if batch and (index % BLOCK == 0 or not _fits(batch, item)):
                yield from self._perturb_batch(batch)
                batch = []
            batch.append(item)
        if batch:
            yield from self._perturb_batch(batch)

    def _perturb_batch(self, batch: list[Decoded | ManifestEntry]) -> Iterator[Perturbed | ManifestEntry]:
        photos = [item for item in batch if isinstance(item, Decoded)]
        if photos:
            inputs = (torch.from_numpy(np.stack(arrays)) for arrays in zip(*(p.inputs for p in photos), strict=True))
            changes = iter(self.method.perturb([photo.entry for photo in photos], *inputs).numpy())
        for item in batch:
            yield Perturbed(item.task, item.entry, item.photo, next(changes)) if isinstance(item, Decoded) else item

    def _finish(self, item: Perturbed | ManifestEntry) -> ManifestEntry:
        return self._write(item) if isinstance(item, Perturbed) else item

    def _skip(self, task: FileTask, reason: UnreadablePhotoError) -> ManifestEntry:
        """Leave a file out; the copy of when it was readable proves nothing any more."""
        if task.earlier and task.earlier.output:
            (self.dst / task.earlier.output).unlink(missing_ok=True)
        return ManifestEntry.skipped(task.file.name, str(reason))

    def _write(self, item: Perturbed) -> ManifestEntry:
        """Enlarge, project, write and measure one photo."""
        photo, entry, format = item.photo, item.entry, self.options["format"]
        change = enlarged(item.change, photo.pixels.shape)
        strength = self.options.get("strength", "full")
        published, limit = within(photo.pixels, change, self.budget, strength)
        try:
            content = encode_photo(
                photo.with_pixels(published), format, self.options.get("quality", 90), self.options["metadata"]
            )
        except UnreadablePhotoError as unreadable:
            return self._skip(item.task, unreadable)
        if format == "jpeg":  # it alters the pixels: measure what is written
            published = read_photo(content).pixels
        output = self.dst / str(entry.output)
        output.parent.mkdir(parents=True, exist_ok=True)
        write(output, content)
        return replace(
            entry,
            sha256_output=hashlib.sha256(content).hexdigest(),
            limit=None if strength == "full" else limit,
            quality=measure(photo.pixels, published),
        )


def is_up_to_date(earlier: ManifestEntry, sha256: str, dst: Path) -> bool:
    """Whether an earlier run's copy of a file is in ``dst`` as it was written, made from bytes of this ``sha256``."""
    if earlier.sha256_input != sha256:
        return False
    try:
        content = (dst / str(earlier.output)).read_bytes()
    except OSError:
        return False
    return hashlib.sha256(content).hexdigest() == earlier.sha256_output


def working_picture(photo: Photo, size: int) -> UInt8[ndarray, "3 h w"]:
    """The photo as RGB with its long side reduced to ``size`` px; a smaller one as it is."""
    height, width = photo.pixels.shape[:2]
    picture = Image.fromarray(np.ascontiguousarray(photo.rgb))
    reduced = working_shape(height, width, size)
    if reduced != (height, width):
        picture = picture.resize(reduced[::-1], Image.Resampling.BICUBIC, reducing_gap=3.0)
    return np.asarray(picture).transpose(2, 0, 1)


def working_shape(height: int, width: int, size: int) -> tuple[int, int]:
    """Height and width of the working picture: the long side is at most ``size`` px."""
    reduction = max(1.0, max(height, width) / size)
    return max(1, round(height / reduction)), max(1, round(width / reduction))


def enlarged(change: Float[ndarray, "3 h w"], shape: tuple[int, ...]) -> Float[ndarray, "h2 w2 c"]:
    """The perturbation at full size (height, width, channels); for a grey photo the mean of its colours."""
    height, width, channels = shape
    planes = change if channels == 3 else change.mean(0, keepdims=True)
    full = np.empty(shape, np.float32)
    for channel, plane in enumerate(planes):  # one at a time: a large photo's planes are hundreds of megabytes
        picture = torch.from_numpy(plane)[None, None]
        if plane.shape != (height, width):
            picture = F.interpolate(picture, size=(height, width), mode="bicubic")
        full[..., channel] = picture[0, 0].numpy()
    return full


def _fits(batch: list[Decoded | ManifestEntry], item: Decoded | ManifestEntry) -> bool:
    photos = [member for member in [*batch, item] if isinstance(member, Decoded)]
    pixels = sum(member.photo.pixels.shape[0] * member.photo.pixels.shape[1] for member in photos)
    one_shape = len({member.inputs[0].shape for member in photos}) <= 1
    return one_shape and pixels <= BATCH_PIXELS


# Does the tasks of a job; entries come as they are finished.
Runner = Callable[[FolderJob, list[FileTask]], Iterator[ManifestEntry]]


def run(
    job: FolderJob, found: list[Found], runner: Runner, on_file: Callable[[int, int], None] | None
) -> list[ManifestEntry]:
    """Bring every file to its end and return all entries, those of files that are gone among them.

    Args:
        job: what is done to a file.
        found: the files, in order.
        runner: who does it: `FolderJob.run` here, `folder.ray.run` on a cluster.
        on_file: called with (files done, files in all) after every file.
    """
    done = read_manifest(job.dst)
    copies = {name: entry.output for name, entry in done.items() if entry.output}
    names = output_names([file.name for file in found], SUFFIX[job.options["format"]], copies)
    write_manifest(job.dst, done.values())  # drops a torn last line before more are appended
    entries = []
    with (job.dst / MANIFEST).open("a", buffering=1) as manifest:  # line by line
        for entry in runner(job, [FileTask(file, names[file.name], done.get(file.name)) for file in found]):
            if done.get(entry.file) != entry:
                manifest.write(entry.to_line() + "\n")
            entries.append(entry)
            if on_file:
                on_file(len(entries), len(found))
    gone = done.keys() - {file.name for file in found}  # their copies are still there
    return entries + [done[name] for name in gone]
