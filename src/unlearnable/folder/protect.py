"""Protect a folder: check that the job may begin, run it or resume it, and sum it up."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import torch

from unlearnable.compute.devices import best_device, device_named
from unlearnable.folder import ray as cluster
from unlearnable.folder.job import FolderJob, run
from unlearnable.folder.manifest import HIDING, Report, write_manifest
from unlearnable.folder.methods import WORKING_SIZE, Hiding, Method, OneByOne, OnStage, RefusedError
from unlearnable.folder.whole_set import WholeSet
from unlearnable.hiding.network import MIN_SIDE
from unlearnable.images.budget import Budget
from unlearnable.images.scan import CHECKPOINT, REPORT, ROOT_CLASS, Found, scan
from unlearnable.keys import Key, default_key_file
from unlearnable.options import Assignment, Format, Per
from unlearnable.protections import Protection, protection_named, protections
from unlearnable.protections.base import Streaming
from unlearnable.protections.deep_hiding import DeepHiding
from unlearnable.storage.atomic import PARTIAL
from unlearnable.storage.checkpoint import forget
from unlearnable.storage.provenance import __version__


def protect_folder(
    src: str | Path,
    dst: str | Path,
    *,
    method: str = HIDING,
    key: str | Path | None = None,
    budget: str | None = None,
    per: Per | None = None,
    secrets: str | Path | None = None,
    deal: Assignment | None = None,
    working_size: int | None = None,
    format: Format = "png",
    quality: int = 90,
    metadata: bool = True,
    weights: str | Path | None = None,
    device: str | None = None,
    ray: bool | str = False,
    on_file: Callable[[int, int], None] | None = None,
    on_stage: OnStage | None = None,
) -> Report:
    """Write a protected copy of every picture below ``src`` to ``dst``, with a manifest and a report.

    A method that works picture by picture streams. One that looks at the whole set reads it at the working size first,
    and an optimisation that is killed resumes. Its seed comes from the key.

    Args:
        src: class sub-folders, or pictures of one class. Never changed.
        dst: a new or empty folder, or that of the same job, which then resumes.
        method: a protection, ``name`` or ``name:parameter=value,parameter=value``.
        key: the owner's key file, made on first use; one in the user's own settings when None.
        budget: ``rms:8`` or ``linf:8`` in grey levels, any radius, or ``l0:1`` in pixels; kept by the rounded 8-bit
            file. The method's own when None.
        per: of ``deep_hiding``, as are ``secrets``, ``deal`` and ``weights``: ``class`` hides one secret in all
            pictures of a class (the default), ``sample`` a variation of it in each.
        secrets: ``render`` draws them from the key (the default); or the folder of a bank, from which the key chooses.
        deal: ``contrary`` gives every class a secret that its pictures resemble least, looking at up to 32 of each
            (the default); ``order`` gives the n-th class the n-th secret.
        working_size: longest side, in pixels, of the picture that is perturbed; the perturbation is enlarged to the
            full size. 512 when None. A method that looks at the whole set stretches all pictures to squares of this
            side; when None it is that of the pictures, which must be squares of one size.
        format: ``png`` and ``webp`` are lossless; ``jpeg`` alters the picture after the budget was enforced.
        quality: of JPEG, 1 to 100.
        metadata: ask, in the file's XMP, not to be mined for training.
        weights: folder or hub id of a `Hider`; those that ship when None.
        device: torch device of the network that hides, or of an optimisation; CUDA where there is one when None.
        ray: let a Ray cluster do it: that of this address; when True that of ``RAY_ADDRESS``, else one of this
            machine alone (`folder.cluster`). All its nodes must see both folders.
        on_file: called with (files done, files in all) after every file.
        on_stage: called with what is done (``reading`` or ``optimising``), files or steps done, and how many there are
            at most, while a method looks at the whole set.

    Raises:
        RefusedError: source, destination or options will not do; nothing has been written.
        ValueError, FileNotFoundError: the same of a method, a bank, weights or a device.
        DivergedError: an optimisation failed.
    """
    src, dst = Path(src), Path(dst)
    own = {"per": per, "secrets": secrets, "deal": deal, "weights": weights}
    protection = _protection(method, budget, {name: str(value) for name, value in own.items() if value is not None})
    options = _options(protection, working_size, format, quality, metadata)
    chosen = _method(method.partition(":")[0], protection, working_size, _device(device, ray), on_stage)
    if ray and isinstance(chosen, WholeSet):
        raise RefusedError(f"{method} looks at all pictures together, on one machine; leave --ray out")
    _check_places(src, dst)
    key_file = Path(key) if key is not None else default_key_file()
    if key_file.is_dir():
        raise RefusedError(f"expected a key file, got the folder {key_file}")
    for private in (key_file, *chosen.private):
        _check_apart(private, src, dst)
    found = scan(src)
    if not found:
        raise RefusedError(f"expected pictures in {src}, found no file")
    perturbed = chosen.look(src, found)
    earlier = Report.load(dst) if (dst / REPORT).is_file() else None
    if earlier and not key_file.exists():
        raise RefusedError(f"{dst} holds another run (other key: {key_file} does not exist); name its key")
    if ray:
        address = ray if isinstance(ray, str) else None
        cluster.join(address, dst.resolve(), [src.resolve() / found[0].name, *chosen.private])
    classes = _classes(perturbed, earlier.classes if earlier else [], chosen.capacity)
    owner = Key.open(key_file)
    report = Report(
        version=__version__,
        method=chosen.spec,
        weights=chosen.weights,
        pictures=chosen.pictures,
        source=hashlib.sha256(str(src.resolve()).encode(errors="surrogateescape")).hexdigest(),
        key=owner.fingerprint,
        options=options | chosen.options | {"working_size": chosen.working_size},
        classes=classes,
        secret_numbers=[],
    )
    if earlier and (differing := report.differences(earlier)):
        raise RefusedError(f"{dst} holds another run (other {', '.join(differing)}); name another folder")

    def start() -> None:
        dst.mkdir(parents=True, exist_ok=True)
        report.save(dst)

    numbers = chosen.begin(owner, report, dst, earlier.secret_numbers if earlier else [], start)
    report = replace(report, secret_numbers=numbers)
    start()
    entries = run(
        FolderJob(src.resolve(), dst.resolve(), report, chosen), found, cluster.run if ray else FolderJob.run, on_file
    )
    write_manifest(dst, entries)
    report = report.summarised(entries)
    report.save(dst)
    forget(dst / CHECKPOINT)
    return report


def _protection(method: str, budget: str | None, own: dict[str, str]) -> Protection:
    """The named protection under a budget; ``own`` options are those of deep hiding."""
    protection: Any = protection_named(method)
    if own and not isinstance(protection, DeepHiding):
        name = method.partition(":")[0]
        raise RefusedError(
            f"{', '.join(own)}: an option of {HIDING} alone; {name} has the parameters "
            f"{', '.join(protections.parameters(name))}, as in {name}:budget={protection.budget}"
        )
    chosen: Protection = replace(protection, **own, budget=str(Budget.parse(budget or protection.budget)))
    return chosen


def _device(name: str | None, ray: bool | str) -> torch.device | None:
    """The named device; None for the best one of each machine of a cluster."""
    if ray and name not in (None, "cpu"):
        raise RefusedError(f"expected with --ray no device, so that every actor takes a GPU, or cpu; got {name}")
    return None if ray and name is None else device_named(name)


def _method(
    name: str, protection: Protection, working_size: int | None, device: torch.device | None, on_stage: OnStage | None
) -> Method:
    """The protection, as it works on a folder."""
    if isinstance(protection, DeepHiding):
        return Hiding(protection, working_size or WORKING_SIZE, device)
    if isinstance(protection, Streaming):
        return OneByOne(name, protection, working_size or WORKING_SIZE)
    return WholeSet(name, protection, working_size, device or best_device(), on_stage)


def _options(
    protection: Protection, working_size: int | None, format: Format, quality: int, metadata: bool
) -> dict[str, Any]:
    """The options that decide the pictures, whatever the method, checked, as the report keeps them."""
    if format not in get_args(Format):
        raise RefusedError(f"expected the format png, webp or jpeg, got {format}")
    if working_size is not None and working_size < MIN_SIDE:
        raise RefusedError(f"expected a working size of at least {MIN_SIDE} px, got {working_size}")
    if not 1 <= quality <= 100:
        raise RefusedError(f"expected a JPEG quality from 1 to 100, got {quality}")
    options = {"budget": protection.budget, "format": format, "metadata": metadata}
    return options | ({"quality": quality} if format == "jpeg" else {})


def _check_places(src: Path, dst: Path) -> None:
    if not src.is_dir():
        raise RefusedError(f"expected a folder of pictures, got {src}")
    if dst.exists() and not dst.is_dir():
        raise RefusedError(f"expected a folder to write to, got the file {dst}")
    source, destination = src.resolve(), dst.resolve()
    if destination.is_relative_to(source) or source.is_relative_to(destination):
        raise RefusedError(f"{src} and {dst} lie one in the other; name a destination outside the source")
    strangers = (path for path in dst.iterdir() if path.suffix != PARTIAL) if dst.is_dir() else ()
    if any(strangers) and not (dst / REPORT).is_file():
        raise RefusedError(f"{dst} is not empty and holds no earlier run; name a new or empty folder")


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
