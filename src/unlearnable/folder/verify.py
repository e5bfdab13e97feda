"""Check a protected folder against its originals: everything is computed again from the files alone."""

import hashlib
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from unlearnable.compute.threads import map_ahead
from unlearnable.folder.job import working_shape
from unlearnable.folder.manifest import ManifestEntry, Report, read_manifest
from unlearnable.images.budget import Budget, Pixels
from unlearnable.images.photos import Photo, UnreadablePhotoError, read_limited, read_photo
from unlearnable.images.platforms import PublishedSize, read_published
from unlearnable.images.quality import Quality, measure
from unlearnable.images.scan import REPORT, scan
from unlearnable.images.strength import keeps
from unlearnable.images.transparency import WHOLLY, Seen
from unlearnable.images.visibility import Visibility
from unlearnable.images.visibility import visibility as measure_visibility


@dataclass
class Verification:
    """What was checked and what does not hold.

    Attributes:
        checked: number of protected files recomputed.
        violations: file name to what does not hold, in words.
        visibility: what people see of each protected file; empty unless it was asked for.
    """

    checked: int = 0
    violations: dict[str, list[str]] = field(default_factory=dict)
    visibility: dict[str, Visibility] = field(default_factory=dict)

    def add(self, file: str, violations: list[str]) -> None:
        """Note what does not hold of a file."""
        if violations:
            self.violations.setdefault(file, []).extend(violations)

    @property
    def ok(self) -> bool:
        """Whether everything holds."""
        return not self.violations

    @property
    def most_visible(self) -> list[str]:
        """The files whose change is seen, the worst crop first."""
        return sorted(self.visibility, key=lambda name: self.visibility[name].worst_crop)


def verify_folder(
    dst: str | Path,
    original: str | Path,
    *,
    visibility: bool = False,
    on_file: Callable[[int, int], None] | None = None,
) -> Verification:
    """Recompute every figure of a manifest from the pictures, and look for files that it does not know.

    Args:
        dst: what `protect_folder` wrote.
        original: the source folder.
        visibility: measure what people see of every file, too: a large photo takes seconds.
        on_file: called with (files done, files in all) after every file.

    Raises:
        FileNotFoundError: one is not such a folder.

    Examples:
        >>> from pathlib import Path
        >>> from unlearnable import load, protect_folder, verify_folder
        >>> load("toy:count=8").save(Path("photos"))  # pictures in class sub-folders
        >>> _ = protect_folder("photos", "protected", key="key", method="noise")
        >>> verification = verify_folder("protected", "photos")
        >>> verification.checked, verification.ok, verification.violations
        (8, True, {})
    """
    dst, original = Path(dst), Path(original)
    if not original.is_dir():
        raise FileNotFoundError(f"expected the folder of the originals, got {original}")
    report, entries = Report.load(dst), read_manifest(dst)
    verification = Verification()
    if not report.complete:
        verification.add(REPORT, ["the run has not come to its end; protect again to resume it"])
    elif not report.agrees(report.summarised(entries.values())):
        verification.add(REPORT, ["its summary is not that of the manifest"])
    for file in scan(original):
        if file.name not in entries:
            verification.add(file.name, ["an original that is not in the manifest: it is not protected"])
    known = {entry.output for entry in entries.values()}
    for file in scan(dst):
        if file.name not in known:
            verification.add(file.name, ["a file that is not in the manifest"])
    protected = [entry for entry in entries.values() if entry.status == "protected"]
    with ThreadPoolExecutor(2) as pool:
        checks = map_ahead(pool, lambda entry: _check(entry, dst, original, report, visibility), protected)
        for entry, (violations, seen) in zip(protected, checks, strict=True):
            verification.checked += 1
            verification.add(str(entry.output), violations)
            if seen and visibility:
                verification.visibility[str(entry.output)] = seen
            if on_file:
                on_file(verification.checked, len(protected))
    return verification


def _expected(entry: ManifestEntry, report: Report, height: int, width: int) -> dict[str, Any]:
    """What a manifest must say of a file besides its measures."""
    size = report.options["working_size"]
    working_height, working_width = (size, size) if report.pictures else working_shape(height, width, size)
    shape = {"height": height, "width": width, "working_height": working_height, "working_width": working_width}
    return report.of_file(report.found(entry)) | shape


def _disagreements(computed: dict[str, Any], entry: ManifestEntry) -> list[str]:
    measures = [asdict(measured) for measured in (entry.quality, entry.visibility) if measured]
    stated = asdict(entry) | {name: value for measured in measures for name, value in measured.items()}
    return [
        f"{name} is {value}, the manifest says {stated.get(name)}"
        for name, value in computed.items()
        if not _agree(value, stated.get(name))
    ]


def _agree(value: float | str | None, stated: float | str | None) -> bool:
    """Equal, up to the last digit that a manifest writes: it may round otherwise on another machine."""
    if isinstance(value, float) and isinstance(stated, float):
        return math.isclose(value, stated, abs_tol=2e-3)
    return value == stated


def _check(
    entry: ManifestEntry, dst: Path, original: Path, report: Report, visible: bool
) -> tuple[list[str], Visibility | None]:
    """What does not hold of a file; and what people see of it, where that is asked for or the manifest states it."""
    try:
        before, after = read_limited(original / entry.file), read_limited(dst / str(entry.output))
        photos = read_published(before, PublishedSize.recorded(report.options)), read_photo(after)
    except UnreadablePhotoError as unreadable:
        return [f"missing or unreadable, original or copy: {unreadable}"], None
    found = []
    if hashlib.sha256(before).hexdigest() != entry.sha256_input:
        found.append("the original has changed since it was protected")
    if hashlib.sha256(after).hexdigest() != entry.sha256_output:
        found.append("the protected file has changed since it was written")
    clean, published = (photo.pixels for photo in photos)
    if clean.shape[:2] != published.shape[:2]:
        return [
            *found,
            f"its size is {published.shape[:2]}, not {clean.shape[:2]}, at which the original is published",
        ], None
    if clean.shape != published.shape:  # WebP and JPEG may hold a grey photo as RGB
        clean, published = (photo.rgb for photo in photos)
    shown = Seen.through(photos[0].alpha)
    if not np.array_equal(_alpha(photos[0]), _alpha(photos[1])):
        found.append("its transparency is not the original's")
    quality = measure(clean, published, shown)
    wanted = visible or entry.visibility
    seen = measure_visibility(shown.picture(clean), shown.picture(published)) if wanted else None
    stated_again = asdict(seen) if seen and entry.visibility else {}
    height, width = published.shape[:2]
    sizes = {"bytes_input": len(before), "bytes_output": len(after)} if entry.bytes_output else {}
    computed = asdict(quality) | stated_again | sizes | _expected(entry, report, height, width)
    found += _disagreements(computed, entry)
    if report.options["format"] != "jpeg":
        found += _beyond(report, clean, published, shown, quality, seen)
    return found, seen


def _alpha(photo: Photo) -> UInt8[ndarray, "h w"]:
    """What it is where there is none, too."""
    return np.full(photo.pixels.shape[:2], WHOLLY, np.uint8) if photo.alpha is None else photo.alpha


def _beyond(
    report: Report, clean: Pixels, published: Pixels, shown: Seen, quality: Quality, seen: Visibility | None
) -> list[str]:
    """In what a copy goes beyond budget and strength."""
    found, budget, strength = [], Budget.parse(report.options["budget"]), report.options.get("strength", "full")
    if not budget.holds(shown.values(clean), shown.values(published)):
        found.append(f"outside its budget {budget}: rms {quality.rms}, linf {quality.linf}, l0 {quality.l0}")
    if seen and not keeps(seen, shown.picture(clean), strength):
        found.append(f"more is seen of it than its strength {strength} allows: SSIMULACRA2 {seen.ssimulacra2}")
    return found
