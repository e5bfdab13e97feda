"""Pictures grouped by what they show, where nobody says of which class they are: k-means on features.

A frozen network sees what pictures show. The centres are kept beside the copies: a picture that comes later goes to the
nearest one, and no earlier picture moves.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from numpy import ndarray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from torch import Tensor

from unlearnable.compute.threads import map_ahead
from unlearnable.folder.job import working_picture
from unlearnable.folder.manifest import Report, read_manifest
from unlearnable.folder.method import OnStage, RefusedError
from unlearnable.folder.options import ProtectOptions
from unlearnable.hiding.surrogates import SIDE, SURROGATES, features_of_all, network_named, resized
from unlearnable.images.imageset import Images8
from unlearnable.images.photos import UnreadablePhotoError, read_limited, read_photo
from unlearnable.images.scan import GROUPS, ROOT_CLASS, Found
from unlearnable.options import Classes
from unlearnable.semantics.assignment import evenly
from unlearnable.storage.atomic import write

SEEN_BY = SURROGATES[0]  # the network that looks; its weights come with the package
FEW, MANY = 2, 20  # groups among which the pictures decide, where nobody says how many
GROUPED = 20  # files of a flat folder from which on they are grouped where nobody says whether
FITTED = 3000  # files at which is looked to find the centres; all others go to the nearest
JUDGED = 1000  # of them, whose silhouettes say which number of groups is the best
AT_ONCE = 64  # pictures

Seen = Float[ndarray, "n d"]
Look = Callable[[Images8], Seen]


@dataclass(frozen=True, eq=False)
class Groups:
    """Where the groups lie.

    Attributes:
        seen_by: the network whose features they are.
        mean, deviation: of each feature, over the pictures at which was looked.
        centres: of standardised features of length 1.
    """

    seen_by: str
    mean: Float[ndarray, " d"]
    deviation: Float[ndarray, " d"]
    centres: Float[ndarray, "k d"]

    @classmethod
    def of(cls, seen_by: str, seen: Seen, count: int | None = None) -> "Groups":
        """Find so many groups, the largest first; or as many, up to `MANY`, as have the best silhouette (k-means).

        Args:
            seen_by: see there.
            seen: features of some pictures.
            count: of groups.

        Raises:
            RefusedError: there are fewer different pictures than groups.
        """
        from sklearn.cluster import KMeans

        mean, deviation = seen.mean(0), seen.std(0).clip(1e-3)
        whole = cls(seen_by, mean, deviation, np.zeros((1, len(mean)), np.float32))
        directions = whole.directions(seen)
        different = len(np.unique(directions.round(3), axis=0))
        if count and count > different:
            raise RefusedError(f"expected at least {count} different pictures for {count} groups, got {different}")

        def means(count: int) -> tuple[Int[ndarray, " n"], Float[ndarray, "k d"]]:
            found = KMeans(count, n_init=4, random_state=0).fit(directions)
            return found.labels_, found.cluster_centers_

        labels, centres = means(count or _likeliest(directions, lambda count: means(count)[0], different))
        order = np.argsort(-np.bincount(labels, minlength=len(centres)), kind="stable")
        return replace(whole, centres=centres[order].astype(np.float32))

    @property
    def names(self) -> list[str]:
        """Of the groups, as classes; in their order also by the alphabet."""
        return [f"group-{number:0{len(str(len(self.centres)))}}" for number in range(1, len(self.centres) + 1)]

    def directions(self, seen: Seen) -> Seen:
        """Standardised features, of length 1."""
        standard = (seen - self.mean) / self.deviation
        lengths = np.linalg.norm(standard, axis=1, keepdims=True)
        directions: Seen = (standard / lengths.clip(1e-9)).astype(np.float32)
        return directions

    def nearest(self, seen: Seen) -> list[str]:
        """The name of each picture's group."""
        nearness = self.directions(seen) @ self.centres.T - np.square(self.centres).sum(1) / 2
        return [self.names[place] for place in nearness.argmax(1)]

    def save(self, folder: Path) -> None:
        """Write them beside the copies, atomically."""
        tensors = {"mean": self.mean, "deviation": self.deviation, "centres": self.centres}
        write(folder / GROUPS, save(tensors, {"seen_by": self.seen_by}))

    @classmethod
    def load(cls, folder: Path) -> "Groups":
        """Read what `save` wrote.

        Raises:
            ValueError: it is no such file.
        """
        try:
            with safe_open(folder / GROUPS, "np") as stored:
                tensors = {name: stored.get_tensor(name) for name in ("mean", "deviation", "centres")}
                return cls(str((stored.metadata() or {})["seen_by"]), **tensors)
        except (SafetensorError, KeyError) as error:
            raise ValueError(
                f"{folder / GROUPS} does not hold the groups of a run ({error}); protect to a new folder"
            ) from None


@dataclass(frozen=True)
class Classed:
    """Files, each with its class.

    Attributes:
        files: of the source, those that cannot be read refused.
        options: what the report records; nothing where the folders say the classes.
        groups: where the groups lie, of pictures that were grouped.
    """

    files: list[Found]
    options: dict[str, Any]
    groups: Groups | None = None

    def save(self, dst: Path) -> None:
        """Keep beside the copies what a later run needs."""
        if self.groups and not (dst / GROUPS).is_file():
            self.groups.save(dst)


def classify(
    src: Path,
    dst: Path,
    found: list[Found],
    options: ProtectOptions,
    earlier: Report | None,
    device: torch.device,
    on_stage: OnStage | None,
) -> Classed:
    """Give every file its class, as the options say; where they do not, as an earlier run did.

    Raises:
        RefusedError: there are fewer pictures than groups, or an earlier run has another number of them.
    """
    how = "auto" if options.groups else options.classes
    how = how or (earlier.options.get("classes", "folders") if earlier else _usual(found))
    if how == "folders":
        return Classed(found, {})
    if how == "one":
        return Classed([replace(file, group=ROOT_CLASS) for file in found], {"classes": how})
    groups = Groups.load(dst) if (dst / GROUPS).is_file() else None
    if groups and groups.seen_by != SEEN_BY:
        raise RefusedError(
            f"{dst} was grouped by {groups.seen_by}, which this version does not do; name another folder"
        )
    if groups and options.groups not in (None, len(groups.centres)):
        raise RefusedError(
            f"{dst} holds a run with {len(groups.centres)} groups, and {options.groups} are asked for; name another "
            "folder"
        )
    known = {entry.file: entry.class_name for entry in read_manifest(dst).values() if entry.class_name}
    if earlier and "seen_by" in earlier.options and known and not groups:
        raise RefusedError(f"{dst} lacks {GROUPS}, which says where groups lie; put it back, or name another folder")
    files, groups = group_files(src, found, groups, options.groups, known, device, on_stage or (lambda *_: None))
    return Classed(files, {"classes": how, "seen_by": groups.seen_by if groups else SEEN_BY}, groups)


def _usual(found: Sequence[Found]) -> Classes:
    """Sub-folders are classes; a flat folder is grouped (docs/groups.md), unless it is too small to train on."""
    flat = all(file.class_name == ROOT_CLASS for file in found)
    return "auto" if flat and sum(not file.refused for file in found) >= GROUPED else "folders"


def look_of(seen_by: str, device: torch.device) -> Look:
    """What gives the features of pictures.

    Raises:
        FileNotFoundError: the network is not installed.
    """
    network = network_named(seen_by, device)
    return lambda pictures: features_of_all(network, pictures, device).cpu().numpy()


def group_files(
    src: Path,
    found: Sequence[Found],
    groups: Groups | None,
    count: int | None,
    known: Mapping[str, str],
    device: torch.device,
    on_stage: OnStage,
) -> tuple[list[Found], Groups | None]:
    """Every file with its group as its class, and where the groups lie; what cannot be read is refused.

    Features alone are kept, and of no more than `FITTED` files.

    Args:
        src: the source folder.
        found: its files.
        groups: of an earlier run; found anew when None.
        count: how many; the pictures decide when None.
        known: files whose groups an earlier run has recorded; nobody looks at them again.
        device: of the network.
        on_stage: called with ``grouping``, files looked at, and how many there are.

    Raises:
        RefusedError: there are fewer different pictures than groups.
    """
    unknown = [file for file in found if not file.refused and (not groups or file.name not in known)]
    of_files = {name: group for name, group in known.items() if groups}
    refused: dict[str, str] = {}
    seen_by = groups.seen_by if groups else SEEN_BY
    look = look_of(seen_by, device) if unknown else None
    first = [] if groups else evenly(unknown, FITTED)
    chosen = {file.name for file in first}
    done = 0

    def seen_of(files: Sequence[Found]) -> Iterator[tuple[list[Found], Seen]]:
        nonlocal done
        for start in range(0, len(files), AT_ONCE):
            part = files[start : start + AT_ONCE]
            readable, pictures = _readable(src, part, refused)
            if pictures is not None and look:
                yield readable, look(pictures)
            done += len(part)
            on_stage("grouping", done, len(unknown))

    parts = list(seen_of(first))
    if groups is None and parts:
        groups = Groups.of(seen_by, np.concatenate([seen for _, seen in parts]), count)
    rest = seen_of([file for file in unknown if file.name not in chosen])
    for files, seen in chain(parts, rest):
        assert groups
        of_files |= zip((file.name for file in files), groups.nearest(seen), strict=True)
    grouped = [
        replace(file, group=of_files.get(file.name), refused=file.refused or refused.get(file.name)) for file in found
    ]
    return grouped, groups


def _readable(
    src: Path, files: Sequence[Found], refused: dict[str, str]
) -> tuple[list[Found], UInt8[Tensor, "n 3 side side"] | None]:
    """Those that can be read, and their pictures as squares; why the others cannot goes into ``refused``."""

    def square(file: Found) -> UInt8[Tensor, "3 side side"] | str:
        try:
            photo = read_photo(read_limited(src / file.name))
        except UnreadablePhotoError as unreadable:
            return str(unreadable)
        picture = torch.tensor(working_picture(photo, SIDE))[None].float()
        return resized(picture, SIDE)[0].round().clamp(0, 255).to(torch.uint8)

    with ThreadPoolExecutor(2) as pool:
        read = dict(zip(files, map_ahead(pool, square, files), strict=True))
    refused |= {file.name: picture for file, picture in read.items() if isinstance(picture, str)}
    pictures = {file: picture for file, picture in read.items() if isinstance(picture, Tensor)}
    return list(pictures), torch.stack(list(pictures.values())) if pictures else None


def _likeliest(directions: Seen, labels: Callable[[int], Int[ndarray, " n"]], different: int) -> int:
    """The number of groups with the best silhouette (Rousseeuw, 1987); one where there are too few pictures to say."""
    from sklearn.metrics import silhouette_score

    judged = np.array(evenly(range(len(directions)), JUDGED))
    scores = {}
    for count in range(FEW, min(MANY, different - 1) + 1):
        of_judged = labels(count)[judged]
        if 1 < len(np.unique(of_judged)) < len(judged):
            scores[count] = silhouette_score(directions[judged], of_judged)
    return max(scores, key=lambda count: scores[count]) if scores else 1
