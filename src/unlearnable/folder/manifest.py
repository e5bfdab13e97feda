"""What a run leaves beside the pictures: one line a file (``manifest.jsonl``) and a summary (``report.json``).

Both are plain JSON that needs no tool of ours to check; `docs/manifest.md` defines every field.
"""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from unlearnable.images.budget import Budget
from unlearnable.images.quality import Quality
from unlearnable.images.scan import MANIFEST, REPORT, Found
from unlearnable.images.visibility import Visibility, VisibilitySummary
from unlearnable.options import Per
from unlearnable.storage.atomic import replacing, write
from unlearnable.storage.decode import check_inside, decode, expecting, from_json

HIDING = "deep_hiding"


@dataclass(frozen=True)
class ManifestEntry:
    """One file of the source folder.

    Attributes:
        file: its path below the source; ``output`` its copy's below the destination.
        status: ``protected`` or ``skipped``, then with a ``reason``.
        sha256_input, sha256_output: of the two files; ``bytes_input``, ``bytes_output`` their sizes.
        class_name, class_index: its class.
        secret_number: of the secret that serves the class, where one is hidden.
        variation: of it that the file carries; or by which another protection draws what differs from file to file.
        width, height: of the copy, in pixels; ``working_width`` and ``working_height`` of the picture that was
            perturbed.
        limit: what kept the copy from a stronger change: the ``budget``, or what would be seen of it on a ``screen`` or
            in a ``crop`` at 100 %. None where all of the budget was to be spent.
        quality: measured on the copy as written, against the original as decoded.
        visibility: the same, of the files of a sample where it was asked for.
        notes: what decoding had to change.
    """

    file: str
    status: str
    reason: str | None = None
    output: str | None = None
    sha256_input: str | None = None
    sha256_output: str | None = None
    bytes_input: int | None = None
    bytes_output: int | None = None
    class_name: str | None = None
    class_index: int | None = None
    secret_number: int | None = None
    variation: int | None = None
    width: int | None = None
    height: int | None = None
    working_width: int | None = None
    working_height: int | None = None
    limit: str | None = None
    quality: Quality | None = None
    visibility: Visibility | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def skipped(cls, file: str, reason: str) -> "ManifestEntry":
        """A file that was left out, and why."""
        return cls(file, "skipped", reason)

    def to_line(self) -> str:
        """One line of JSON, ASCII, with ``quality`` and ``visibility`` unfolded."""
        fields = asdict(self)
        measures = (fields.pop("quality") or {}) | (fields.pop("visibility") or {})
        given = {name: value for name, value in (fields | measures).items() if value not in (None, ())}
        if self.status == "protected":
            given.setdefault("secret_number", None)  # null says that nothing is hidden
        return json.dumps(given)

    @classmethod
    def from_line(cls, line: str) -> "ManifestEntry":
        """Read what `to_line` wrote; a path that leaves its folder is refused."""
        fields = from_json(line, dict)
        if fields.get("status") == "protected":
            measures = ("linf", "rms", "psnr", "ssim", "l0")
            fields["quality"] = {"psnr": None} | {name: fields.pop(name) for name in measures if name in fields}
            seen = ("ssimulacra2", "worst_crop", "flip")
            fields["visibility"] = {name: fields.pop(name) for name in seen if name in fields} or None
        entry: ManifestEntry = decode(fields, cls)
        check_inside(entry.file)
        check_inside(entry.output or "")
        return entry


@dataclass(frozen=True)
class Report:
    """The summary of a run, and what identifies it.

    Attributes:
        version: of this package.
        method: the protection, with all its parameters; those of ``deep_hiding`` are among the ``options``.
        weights: SHA-256 of the network's weights, or of the files that another protection needs; empty without.
        pictures: names the set of pictures, where the protection looks at all of them together; else empty.
        source: SHA-256 of the source folder's path: it names the run without giving the path away.
        key: the key's fingerprint.
        options: those that decide the pictures.
        classes: names, in the order of their indices.
        secret_numbers: of the secret that serves each class, in the same order; none where nothing is hidden.
        complete: whether the run has reached its end.
        summary: counts and statistics; see `summarised`.
        skipped: pictures left out, with the reason.
        passed_over: what else the source holds, in words, and how many files of it.
    """

    version: str
    method: str
    weights: str
    pictures: str
    source: str
    key: str
    options: dict[str, Any]
    classes: list[str]
    secret_numbers: list[int]
    complete: bool = False
    summary: dict[str, Any] = field(default_factory=dict)
    skipped: list[dict[str, str]] = field(default_factory=list)
    passed_over: dict[str, int] = field(default_factory=dict)

    @property
    def hides(self) -> bool:
        """Whether there is a secret in every picture."""
        return self.method == HIDING

    def found(self, entry: ManifestEntry) -> Found:
        """The file of an entry, whose class the entry says where the folders do not."""
        return Found(entry.file, group=entry.class_name if "classes" in self.options else None)

    def of_file(self, file: Found) -> dict[str, Any]:
        """Class, secret and variation of a file, as they follow from its class and name; None for what there is not."""
        name, class_name = file.name, file.class_name
        label = self.classes.index(class_name) if class_name in self.classes else None
        return {
            "class_name": class_name,
            "class_index": label,
            "secret_number": self.secret_numbers[label] if self.hides and label is not None else None,
            "variation": None if self.pictures else variation_of(name, self.options.get("per", "sample")),
        }

    def save(self, folder: Path) -> None:
        """Write ``report.json`` atomically."""
        write(folder / REPORT, json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> "Report":
        """Read ``report.json``.

        Raises:
            FileNotFoundError: there is none, so ``folder`` is not the destination of a run.
            ValueError: it is not one of ours.
        """
        file = folder / REPORT
        if not file.is_file():
            raise FileNotFoundError(f"expected {REPORT} in {folder}: is it a folder that `unlearnable protect` wrote?")
        with expecting("a report of `unlearnable protect`", file):
            report: Report = from_json(file.read_text(), cls)
            expected = len(report.classes) if report.hides else 0
            if not expected == len(report.secret_numbers) == len(set(report.secret_numbers)):
                raise ValueError("expected one secret number for each class, no two alike")
            return report

    def differences(self, other: "Report") -> list[str]:
        """In what another run differs, in words; versions may differ, of hidden secrets also classes and numbers."""
        if self.method != other.method:
            return [f"method: {self.method} instead of {other.method}"]
        names = ["source", "key", "weights", "pictures", *([] if self.hides else ["classes"])]
        found = [name for name in names if getattr(self, name) != getattr(other, name)]
        options = {name: (self.options.get(name), other.options.get(name)) for name in self.options | other.options}
        return found + [f"{name}: {ours} instead of {its}" for name, (ours, its) in options.items() if ours != its]

    def agrees(self, again: "Report") -> bool:
        """Whether a summary made again is this one, as far as this one says: an earlier version said less."""
        said = {name: again.summary.get(name) for name in {*self.summary, "protected", "skipped"}}
        return (said, again.skipped) == (self.summary, self.skipped)

    def summarised(self, entries: Iterable[ManifestEntry]) -> "Report":
        """This report, complete, with ``summary`` and ``skipped`` of all entries."""
        entries = sorted(entries, key=lambda entry: entry.file)
        qualities = [entry.quality for entry in entries if entry.quality]
        skipped = [{"file": e.file, "reason": e.reason or ""} for e in entries if e.status == "skipped"]
        summary: dict[str, Any] = {"protected": len(qualities), "skipped": len(skipped)}
        if qualities:
            budget = Budget.parse(self.options["budget"])
            summary |= {
                "over_budget": sum(quality.exceeds(budget) for quality in qualities),
                "linf_max": max(q.linf for q in qualities),
                "rms": _spread(q.rms for q in qualities),
                "psnr": _spread(q.psnr for q in qualities if q.psnr is not None),
                "ssim": _spread(q.ssim for q in qualities),
            }
            sizes = [(e.bytes_input, e.bytes_output) for e in entries if e.bytes_input and e.bytes_output]
            if sizes:
                summary["bytes_input"], summary["bytes_output"] = map(sum, zip(*sizes, strict=True))
            if limits := Counter(entry.limit for entry in entries if entry.limit):
                summary["limits"] = dict(sorted(limits.items()))
            classes = Counter(entry.class_name for entry in entries if entry.quality)
            summary["classes"] = {name: classes[name] for name in self.classes if name in classes}
            if notes := Counter(note for entry in entries for note in entry.notes):
                summary["notes"] = dict(notes.most_common())
            visible = [(entry.visibility, entry.output) for entry in entries if entry.visibility]
            if seen := VisibilitySummary.of([visibility for visibility, _ in visible]):
                summary["visibility"] = asdict(seen)
                summary["most_visible"] = min(visible, key=lambda one: one[0].worst_crop)[1]
            if budget.norm == "l0":
                summary["l0_max"] = max((q.l0 for q in qualities if q.l0 is not None), default=None)
        return replace(self, complete=True, summary=summary, skipped=skipped)


def read_manifest(folder: Path) -> dict[str, ManifestEntry]:
    """The last entry of every file; a torn last line (of a killed run) is passed over.

    Raises:
        ValueError: another line is not one of ours.
    """
    file = folder / MANIFEST
    if not file.is_file():
        return {}
    with expecting("a manifest of `unlearnable protect`", file), file.open() as lines:
        complete = (line for line in lines if line.endswith("\n"))  # what follows the last newline was being written
        return {entry.file: entry for entry in map(ManifestEntry.from_line, complete)}


def write_manifest(folder: Path, entries: Iterable[ManifestEntry]) -> None:
    """Write a whole manifest, sorted by file, atomically."""
    with replacing(folder / MANIFEST) as temporary, temporary.open("w") as lines:
        lines.writelines(entry.to_line() + "\n" for entry in sorted(entries, key=lambda entry: entry.file))


def variation_of(name: str, per: Per) -> int:
    """The variation of its class's secret that a file gets: 0, or in the sample-wise setting from its name alone."""
    if per == "class":
        return 0
    return int.from_bytes(hashlib.sha256(name.encode(errors="surrogateescape")).digest()[:4], "big")


def _spread(values: Iterable[float]) -> dict[str, float]:
    listed = list(values)
    if not listed:
        return {}
    return {"min": min(listed), "mean": round(math.fsum(listed) / len(listed), 4), "max": max(listed)}
