"""The stages of a protection: decode, perturb and encode overlap, memory is bounded.

Threads decode ahead and make what perturbing needs, perturbations come in batches of one shape, threads add the
enlarged perturbation to the full picture, project it on the budget and put the file in place whole.
"""

import errno
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
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
from unlearnable.images.encode import SUFFIX, encode_photo
from unlearnable.images.metadata import Notice
from unlearnable.images.photos import Photo, UnreachableError, UnreadablePhotoError, read_limited, read_photo
from unlearnable.images.platforms import PublishedSize, read_published
from unlearnable.images.quality import measure
from unlearnable.images.scan import MANIFEST, Found, output_names
from unlearnable.images.strength import within
from unlearnable.images.transparency import Seen
from unlearnable.storage.atomic import replacing

BATCH_PIXELS = 8_000_000  # of full-size photos that are perturbed together
NAMES_REFUSED = {errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL}  # by a file system that cannot hold such a name
BLOCK = 64  # files over whose end no batch reaches: what else is in a batch can show in a change's last bits


class StoppedError(OSError):
    """The job cannot go on, as its disk is full or gone; what is done is done, and the same command resumes."""


@dataclass(frozen=True)
class FileTask:
    """A file to be brought to its end.

    Attributes:
        file: as it was found.
        output: path of its copy below the destination; empty of a file that gets none.
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
        self.notice = Notice(*(report.options.get(name) for name in ("ask", "terms", "strip_location")))
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
            if photo.alpha is not None and not photo.alpha.any():
                raise UnreadablePhotoError("nothing of it is seen: it is transparent everywhere")
            height, width = photo.pixels.shape[:2]
            entry = ManifestEntry(
                file=name,
                status="protected",
                output=task.output,
                sha256_input=sha256,
                bytes_input=len(content),
                height=height,
                width=width,
                notes=photo.notes,
                **self.report.of_file(task.file),
            )
            inputs = self.method.inputs(entry, photo)
        except UnreachableError as unreachable:
            if task.earlier or not self.src.is_dir():  # a copy that was made is not given up for a disk that is away
                raise OSError(errno.EIO, f"{name} {unreachable}") from unreachable
            return self._skip(task, unreachable)
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
        seen = Seen.through(photo.alpha)
        published, limit = within(photo.pixels, change, self.budget, strength, seen)
        try:
            content = encode_photo(photo.with_pixels(published), format, self.options.get("quality", 90), self.notice)
            self._put(content, entry)
        except UnreadablePhotoError as unreadable:
            return self._skip(item.task, unreadable)
        if format == "jpeg":  # it alters the pixels: measure what is written
            published = read_photo(content).pixels
        return replace(
            entry,
            sha256_output=hashlib.sha256(content).hexdigest(),
            bytes_output=len(content),
            limit=None if strength == "full" else limit,
            quality=measure(photo.pixels, published, seen),
        )

    def _put(self, content: bytes, entry: ManifestEntry) -> None:
        """Write a copy, of the age and with the permissions of its original.

        Raises:
            UnreadablePhotoError: its name is one that this disk cannot hold.
        """
        output, original = self.dst / str(entry.output), (self.src / entry.file).stat()
        try:
            output.parent.mkdir(parents=True, exist_ok=True)
            with replacing(output) as temporary:
                temporary.write_bytes(content)
                with suppress(OSError):  # there are disks that know neither
                    os.utime(temporary, ns=(original.st_atime_ns, original.st_mtime_ns))
                with suppress(OSError):
                    temporary.chmod(original.st_mode & 0o777)
        except OSError as error:
            if error.errno not in NAMES_REFUSED:
                raise
            raise UnreadablePhotoError(f"its copy cannot have that name here ({error.strerror}); rename it") from None


def is_up_to_date(earlier: ManifestEntry, sha256: str, dst: Path) -> bool:
    """Whether an earlier run's copy of a file is in ``dst`` as it was written, made from bytes of this ``sha256``."""
    if earlier.sha256_input != sha256:
        return False
    try:
        content = (dst / str(earlier.output)).read_bytes()
    except OSError:
        return False
    return hashlib.sha256(content).hexdigest() == earlier.sha256_output


def working_picture(photo: Photo, size: int, enlarge: bool = False) -> UInt8[ndarray, "3 h w"]:
    """The photo as RGB, reduced to its `working_shape`; a smaller one as it is, or enlarged to what that would be."""
    height, width = photo.pixels.shape[:2]
    picture = Image.fromarray(np.ascontiguousarray(photo.rgb))
    reduced = working_shape(height, width, size, enlarge)
    if reduced != (height, width):
        picture = picture.resize(reduced[::-1], Image.Resampling.BICUBIC, reducing_gap=3.0)
    return np.asarray(picture).transpose(2, 0, 1)


def working_shape(height: int, width: int, size: int, enlarge: bool = False) -> tuple[int, int]:
    """Height and width of the working picture: the long side has ``size`` px, or the short side half as many.

    Of what is more than twice as long as wide, a panorama or a strip of comics, the short side decides: enlarged by 30,
    the change of a picture 14 px high is clouds. A smaller picture stays as it is, but with ``enlarge``.
    """
    reduction = min(max(height, width), 2 * min(height, width)) / size
    reduction = reduction if enlarge else max(1.0, reduction)
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

    Raises:
        StoppedError: a disk is full or gone.
    """
    done = read_manifest(job.dst)
    copies = {name: entry.output for name, entry in done.items() if entry.output}
    names = output_names([file.name for file in found if not file.refused], SUFFIX[job.options["format"]], copies)
    write_manifest(job.dst, done.values())  # drops a torn last line before more are appended
    entries = []
    with (job.dst / MANIFEST).open("a", buffering=1) as manifest:  # line by line
        tasks = [FileTask(file, names.get(file.name, ""), done.get(file.name)) for file in found]
        try:
            for entry in runner(job, tasks):
                if done.get(entry.file) != entry:
                    manifest.write(entry.to_line() + "\n")
                entries.append(entry)
                if on_file:
                    on_file(len(entries), len(found))
        except OSError as error:
            raise StoppedError(
                f"{error.strerror or error}: {len(entries)} of {len(found)} files are done in {job.dst}; when there is "
                "room, or what is missing is back, the same command resumes"
            ) from error
    gone = done.keys() - {file.name for file in found}  # their copies are still there
    return entries + [done[name] for name in gone]
