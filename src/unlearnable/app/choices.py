"""What can be chosen on the page, and what was measured of it. Options are the command line's, by their types."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from unlearnable.folder.options import STANDARD, ProtectOptions

# What people see (docs/visibility.md) and what a trainer gets (docs/results.md, photographs).
STRENGTHS: dict[str, str] = {
    "light": "The least visible: no copy scores less than 88 in SSIMULACRA2, where JPEG 90 has 82 and nobody sees what "
    "has 90. A classifier trained on such photographs at 64 px got 76 % of its tests right, and 75 % from clean ones: "
    "this did not stop it.",
    "standard": "No copy scores less than 78, between JPEG 75 and JPEG 90; faint spots or lines can be seen in clear "
    "skies and on pale, even ground. A classifier trained from scratch on such photographs at 64 px got about 21 % of "
    "its tests right in its best epoch, where clean ones gave 75 %.",
    "strong": "No copy scores less than 65, between JPEG 50 and JPEG 75; the change can be seen. The same classifier "
    "got about 16 % right.",
}
PLATFORMS = {
    "": "Anywhere, or not decided (keep the size)",
    "instagram": "Instagram",
    "x": "X",
    "facebook": "Facebook",
    "bluesky": "Bluesky",
    "mastodon": "Mastodon",
    "wordpress": "WordPress",
    "deviantart": "DeviantArt",
    "pixiv": "pixiv",
    "web": "A website of my own",
}
CLASSES = {
    "": "By sub-folders; without any, by what they show",
    "folders": "By sub-folders",
    "auto": "By what they show, whatever the folders",
    "one": "All are of one kind",
}
FORMATS = {
    "": "What suits where it is published",
    "png": "PNG",
    "webp": "WebP, lossless: smaller files, takes longer",
    "jpeg": "JPEG: alters the pictures after the change was limited",
}
COUNTERMEASURES = {
    "vanilla": "Nothing: train on them as they are",
    "gray": "Make them grey",
    "jpeg:quality=50": "Save them as JPEG 50",
    "jpeg:quality=10": "Save them as JPEG 10",
    "gaussf": "Smooth them a little",
    "cutout": "Cut patches out",
    "mixup": "Mix them with each other",
}


def names_of(option: str) -> tuple[str, ...]:
    """What an option of `ProtectOptions` can be, as its type says; nothing where there is no such option."""
    if option not in {one.name for one in fields(ProtectOptions)}:
        return ()
    return tuple(_literals(get_type_hints(ProtectOptions)[option]))


def has(option: str) -> bool:
    """Whether `ProtectOptions` has this option."""
    return option in {one.name for one in fields(ProtectOptions)}


def strengths() -> list[tuple[str, str, bool]]:
    """Name, a sentence or two, and whether it is what is usual."""
    return [(name, STRENGTHS[name], name == STANDARD) for name in names_of("strength") if name in STRENGTHS]


def formats() -> list[tuple[str, str]]:
    """In which the copies can be written, for a list; left open where that is what is usual."""
    usual = next(one.default for one in fields(ProtectOptions) if one.name == "format")
    return [choice for choice in _listed("format", FORMATS) if choice[0] or usual is None]


def platforms() -> list[tuple[str, str]]:
    """Where pictures can be published, for a list; nothing where it cannot be chosen."""
    return _listed("platform", PLATFORMS)


def classes() -> list[tuple[str, str]]:
    """How pictures are told apart, for a list; nothing where it cannot be chosen."""
    return _listed("classes", CLASSES)


def _listed(option: str, called: dict[str, str]) -> list[tuple[str, str]]:
    names = names_of(option)
    own = [("", called[""])] if names and "" in called else []
    return own + [(name, called.get(name, name)) for name in names if name]


def _literals(annotation: Any) -> Iterator[str]:
    """All strings that a type names, alone or among others."""
    if get_origin(annotation) is Literal:
        yield from (value for value in get_args(annotation) if isinstance(value, str))
        return
    for part in get_args(annotation):
        yield from _literals(part)
