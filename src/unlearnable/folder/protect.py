"""Protect a folder: check that the job may begin, run it or resume it, and sum it up."""

import hashlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

import torch

from unlearnable.compute.devices import best_device, device_named
from unlearnable.compute.threads import map_ahead
from unlearnable.folder import ray as cluster
from unlearnable.folder.grouping import Classed, classify
from unlearnable.folder.job import FolderJob, run
from unlearnable.folder.manifest import ManifestEntry, Report, write_manifest
from unlearnable.folder.method import WORKING_SIZE, Method, OnStage, RefusedError
from unlearnable.folder.methods import Hiding, OneByOne
from unlearnable.folder.options import ProtectOptions
from unlearnable.folder.whole_set import WholeSet
from unlearnable.hiding.inference import generation_of
from unlearnable.images.scan import CHECKPOINT, MANIFEST, REPORT, ROOT_CLASS, Found, is_clutter, listing
from unlearnable.images.visibility import SAMPLE, spread_out, visibility_of_files
from unlearnable.keys import Key, default_key_file
from unlearnable.protections.base import Streaming
from unlearnable.protections.deep_hiding import DeepHiding
from unlearnable.storage.atomic import PARTIAL
from unlearnable.storage.checkpoint import forget
from unlearnable.storage.lock import locked
from unlearnable.storage.provenance import __version__


def protect_folder(
    src: str | Path,
    dst: str | Path,
    options: ProtectOptions | None = None,
    *,
    key: str | Path | None = None,
    device: str | None = None,
    ray: bool | str = False,
    visibility: int | None = SAMPLE,
    on_found: Callable[[list[Found]], None] | None = None,
    on_file: Callable[[int, int], None] | None = None,
    on_stage: OnStage | None = None,
    **keywords: Any,
) -> Report:
    """Write a protected copy of every picture below ``src`` to ``dst``, with a manifest and a report.

    A method that works picture by picture streams. One that looks at the whole set reads it at the working size first,
    and an optimisation that is killed resumes. Its seed comes from the key.

    Args:
        src: pictures, in class sub-folders or in one folder. Never changed.
        dst: a new or empty folder, or that of the same job, which then resumes.
        options: what decides the copies; the defaults when None.
        key: the owner's key file, made on first use; one in the user's own settings when None.
        device: torch device of the network that hides, or of an optimisation; CUDA where there is one when None.
        ray: let a Ray cluster do it: that of this address; when True that of ``RAY_ADDRESS``, else one of this
            machine alone (`folder.ray`). All its nodes must see both folders.
        visibility: of how many files, from all over, what people see is measured (`images.visibility`); None for all.
        on_found: called with the files of ``src``, before anything is made of them, the key among it.
        on_file: called with (files done, files in all) after every file.
        on_stage: called with what is done (``grouping`` while pictures are grouped, ``reading`` or ``optimising`` while
            a method looks at the whole set, ``looking`` while what people see is measured), files or steps done, and
            how many there are at most.
        keywords: fields of `ProtectOptions`, in the place of those of ``options``: ``budget="linf:8"``.

    Raises:
        RefusedError: source, destination or options will not do; nothing has been written.
        ValueError, FileNotFoundError: the same of an option, a bank, weights or a device.
        LockedError: another run is writing to ``dst``.
        DivergedError: an optimisation failed.

    Examples:
        >>> from pathlib import Path, PurePath
        >>> from unlearnable import load, protect_folder
        >>> load("toy:count=8").save(Path("photos"))  # pictures in class sub-folders
        >>> report = protect_folder("photos", "protected", key="key", budget="linf:8")
        >>> report.summary["protected"], report.summary["linf_max"] <= 8, report.complete
        (8, True, True)
    """
    src, dst = Path(src), Path(dst)
    options = replace(options or ProtectOptions(), **keywords)
    method = _method(options, _device(device, ray), on_stage)
    if ray and isinstance(method, WholeSet):
        raise RefusedError(f"{options.method} looks at all pictures together, on one machine; leave --ray out")
    key_file = Path(key).expanduser() if key is not None else default_key_file()
    _check_places(src, dst, key_file, method)
    listed = listing(src)
    found = listed.files
    _check_originals(src.resolve(), found)
    if not found:
        others = ", ".join(f"{count} of {what}" for what, count in listed.passed_over.items())
        raise RefusedError(f"expected pictures in {src}, found none" + (f", only files: {others}" if others else ""))
    seen_by_all = [src.resolve() / found[0].name, *method.private]
    with locked(dst):
        earlier = _earlier(dst, key_file)
        if on_found:
            on_found(found)
        classed = classify(src, dst, found, options, earlier, _device(device, ray) or best_device(), on_stage)
        found, perturbed = classed.files, method.inspect(src, classed.files)
        with cluster.joined(None if ray is True else ray, dst.resolve(), seen_by_all) if ray else nullcontext():
            classes = _classes(perturbed, earlier.classes if earlier else [], method.capacity)
            owner = Key.open(key_file)
            report = _report(src, owner, options, method, classes, classed)
            report = _begun(report, method, owner, dst, earlier)
            classed.save(dst)
            job = FolderJob(src.resolve(), dst.resolve(), report, method)
            entries = run(job, found, cluster.run if ray else FolderJob.run, on_file)
        entries = _with_visibility(entries, src, job, visibility, on_stage)
        write_manifest(dst, entries)
        report = replace(report.summarised(entries), passed_over=dict(listed.passed_over))
        report.save(dst)
        forget(dst / CHECKPOINT)
    return report


def _device(name: str | None, ray: bool | str) -> torch.device | None:
    """The named device; None for the best one of each machine of a cluster."""
    if ray and name not in (None, "cpu"):
        raise RefusedError(f"expected with --ray no device, so that every actor takes a GPU, or cpu; got {name}")
    return None if ray and name is None else device_named(name)


def _method(options: ProtectOptions, device: torch.device | None, on_stage: OnStage | None) -> Method:
    """The protection, as it works on a folder."""
    protection, size = options.protection(), options.working_size
    if isinstance(protection, DeepHiding):
        return Hiding(protection, size or WORKING_SIZE, device)
    if isinstance(protection, Streaming):
        return OneByOne(options.name, protection, size or WORKING_SIZE)
    if options.platform and size is None:
        raise RefusedError(
            f"{options.method} looks at all pictures together, at one square size: say with --working-size at how many "
            f"px a side, such as 224; --for {options.platform} says at which size they are published"
        )
    return WholeSet(options.name, protection, size, device or best_device(), on_stage)


def _earlier(dst: Path, key_file: Path) -> Report | None:
    """The report of the run to resume."""
    earlier = Report.load(dst) if (dst / REPORT).is_file() else None
    if earlier and not key_file.exists():
        raise RefusedError(f"{dst} holds another run (other key: {key_file} does not exist); name its key")
    return earlier


def _report(
    src: Path, owner: Key, options: ProtectOptions, method: Method, classes: list[str], classed: Classed
) -> Report:
    """What identifies the run."""
    return Report(
        version=__version__,
        method=method.spec,
        weights=method.weights,
        pictures=method.pictures,
        source=hashlib.sha256(str(src.resolve()).encode(errors="surrogateescape")).hexdigest(),
        key=owner.fingerprint,
        options=options.recorded() | method.options | classed.options | {"working_size": method.working_size},
        classes=classes,
        secret_numbers=[],
    )


def _begun(report: Report, method: Method, owner: Key, dst: Path, earlier: Report | None) -> Report:
    """The report with the secrets' numbers, in its place; the method is ready to perturb."""
    if earlier and (differing := report.differences(earlier)):
        known = generation_of(earlier.weights) if report.weights != earlier.weights else None
        resuming = f", or --weights {known} to resume that run" if known else ""
        raise RefusedError(f"{dst} holds another run (other {', '.join(differing)}); name another folder{resuming}")
    taken = earlier.secret_numbers if earlier else []
    report = replace(report, secret_numbers=method.begin(owner, report, dst, taken))
    report.save(dst)
    return report


def _with_visibility(
    entries: Iterable[ManifestEntry], src: Path, job: FolderJob, count: int | None, on_stage: OnStage | None
) -> list[ManifestEntry]:
    """The entries in the order of their files, with what people see of a sample of those that are protected."""
    by_name = {entry.file: entry for entry in sorted(entries, key=lambda entry: entry.file)}
    protected = [entry for entry in by_name.values() if entry.status == "protected"]
    sample = spread_out(protected, len(protected) if count is None else count)
    seen = {name: replace(entry, visibility=None) for name, entry in by_name.items()}
    with ThreadPoolExecutor(2) as pool:
        for done, entry in enumerate(map_ahead(pool, lambda entry: _seen(entry, src, job), sample), 1):
            seen[entry.file] = entry
            if on_stage:
                on_stage("looking", done, len(sample))
    return list(seen.values())


def _seen(entry: ManifestEntry, src: Path, job: FolderJob) -> ManifestEntry:
    """The entry with what people see; an earlier run may have measured the same copy."""
    if entry.visibility:
        return entry
    seen = visibility_of_files(src / entry.file, job.dst / str(entry.output), job.size)
    return replace(entry, visibility=seen)


def _check_places(src: Path, dst: Path, key_file: Path, method: Method) -> None:
    if not src.is_dir():
        raise RefusedError(f"expected a folder of pictures, got {src}")
    if dst.exists() and not dst.is_dir():
        raise RefusedError(f"expected a folder to write to, got the file {dst}")
    source, destination = src.resolve(), dst.resolve()
    if destination.is_relative_to(source) or source.is_relative_to(destination):
        raise RefusedError(f"{src} and {dst} lie one in the other; name a destination outside the source")
    there = list(dst.iterdir()) if dst.is_dir() else []
    strangers = [path for path in there if path.suffix != PARTIAL and not is_clutter(path.name)]
    if strangers and not (dst / REPORT).is_file():
        raise RefusedError(f"{dst} is not empty and holds no earlier run; name a new or empty folder")
    if key_file.is_dir():
        raise RefusedError(f"expected a key file, got the folder {key_file}")
    for private in (key_file, *method.private):
        _check_apart(private, src, dst)


def _check_originals(src: Path, found: list[Found]) -> None:
    """See that none of the pictures is a copy that was protected already."""
    inside = sorted({src / folder for file in found for folder in PurePath(file.name).parents})
    for folder in (*src.parents, *inside):
        if (folder / REPORT).is_file() and (folder / MANIFEST).is_file():
            raise RefusedError(
                f"{folder} holds copies that were protected already; a second time they would be further from the "
                "originals than the budget says: protect the originals"
            )


def _check_apart(private: Path, src: Path, dst: Path) -> None:
    for folder, what in ((dst, "published"), (src, "taken for a picture")):
        if private.resolve().is_relative_to(folder.resolve()):
            raise RefusedError(f"{private} is secret and would be {what} inside {folder}; keep it elsewhere")


def _classes(found: list[Found], earlier: list[str], capacity: int | None) -> list[str]:
    """Class names in the order of their indices; a resumed run keeps its own and appends new ones.

    The class of files in the folder itself comes last: a stray file there must not move the others.
    """
    new = {file.class_name for file in found} - set(earlier)
    names = earlier + sorted(new, key=lambda name: (name == ROOT_CLASS, name))
    if capacity is not None and len(names) > capacity:
        raise RefusedError(f"expected at most {capacity} classes, as many as there are secrets; got {len(names)}")
    return names
