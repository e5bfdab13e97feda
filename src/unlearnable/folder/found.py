"""Ways to read a picture that was found somewhere, of which no manifest says how it was published.

A platform may have reduced it, and given it borders. What is hidden was hidden at the working size: there it is read.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from unlearnable.folder.job import working_picture
from unlearnable.images.photos import Photo
from unlearnable.semantics.identify import MAX_GROUPS, Group, KeyScore, Seen, score_key
from unlearnable.semantics.secrets import Secrets

DRAWINGS, FEWEST, MOST = 5000, 199, 1000  # of decoy keys that are drawn, about; and decoys at least and at most
MAX_PICTURES = 50  # of a group that are compared
UNLIKE = 24  # grey levels from a border's colour that belong to the picture
CONTENT = 0.03  # share of a row or column that must be unlike the border
LEAST = 0.25  # of a picture that must be left inside its borders

Ways = dict[str, UInt8[ndarray, "3 h w"]]


def ways_of(photo: Photo, sizes: Sequence[int]) -> Ways:
    """A found picture as it may have been when a secret was hidden in it; the likeliest first.

    Brought to each of the working sizes, enlarged if it was reduced since, or of its own size, as small pictures are;
    each with what looks like a border, and without.
    """
    found: Ways = {}
    for place, candidate in (("", photo), (" inside its border", without_border(photo))):
        if candidate is None:
            continue
        for size in sizes:
            found[f"at {size} px{place}"] = working_picture(candidate, size, enlarge=True)
        own = working_picture(candidate, max(sizes))
        if all(own.shape != other.shape for other in found.values()):
            found[f"at its own size{place}"] = own
    return found


def without_border(photo: Photo) -> Photo | None:
    """The photo cut to what is inside a border of one colour; None where there is none."""
    pixels = photo.pixels.astype(np.int16)
    corner = np.median(np.stack([pixels[y, x] for y in (0, -1) for x in (0, -1)]), axis=0)
    unlike = (np.abs(pixels - corner) > UNLIKE).any(2)
    rows, columns = (np.flatnonzero(unlike.mean(axis) > CONTENT) for axis in (1, 0))
    if not (rows.size and columns.size):
        return None
    cut = photo.pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    if cut.size == photo.pixels.size or cut.size < LEAST * photo.pixels.size:
        return None
    return photo.with_pixels(np.ascontiguousarray(cut))


@dataclass
class Gathered:
    """What is seen of revealed pictures, by way and group: of each group some, or it would grow with the folder."""

    seen: dict[str, dict[Group, list[Seen]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    counts: Counter[tuple[str, Group]] = field(default_factory=Counter)

    def add(self, secrets: Secrets, revealed: Mapping[str, UInt8[ndarray, "3 h w"]], numbers: Sequence[int]) -> None:
        """What was revealed of one picture, by way; every secret that may be in it is a way of its own."""
        for way, picture in revealed.items():
            seen = secrets.seen(picture)
            for number in numbers:
                name = way if len(numbers) == 1 else f"{way}, {number}"
                group = (number, *picture.shape[1:])
                self.counts[name, group] += 1
                if len(self.seen[name][group]) < MAX_PICTURES:
                    self.seen[name][group].append(seen)

    def score(self, secrets: Secrets) -> KeyScore:
        """The score of a key; the more drawings a key takes, the fewer it is compared with."""
        ways = [
            dict(sorted(groups.items(), key=lambda item: -self.counts[way, item[0]]))
            for way, groups in self.seen.items()
        ]
        drawings = sum(min(len(groups), MAX_GROUPS) for groups in ways)
        return score_key(secrets, *ways, decoys=max(FEWEST, min(MOST, DRAWINGS // drawings)))
