"""What the owner of a protected folder is told: how many, what was left out, what is seen, how large, the key."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from unlearnable.folder.manifest import Report
from unlearnable.images.scan import REPORT, ROOT_CLASS
from unlearnable.images.visibility import in_words

LISTED = 12  # classes, or reasons
PARTS = {"train", "training", "val", "valid", "validation", "dev", "test", "testing", "eval", "holdout"}


def ending(report: Report, where: str, key_file: Path) -> list[str]:
    """A sentence or two on each, for somebody who reads no more than that.

    Args:
        report: of the run that has come to its end.
        where: the copies are, in words.
        key_file: the owner's key.
    """
    summary = report.summary
    lines = [f"{_files(summary['protected'], 'picture')} protected, in {where}{_classes(report)}"]
    if left_out := "; ".join(_left_out(report)):
        lines.append(left_out)
    if summary["protected"]:
        lines += [_seen(summary) + _weak(report), *_size(summary, report.options["format"])]
    if report.hides:
        lines.append(f"Your key, {report.key}, is {key_file}: keep it, it alone shows that what is hidden is yours")
    else:
        lines.append(f"Nothing is hidden in them: method {report.method}, drawn from your key {report.key}, {key_file}")
    return lines


def looks_split(classes: Sequence[str]) -> bool:
    """Whether the classes are named as parts of a data set are."""
    return len(classes) > 1 and all(name.lower() in PARTS for name in classes)


def size_in_words(count: int) -> str:
    """Bytes, as people say it."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"


def _classes(report: Report) -> str:
    """Their names and how many pictures each has, and a word of warning if they look like something else."""
    counts: dict[str, int] = report.summary.get("classes", {})
    if seen_by := report.options.get("seen_by"):
        return f", in {len(counts)} groups by what they show (seen by {seen_by}); the manifest says which is in which"
    if list(counts) == [ROOT_CLASS]:
        return ", as one class"
    named = [f"{'the folder itself' if name == ROOT_CLASS else name} ({count})" for name, count in counts.items()]
    text = f"; classes: {_listed(named)}" if named else ""
    if looks_split(list(counts)):
        text += ". These look like parts of a data set, not classes: if so, protect each part on its own"
    return text


def _left_out(report: Report) -> Iterator[str]:
    """Pictures without a copy and what else there was, counted by reason."""
    if report.skipped:
        reasons = Counter(file["reason"] for file in report.skipped)
        counted = [f"{reason} ({count})" for reason, count in reasons.most_common()]
        yield f"{_files(len(report.skipped), 'picture')} left out, named in {REPORT}: {_listed(counted, '; ')}"
    if notes := report.summary.get("notes"):
        yield f"noted of copies: {_listed([f'{note} ({count})' for note, count in notes.items()], '; ')}"
    if report.passed_over:
        counted = [f"{what} ({count})" for what, count in sorted(report.passed_over.items(), key=lambda item: -item[1])]
        yield f"passed over: {_listed(counted, ', ')}"


def _seen(summary: dict[str, Any]) -> str:
    """The largest change that people see."""
    spread = f"RMS {summary['rms']['mean']:.2f}, at most {summary['rms']['max']:.2f}"
    if "l0_max" in summary:
        spread += f"; at most {summary['l0_max']} pixels changed"
    over = f", {summary['over_budget']} over the budget" if summary["over_budget"] else ""
    if not (seen := summary.get("visibility")):
        return f"What people see was not measured ({spread}{over})"
    if held := sum(count for limit, count in summary.get("limits", {}).items() if limit != "budget"):
        spread += f"; {held} with less than the budget, because more would be seen"
    return (
        f"The change that is seen most, of {_files(seen['files'], 'file')} looked at, is in {summary['most_visible']}: "
        f"{in_words(seen['worst_crop_min'])} (SSIMULACRA2 {seen['worst_crop_min']:.1f}; {spread}{over})"
    )


def _weak(report: Report) -> str:
    """A word of warning where little is hidden (docs/protect.md, "Strength")."""
    if report.options.get("strength") != "light":
        return ""
    return ". Light is not enough against training: a classifier learnt as much from such copies as from originals"


def _size(summary: dict[str, Any], format: str) -> Iterator[str]:
    """How much larger the copies are than the originals, and what to choose instead, where it was counted."""
    if "bytes_output" not in summary:
        return
    before, after = summary["bytes_input"], summary["bytes_output"]
    text = f"The copies take {size_in_words(after)}, {after / before:.1f} times the originals"
    instead = {"png": "--format webp, lossless too, takes less; ", "webp": ""}
    if format in instead and after > before:
        text += f", as they are lossless; {instead[format]}--format jpeg takes far less, and weakens what is hidden"
    yield text


def _listed(items: Sequence[str], separator: str = ", ") -> str:
    more = [f"{len(items) - LISTED} more"] if len(items) > LISTED else []
    return separator.join([*items[:LISTED], *more])


def _files(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
