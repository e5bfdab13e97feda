"""Which files a folder holds, to which class each belongs, and what its copy is called."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from unlearnable.images.kinds import HEAD, READ_SUFFIXES, refused_kind
from unlearnable.storage.atomic import PARTIAL

MANIFEST = "manifest.jsonl"
REPORT = "report.json"
CHECKPOINT = f"checkpoint{PARTIAL}"  # of an optimisation that has not come to its end
GROUPS = "groups.safetensors"  # where the groups lie, of pictures that were grouped by what they show

# What systems, file managers and photo programs leave behind, folders with small clean copies among them, beside
# whatever begins with a dot.
CLUTTER = {
    *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "picasa.ini", "zbthumbnail.info", "icon\r"),
    *("@eadir", "@tmp", "@recently-snapshot", "@recycle", "#recycle", "#snapshot", "$recycle.bin", "recycler"),
    *("__macosx", "lost+found", "system volume information"),
}
ROOT_CLASS = "."
NAME_BYTES = 255  # of a name, on nearly every file system
LINKS = "copy what it points to into the folder, or protect the folder where that lies"


@dataclass(frozen=True)
class Found:
    """A file of the source folder.

    Attributes:
        name: its path below the source, with forward slashes.
        refused: why it gets no copy, or None.
        group: its class, where its folder does not say.
    """

    name: str
    refused: str | None = None
    group: str | None = None

    @property
    def class_name(self) -> str:
        """The top-level sub-folder (ImageFolder's rule), however deep the file; ``.`` for a flat folder."""
        if self.group is not None:
            return self.group
        parts = PurePosixPath(self.name).parts
        return parts[0] if len(parts) > 1 else ROOT_CLASS


@dataclass(frozen=True)
class Listing:
    """What a folder holds.

    Attributes:
        files: pictures, those that cannot be read among them, sorted by name.
        passed_over: what else there is, in words, and how many files of it.
    """

    files: list[Found] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)


def scan(source: Path) -> list[Found]:
    """The pictures below ``source``; see `listing`."""
    return listing(source).files


def listing(source: Path) -> Listing:
    """Every picture below ``source``, and what else there is. Symbolic links that leave the tree are refused.

    A file is a picture if its name or its first bytes say so: a camera raw is one that gets no copy, a sidecar is none.
    """
    root, listed = source.resolve(), Listing()
    listed.files.extend(_walk(root, root, listed.passed_over))
    listed.files.sort(key=lambda found: found.name)
    return listed


def is_clutter(name: str) -> bool:
    """Whether a file or folder of this name was left behind by a system, not by the owner."""
    return name.startswith(".") or name.lower() in CLUTTER


def output_names(names: Iterable[str], suffix: str, kept: Mapping[str, str]) -> dict[str, str]:
    """The copy's path for every file: the same with another suffix.

    Files that would share a copy (``a.jpg`` and ``a.png``, also where a file system ignores case) keep their
    whole name before the suffix, all but the one that already has it. A name that would be too long is cut, and told
    apart by a digest. ``kept`` holds the copies that an earlier run has written; they stay.
    """
    names = list(names)
    folders = {str(parent).casefold() for name in names for parent in PurePosixPath(name).parents}
    copies = {name: kept[name] for name in names if name in kept}
    plain = {name: _fitting(PurePosixPath(name), "", suffix) for name in names}
    shared = Counter(copy.casefold() for copy in plain.values())
    taken = folders | {copy.casefold() for copy in kept.values()}
    for name in sorted(set(names) - set(kept), key=lambda name: (plain[name] != name, name)):
        own = PurePosixPath(name).suffix
        copy = plain[name]
        if copy != name and shared[copy.casefold()] > 1:
            copy = _fitting(PurePosixPath(name), own, suffix)
        while copy.casefold() in taken:
            copy = _fitting(PurePosixPath(copy), "_", suffix)
        taken.add(copy.casefold())
        copies[name] = copy
    return copies


def _fitting(path: PurePosixPath, mark: str, suffix: str) -> str:
    """The path with ``mark`` and another suffix after its stem, cut to a length that a name may have."""
    name = path.stem + mark + suffix if path.suffix != suffix or mark else path.name
    if len(os.fsencode(name)) > NAME_BYTES:
        digest = hashlib.sha256(os.fsencode(str(path) + mark)).hexdigest()[:8]
        room = NAME_BYTES - len(os.fsencode(f"~{digest}{suffix}"))
        name = f"{os.fsencode(path.stem)[:room].decode(errors='ignore')}~{digest}{suffix}"
    return str(path.with_name(name))


def _walk(folder: Path, root: Path, passed_over: Counter[str]) -> Iterator[Found]:
    try:
        entries = list(os.scandir(folder))
    except OSError as error:
        yield Found(folder.relative_to(root).as_posix(), f"the folder cannot be read: {error.strerror}")
        return
    for entry in entries:
        path = Path(entry.path)
        name = path.relative_to(root).as_posix()
        if is_clutter(entry.name):
            passed_over["left behind by computers, phones and storage"] += 1
        elif entry.is_symlink() and (refused := _why_not_follow(path, root)):
            yield Found(name, refused)
        elif entry.is_dir(follow_symlinks=False):
            yield from _walk(path, root, passed_over)
        elif entry.is_file():
            yield from _file(path, name, passed_over)
        else:
            yield Found(name, "not a regular file")


def _file(path: Path, name: str, passed_over: Counter[str]) -> Iterator[Found]:
    """A file, if it is a picture; else it is counted."""
    try:
        head = b"" if path.suffix.lower() in READ_SUFFIXES else _head(path)
    except OSError as error:
        yield Found(name, f"cannot be read: {error.strerror}")
        return
    kind = refused_kind(name, head)
    if kind is None or kind.picture:
        yield Found(name, None if kind is None else str(kind))
    else:
        passed_over[str(kind)] += 1


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD)


def _why_not_follow(link: Path, root: Path) -> str | None:
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):  # nothing there, or a loop
        return "a symbolic link to nothing"
    if not target.is_relative_to(root):
        return f"a symbolic link that leaves the folder; {LINKS}"
    return "a symbolic link to a folder, whose files are reached on their own" if target.is_dir() else None
