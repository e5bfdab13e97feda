"""What protection did to a few pictures, one row each, and the figures beside it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from unlearnable.folder.job import working_picture
from unlearnable.folder.manifest import ManifestEntry, Report, read_manifest
from unlearnable.folder.reveal import claimed_secrets
from unlearnable.hiding.inference import prepare, reveal_secret, weights_recorded
from unlearnable.hiding.network import Hider
from unlearnable.images.photos import Photo, read_limited, read_photo
from unlearnable.images.platforms import PublishedSize, read_published
from unlearnable.images.quality import GAIN, magnified
from unlearnable.images.visibility import in_words, visibility_of_files
from unlearnable.keys import Key
from unlearnable.semantics.reading import read_drawing
from unlearnable.semantics.secrets import RENDER, Secrets

COLUMNS = ("original", "protected", f"difference x{GAIN}", "hidden", "revealed", "read in it")


@dataclass(frozen=True)
class Hidden:
    """What was hidden in the pictures of a folder, and the network that reveals it, for use."""

    secrets: Secrets
    hider: Hider

    def taken(self, published: Photo, working_size: int) -> UInt8[ndarray, "3 h w"]:
        """What the network takes out of a copy, at its working size."""
        return reveal_secret(self.hider, working_picture(published, working_size))

    def read(self, taken: UInt8[ndarray, "3 h w"]) -> UInt8[ndarray, "3 h w"] | None:
        """The drawing in what was taken out; None of pictures of a bank, and of small ones."""
        drawing = read_drawing(taken, clarity=1) if self.secrets.readable else None
        return drawing.picture() if drawing else None


def side_by_side(
    src: str | Path,
    dst: str | Path,
    key: str | Path,
    out: str | Path,
    *,
    files: Sequence[str] | None = None,
    secrets: str | Path = RENDER,
    weights: str | Path | None = None,
) -> None:
    """Draw original, protected, their difference x8, and where secrets are hidden the hidden and the revealed picture.

    Where they are drawings, the one that is read in the revealed picture stands beside it, of copies of 64 px and more.

    Args:
        src: a source folder.
        dst: what `protect_folder` made of it.
        key: the key file that it used.
        out: picture to write.
        files: which files of ``src``; the first of each of up to five classes when None.
        secrets: those that it used: ``render``, or the folder of the bank.
        weights: those that it used; those of the report, where they ship, when None.

    Raises:
        ValueError: key, secrets or weights are not those that it used.
    """
    from matplotlib.figure import Figure

    src, dst = Path(src), Path(dst)
    entries = {name: entry for name, entry in read_manifest(dst).items() if entry.status == "protected"}
    selected = [entries[name] for name in files] if files is not None else _one_a_class(entries.values())
    report = Report.load(dst)
    size = PublishedSize.recorded(report.options)
    working_size = report.options["working_size"]
    hidden = hidden_in(report, key, secrets, weights) if report.hides else None
    columns = COLUMNS[: 3 if not hidden else 6 if hidden.secrets.readable else 5]
    figure = Figure(figsize=(2.6 * len(columns), 2.5 * len(selected)), layout="constrained")
    for row, entry in zip(figure.subplots(len(selected), len(columns), squeeze=False), selected, strict=True):
        pictures = _row(entry, src, dst, hidden, working_size, size)
        seen = visibility_of_files(src / entry.file, dst / str(entry.output), size)
        for axes in row[len(pictures) :]:
            axes.set_axis_off()
        for axes, title, picture in zip(row, columns, pictures, strict=False):
            axes.imshow(picture)
            axes.set(xticks=[], yticks=[], title=title)
        if quality := entry.quality:
            psnr = "PSNR inf" if quality.psnr is None else f"PSNR {quality.psnr:.2f} dB"
            label = f"RMS {quality.rms:.2f}   L-inf {quality.linf}\n{psnr}   SSIM {quality.ssim:.3f}"
            row[1].set_xlabel(label, fontsize=8)
        if seen:
            label = f"SSIMULACRA2 {seen.ssimulacra2:.1f}   FLIP {seen.flip:.3f}\nat 100 % {seen.worst_crop:.1f}"
            row[2].set_xlabel(f"{label}: {in_words(seen.worst_crop)}", fontsize=8)
        row[0].set_xlabel(f"{entry.file}\n{entry.width} x {entry.height} px", fontsize=8)
    figure.savefig(out, dpi=110)


def quality_table(dst: str | Path) -> str:
    """The budget and quality of every class of a protected folder, as a Markdown table."""
    rows: dict[str, list[ManifestEntry]] = {}
    for entry in read_manifest(Path(dst)).values():
        if entry.quality:
            rows.setdefault(str(entry.class_name), []).append(entry)
    lines = [
        "| class | files | RMS mean | RMS max | L-inf max | PSNR min | SSIM mean | SSIM min |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, members in sorted(rows.items()):
        qualities = [entry.quality for entry in members if entry.quality]
        rms, ssims = [quality.rms for quality in qualities], [quality.ssim for quality in qualities]
        lowest = min((quality.psnr for quality in qualities if quality.psnr is not None), default=float("inf"))
        lines.append(
            f"| {name} | {len(members)} | {np.mean(rms):.2f} | {max(rms):.2f} "
            f"| {max(quality.linf for quality in qualities)} "
            f"| {lowest:.2f} | {np.mean(ssims):.3f} | {min(ssims):.3f} |"
        )
    return "\n".join(lines) + "\n"


def _one_a_class(entries: Iterable[ManifestEntry]) -> list[ManifestEntry]:
    first: dict[str | None, ManifestEntry] = {}
    for entry in entries:
        first.setdefault(entry.class_name, entry)
    return list(first.values())[:5]


def hidden_in(report: Report, key: str | Path, secrets: str | Path, weights: str | Path | None) -> Hidden:
    """What the run of a report hid.

    Raises:
        ValueError: key, secrets or weights are not those of the run.
    """
    if (given := Key.read(key).fingerprint) != report.key:
        raise ValueError(f"expected the key {report.key}, as the report says, got {given}; name its file")
    hider = Hider.load(weights_recorded(report.weights, weights))
    return Hidden(claimed_secrets(key, secrets, hider, report.options["secrets"]), prepare(hider))


def _row(
    entry: ManifestEntry, src: Path, dst: Path, hidden: Hidden | None, working_size: int, size: PublishedSize | None
) -> list[UInt8[ndarray, "_ _ 3"]]:
    original = read_published(read_limited(src / entry.file), size)
    published = read_photo(read_limited(dst / str(entry.output)))
    before, after = working_picture(original, working_size), working_picture(published, working_size)
    pictures = [before, after, magnified(before, after)]
    if hidden:
        number, variation = int(entry.secret_number or 0), int(entry.variation or 0)
        index = hidden.secrets.index(variation, entry.file)
        pictures.append(hidden.secrets.draw(number, index, *before.shape[1:]))
        taken = hidden.taken(published, working_size)
        read = hidden.read(taken)
        pictures += [taken] if read is None else [taken, read]
    return [picture.transpose(1, 2, 0) for picture in pictures]
