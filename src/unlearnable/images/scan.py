"""Which files a folder holds, to which class each belongs, and what its copy is called."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from unlearnable.storage.atomic import PARTIAL
from unlearnable.storage.lock import LOCK

MANIFEST = "manifest.jsonl"
REPORT = "report.json"
CHECKPOINT = f"checkpoint{PARTIAL}"  # of an optimisation that has not come to its end
GROUPS = "groups.safetensors"  # where the groups lie, of pictures that were grouped by what they show
BESIDE = {MANIFEST, REPORT, CHECKPOINT, GROUPS, LOCK}  # the pictures

LEFTOVERS = {".DS_Store", "Thumbs.db", "desktop.ini"}  # of file managers: not the owner's files
ROOT_CLASS = "."


@dataclass(frozen=True)
class Found:
    """A file of the source folder.

    Attributes:
        name: its path below the source, with forward slashes.
        refused: why it must not be read, or None.
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


def scan(source: Path) -> list[Found]:
    """Every file below ``source``, sorted by name. Symbolic links that leave the tree are refused."""
    root = source.resolve()
    return sorted(_walk(root, root), key=lambda found: found.name)


def output_names(names: Iterable[str], suffix: str, kept: Mapping[str, str]) -> dict[str, str]:
    """The copy's path for every file: the same with another suffix.

    Files that would share a copy (``a.jpg`` and ``a.png``, also where a file system ignores case) keep their
    whole name before the suffix, all but the one that already has it. ``kept`` holds the copies that an
    earlier run has written; they stay.
    """
    names = list(names)
    folders = {str(parent).casefold() for name in names for parent in PurePosixPath(name).parents}
    copies = {name: kept[name] for name in names if name in kept}
    plain = {name: str(PurePosixPath(name).with_suffix(suffix)) for name in names}
    shared = Counter(copy.casefold() for copy in plain.values())
    taken = folders | {copy.casefold() for copy in kept.values()}
    for name in sorted(set(names) - set(kept), key=lambda name: (plain[name] != name, name)):
        copy = plain[name] if plain[name] == name or shared[plain[name].casefold()] == 1 else name + suffix
        while copy.casefold() in taken:
            copy = str(PurePosixPath(copy).with_suffix("")) + "_" + suffix
        taken.add(copy.casefold())
        copies[name] = copy
    return copies


def _walk(folder: Path, root: Path) -> Iterator[Found]:
    try:
        entries = list(os.scandir(folder))
    except OSError as error:
        yield Found(folder.relative_to(root).as_posix(), f"the folder cannot be read: {error.strerror}")
        return
    for entry in entries:
        path = Path(entry.path)
        name = path.relative_to(root).as_posix()
        if entry.name in LEFTOVERS:
            continue
        if entry.is_symlink():
            yield Found(name, _why_not_follow(path, root))
        elif entry.is_dir():
            yield from _walk(path, root)
        elif entry.is_file():
            yield Found(name)
        else:
            yield Found(name, "not a regular file")


def _why_not_follow(link: Path, root: Path) -> str | None:
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):  # nothing there, or a loop
        return "a symbolic link to nothing"
    if not target.is_relative_to(root):
        return "a symbolic link that leaves the folder"
    return "a symbolic link to a folder, whose files are reached on their own" if target.is_dir() else None
