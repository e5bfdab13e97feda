"""Protect a folder: check that the job may begin, run it or resume it, and sum it up."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from unlearnable.atomic import PARTIAL
from unlearnable.budget import Budget
from unlearnable.choices import Deal, Format, Per
from unlearnable.devices import device_named
from unlearnable.folder.deal import dealt
from unlearnable.folder.job import Job
from unlearnable.folder.manifest import REPORT, Report, write_manifest
from unlearnable.folder.scan import ROOT_CLASS, Found, scan
from unlearnable.hiding.inference import prepare, shipped_weights
from unlearnable.hiding.network import MIN_SIDE, WEIGHTS, Hider, weights_folder
from unlearnable.keys import KEY_BYTES, Key, default_key_file
from unlearnable.semantics.secrets import RENDER, secrets_named
from unlearnable.version import __version__


class RefusedError(ValueError):
    """The job cannot begin; nothing has been written."""


def protect_folder(
    src: str | Path,
    dst: str | Path,
    *,
    key: str | Path | None = None,
    budget: str = "rms:8",
    per: Per = "class",
    secrets: str | Path = RENDER,
    deal: Deal = "contrary",
    working_size: int = 512,
    format: Format = "png",
    quality: int = 90,
    metadata: bool = True,
    weights: str | Path | None = None,
    device: str | None = None,
    on_file: Callable[[int, int], None] | None = None,
) -> Report:
    """Write a protected copy of every picture below ``src`` to ``dst``, with a manifest and a report.

    Args:
        src: class sub-folders, or pictures of one class. Never changed.
        dst: a new or empty folder, or that of the same job, which then resumes.
        key: the owner's key file, made on first use; one in the user's own settings when None.
        budget: ``rms:8`` (the paper's) or ``linf:8``, any radius; kept by the rounded 8-bit file.
        per: ``class`` hides one secret in all pictures of a class, ``sample`` a variation of it in each.
        secrets: ``render`` draws them from the key; or the folder of a bank, from which the key chooses.
        deal: ``contrary`` gives every class a secret that its pictures resemble least, looking at up to 32 of each;
            ``order`` gives the n-th class the n-th secret.
        working_size: longest side, in pixels, of the picture in which the secret is hidden; the perturbation
            is enlarged to the full size.
        format: ``png`` and ``webp`` are lossless; ``jpeg`` alters the picture after the budget was enforced.
        quality: of JPEG, 1 to 100.
        metadata: ask, in the file's XMP, not to be mined for training.
        weights: folder or hub id of a `Hider`; those that ship when None.
        device: torch device; CUDA where there is one when None.
        on_file: called with (files done, files in all) after every file.

    Raises:
        RefusedError: source or destination will not do; nothing has been written.
        ValueError, FileNotFoundError: the same of a bank, weights or a device.
    """
    src, dst = Path(src), Path(dst)
    options = _options(Budget.parse(budget), per, deal, working_size, format, quality, metadata)
    # A new key is made when all checks are passed.
    unkeyed = secrets_named(secrets, Key(bytes(KEY_BYTES)))
    options["secrets"] = unkeyed.fingerprint
    _check_places(src, dst)
    key_file = Path(key) if key is not None else default_key_file()
    if key_file.is_dir():
        raise RefusedError(f"expected a key file, got the folder {key_file}")
    for private in [key_file, Path(secrets)] if secrets != RENDER else [key_file]:
        _check_apart(private, src, dst)
    found = scan(src)
    if not found:
        raise RefusedError(f"expected pictures in {src}, found no file")
    folder = weights_folder(weights or shipped_weights())
    hider = prepare(Hider.load(folder), device_named(device))
    earlier = Report.load(dst) if (dst / REPORT).is_file() else None
    if earlier and not key_file.exists():
        raise RefusedError(f"{dst} holds another run (other key: {key_file} does not exist); name its key")
    classes = _classes(found, earlier.classes if earlier else [], unkeyed.capacity)
    owner = Key.open(key_file)
    report = Report(
        version=__version__,
        weights=hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest(),
        source=hashlib.sha256(str(src.resolve()).encode(errors="surrogateescape")).hexdigest(),
        key=owner.fingerprint,
        options=options,
        classes=classes,
        secret_numbers=[],
    )
    if earlier and (differing := report.differences(earlier)):
        raise RefusedError(f"{dst} holds another run (other {', '.join(differing)}); name another folder")
    owned, kept = unkeyed.with_key(owner), earlier.secret_numbers if earlier else []
    report = replace(report, secret_numbers=dealt(deal, src, found, classes, kept, owned, working_size))
    dst.mkdir(parents=True, exist_ok=True)
    report.save(dst)
    entries = Job(src, dst, owned, report).run(found, hider, on_file)
    write_manifest(dst, entries)
    report = report.summarised(entries)
    report.save(dst)
    return report


def _options(
    budget: Budget, per: Per, deal: Deal, working_size: int, format: Format, quality: int, metadata: bool
) -> dict[str, Any]:
    """The options that decide the pictures, checked, as the report keeps them."""
    if per not in get_args(Per) or format not in get_args(Format):
        raise RefusedError(f"expected per class or sample, and format png, webp or jpeg; got {per} and {format}")
    if deal not in get_args(Deal):
        raise RefusedError(f"expected to deal contrary or in order, got {deal}")
    if working_size < MIN_SIDE:
        raise RefusedError(f"expected a working size of at least {MIN_SIDE} px, got {working_size}")
    if not 1 <= quality <= 100:
        raise RefusedError(f"expected a JPEG quality from 1 to 100, got {quality}")
    options = {"budget": str(budget), "per": per, "deal": deal, "working_size": working_size, "format": format}
    return options | {"metadata": metadata} | ({"quality": quality} if format == "jpeg" else {})


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


def _classes(found: list[Found], earlier: list[str], capacity: int) -> list[str]:
    """Class names in the order of their indices; a resumed run keeps its own and appends new ones.

    The class of files in the folder itself comes last: a stray file there must not move the others.
    """
    new = {file.class_name for file in found if not file.refused} - set(earlier)
    names = earlier + sorted(new, key=lambda name: (name == ROOT_CLASS, name))
    if len(names) > capacity:
        raise RefusedError(f"expected at most {capacity} classes, as many as there are secrets; got {len(names)}")
    return names
