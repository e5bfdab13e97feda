"""The test of a folder that was protected against backbones: clean pictures, in which nothing is hidden.

There the key pairs every class with another, to which its pictures were pulled (`hiding.targeting`). Whoever trained on
them takes clean pictures of that other class a little for the own one. So clean pictures of every class are shown, and
a key says for which class an answer to each of them counts.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from unlearnable.accuse.covers import Covers
from unlearnable.accuse.design import Extent, Probe, decoy_keys, decoys_for
from unlearnable.accuse.drawn import Drawn
from unlearnable.accuse.ownership import Ownership
from unlearnable.hiding.targeting import pairs_of
from unlearnable.keys import Key

Partners = list[int]  # for each class, the place of the one that a key pairs with it
AGAIN = 50  # keys that are drawn for every decoy: few classes can be paired in few ways, and no way comes twice
TURNS = 30  # clean pictures of every class, at most
MANY = 20  # classes, that can be paired in more ways than anybody asks keys


def tells_keys_apart(classes: int, level: float) -> bool:
    """Whether so many classes can be paired in as many ways as a level takes keys.

    >>> tells_keys_apart(5, 0.01), tells_keys_apart(6, 0.01), tells_keys_apart(1000, 0.01)
    (False, True, True)
    """
    return classes > 1 and math.factorial(min(classes, MANY) - 1) > decoys_for(level)


def partners(owner: Key, candidates: Sequence[Key], classes: int, decoys: int) -> list[Partners]:
    """The owner's pairs, then those of the first candidates that pair otherwise than all before.

    Drawn without repetition, the owner's are as likely to have any rank among them as any others.
    """
    found: dict[tuple[int, ...], None] = {}
    for key in (owner, *candidates):
        found.setdefault(tuple(pairs_of(key, classes).tolist()))
        if len(found) == 1 + decoys:
            break
    return [list(pairs) for pairs in found]


def draw_pairs(
    owned: Ownership,
    clean: Path,
    queries: int,
    level: float,
    seed: bytes,
    on_stage: Callable[[str, int, int], None],
) -> Drawn:
    """Clean pictures of every class, in an order that says nothing; see `accuse.make.make_probes`.

    To a key, a picture speaks for the class that the key pairs with the picture's own. All keys read the same answers,
    so that the number of keys costs no pictures.
    """
    classes, rng = owned.report.classes, np.random.default_rng(list(seed))
    if queries < len(classes):
        raise ValueError(f"expected at least {len(classes)} pictures, one of every class, got {queries}")
    turns = min(TURNS, queries // len(classes))
    on_stage("reading clean pictures", 0, 1)
    covers = Covers.draw(clean, owned.published, classes, turns, owned.size, rng, own=True)
    on_stage("reading clean pictures", 1, 1)
    extent = Extent(decoys_for(level), len(classes), len(covers.places[0]))
    numbers = partners(owned.secrets.key, decoy_keys(seed, AGAIN * extent.decoys), len(classes), extent.decoys)
    shown = rng.permutation(np.concatenate(covers.places))
    place_of = {cover: place for place, cover in enumerate(shown.tolist())}
    probes = [
        Probe(key, label, turn, covers.places[numbers[key][label]][turn])
        for key in range(1 + extent.decoys)
        for label in range(extent.classes)
        for turn in range(extent.turns)
    ]
    return Drawn(
        shown="pairs",
        classes=classes,
        numbers=numbers,
        contrast=1.0,
        strength=0.0,
        covers=covers,
        probes=[(probe, place_of[probe.cover]) for probe in probes],
        pictures=(covers.images[place][None] for place in shown.tolist()),
        count=len(shown),
    )
