"""The published files as they were written: how far each is from its original, and a few of them to look at."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from unlearnable.audit.outcome import PublishedFolder, Sample, Wipe
from unlearnable.compute.threads import map_ahead
from unlearnable.folder.manifest import Report, read_manifest
from unlearnable.images.budget import Budget
from unlearnable.images.decode import square
from unlearnable.images.imageset import ImageSet
from unlearnable.images.photos import UnreadablePhotoError, read_limited, read_photo
from unlearnable.images.platforms import PublishedSize, read_published
from unlearnable.images.quality import Quality, measure
from unlearnable.images.scan import REPORT
from unlearnable.images.transparency import Seen
from unlearnable.images.visibility import Visibility, spread_out, visibility_of_files, worst_crop

SAMPLES = 10
WIPES = 3
SHOWN = 128  # px of the middle of each, pixel for pixel: reducing a picture would hide what was done to it


def measured(
    folder: Path, published: Sequence[str], clean: Path, originals: Sequence[str], data: ImageSet
) -> PublishedFolder:
    """Measure every published file whose original is among the clean training pictures.

    Args:
        folder: of the published pictures.
        published: their names in it, in the order of ``data``.
        clean: folder of the clean training pictures.
        originals: their names in it; empty where they are no folder.
        data: the published set.
    """
    manifest = {entry.output: entry.file for entry in read_manifest(folder).values() if entry.output}
    names, ambiguous = originals_of(published, originals, manifest)
    pairs = {name: (clean / original, folder / name) for name, original in names.items()}
    options = Report.load(folder).options if (folder / REPORT).is_file() else {}
    size = PublishedSize.recorded(options)
    with ThreadPoolExecutor(2) as pool:
        measuring = map_ahead(pool, lambda pair: _quality(*pair, size), pairs.values(), width=8)
        qualities = tuple(quality for quality in measuring if quality)
        sample = spread_out([name for name in published if name in pairs])
        visibilities = map_ahead(pool, lambda name: visibility_of_files(*pairs[name], size), sample)
        seen = {name: found for name, found in zip(sample, visibilities, strict=True) if found}
    most_visible = sorted(seen, key=lambda name: seen[name].worst_crop)[:WIPES]
    budget = options.get("budget")
    return PublishedFolder(
        count=len(data),
        qualities=qualities,
        budget=budget,
        over_budget=sum(quality.exceeds(Budget.parse(budget)) for quality in qualities) if budget else 0,
        samples=_samples(published, pairs, data),
        ambiguous=ambiguous,
        visibilities=tuple(seen.values()),
        wipes=tuple(_wipe(name, seen[name], *pairs[name], size) for name in most_visible),
    )


def originals_of(
    published: Sequence[str], originals: Sequence[str], manifest: Mapping[str, str]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The original of every published file that has one, and the files of which it cannot be told.

    A file's original is the one that the manifest names; where that does not know the file, it is the one of the same
    name, else of this name without its last suffix (``a.jpg`` of ``a.jpg.png``), else the one of the same name but for
    the suffix, where no other file has that.

    Args:
        published: names of the published files.
        originals: names of the clean ones.
        manifest: by the name of the published file that of the clean one.
    """
    known, pairs, ambiguous = set(originals), {}, []
    by_stem = defaultdict(list)
    for original in originals:
        by_stem[_stem(original)].append(original)
    stems = Counter(map(_stem, published))
    for name in published:
        alike = by_stem[_stem(name)]
        named = [manifest[name]] if name in manifest else [name, _stem(name)]
        if found := [original for original in named if original in known]:
            pairs[name] = found[0]
        elif name not in manifest and len(alike) == stems[_stem(name)] == 1:
            pairs[name] = alike[0]
        elif name not in manifest and alike:
            ambiguous.append(name)
    return pairs, tuple(ambiguous)


def _stem(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))


def _quality(original: Path, published: Path, size: PublishedSize | None) -> Quality | None:
    try:
        before, after = read_published(read_limited(original), size), read_photo(read_limited(published))
    except UnreadablePhotoError:
        return None
    if before.pixels.shape[:2] != after.pixels.shape[:2]:
        return None
    return measure(before.rgb, after.rgb, Seen.through(before.alpha))


def _wipe(name: str, seen: Visibility, original: Path, published: Path, size: PublishedSize | None) -> Wipe:
    before, after = read_published(read_limited(original), size), read_photo(read_limited(published))
    shown = Seen.through(before.alpha)
    return Wipe(name, seen.worst_crop, *worst_crop(shown.picture(before.rgb), shown.picture(after.rgb)))


def _samples(published: Sequence[str], pairs: Mapping[str, tuple[Path, Path]], data: ImageSet) -> tuple[Sample, ...]:
    """Pictures from all over the set, before and after, at the size at which is trained."""
    paired = [index for index, name in enumerate(published) if name in pairs]
    size = data.images.shape[-1]
    start = max(0, size - SHOWN) // 2
    middle = (slice(start, start + SHOWN), slice(start, start + SHOWN))
    return tuple(
        Sample(
            name=published[index],
            original=square(pairs[published[index]][0], size)[middle],
            published=data.images[index].permute(1, 2, 0).numpy()[middle],
        )
        for index in [paired[number * len(paired) // SAMPLES] for number in range(min(SAMPLES, len(paired)))]
    )
