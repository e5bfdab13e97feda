"""The tab Protect: what `unlearnable protect` does, with a row for every file."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from unlearnable.app.choices import has, names_of
from unlearnable.app.form import Form
from unlearnable.app.jobs import Copies, Job, Row
from unlearnable.app.session import Session
from unlearnable.folder.ending import ending
from unlearnable.folder.manifest import ManifestEntry, Report, read_manifest
from unlearnable.folder.options import ProtectOptions
from unlearnable.folder.protect import protect_folder
from unlearnable.images.scan import MANIFEST


def protecting(session: Session, form: Form) -> Callable[[Job], None]:
    """The work that a form asks for.

    Raises:
        ValueError: something is missing in it, or does not fit.
    """
    options = _options(session, form)
    batch = form.text("batch")
    if batch and form.text("source"):
        raise ValueError("files were dropped, and a folder is named, too: clear one of them")
    src = session.dropped(batch) if batch else form.path("source", "the folder of your pictures")
    zipped = form.one_of("copies", ("zip", "folder")) == "zip"
    if zipped:
        asked = json.dumps([str(src), str(session.key), asdict(options)], default=str)
        dst = session.folder / f"copies{hashlib.sha256(asked.encode()).hexdigest()[:16]}"  # the same again resumes
    else:
        dst = form.path("destination", "a folder for the copies")
    copies = Copies(src, dst, session.key, session.weights)
    return partial(_protect, copies=copies, options=options, zipped=zipped)


def _options(session: Session, form: Form) -> ProtectOptions:
    """Of the command, as far as the page has them."""
    chosen: dict[str, Any] = {"strength": form.one_of("strength", names_of("strength")), "weights": session.weights}
    for name in ("format", "platform", "classes"):
        if has(name) and form.text(name):
            chosen[name] = form.one_of(name, names_of(name))
    if has("strip_location"):
        chosen["strip_location"] = form.ticked("strip_location")
    return ProtectOptions(**chosen)


def _protect(job: Job, copies: Copies, options: ProtectOptions, zipped: bool) -> None:
    job.copies, job.zipped = copies, zipped
    told = _Told(copies.dst, job)
    begun = job.at

    def on_file(done: int, total: int) -> None:
        told.look()
        begun("protecting", done, total)

    job.at("looking at your pictures, and choosing what is hidden in them", 0, None)
    report = protect_folder(
        copies.src, copies.dst, options, key=copies.key, on_file=on_file, on_stage=lambda *now: begun(*now)
    )
    for entry in read_manifest(copies.dst).values():
        job.row(_row(entry))
    job.sentences += _sentences(report, copies, zipped)


class _Told:
    """Tells of every file as the manifest that is being written does."""

    def __init__(self, dst: Path, job: Job) -> None:
        self.file, self.job, self.read = dst / MANIFEST, job, 0

    def look(self) -> None:
        """Tell of what has come since."""
        with self.file.open("rb") as manifest:
            manifest.seek(self.read)
            lines = manifest.read()
        whole = lines[: lines.rfind(b"\n") + 1]
        self.read += len(whole)
        for line in whole.splitlines():
            self.job.row(_row(ManifestEntry.from_line(line.decode())))


def _row(entry: ManifestEntry) -> Row:
    return Row(entry.file, entry.status, entry.reason or "; ".join(entry.notes))


def _sentences(report: Report, copies: Copies, zipped: bool) -> list[str]:
    """What came out, where it is, and what to keep."""
    if not report.summary["protected"]:
        return [f"No picture could be read: {report.summary['skipped']:,} were left out, each with its reason below."]
    told = [f"{line}." for line in ending(report, "the zip below" if zipped else str(copies.dst), copies.key)]
    if zipped:
        told.append("The copies are gone when this page is closed: download them first.")
    else:
        told.append("Keep report.json and manifest.jsonl, which lie beside the copies: later checks need them.")
    told.append("Publish the copies, and not the originals: who has clean copies learns from them.")
    return told
