"""Whose secrets are these? A revealed picture against the shapes that one key gives, and many decoy keys."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from unlearnable.keys import Key
from unlearnable.semantics.secrets import Secrets
from unlearnable.semantics.thumbnails import standardised

MAX_GROUPS = 10  # that a score looks at: more make it slower, not surer

Group = tuple[int, int, int]  # a secret's number, and height and width of pictures that carry it


@dataclass(frozen=True)
class KeyScore:
    """How surely the revealed pictures carry a key's secrets.

    Attributes:
        similarity: correlation of the revealed pictures with the shapes of the key's secrets, -1 to 1.
        decoys: number of random keys that were tried as well.
        beaten: how many of them the key beats.
        p_value: chance that a key that has nothing to do with the pictures scores as high.
        deviations: distance from the decoys' mean in their standard deviations.
    """

    similarity: float
    decoys: int
    beaten: int
    p_value: float
    deviations: float


def score_key(secrets: Secrets, revealed: Mapping[Group, Float[ndarray, "_ _"]], decoys: int = 1000) -> KeyScore:
    """Score the key of ``secrets`` against ``decoys`` random keys.

    A bank of few classes can be dealt in few ways: decoys that deal it alike are not beaten.

    Args:
        secrets: those of the claimed key.
        revealed: for each group the mean of what is `Secrets.seen` of its revealed pictures; the first ten count.
        decoys: how many random keys to compare with.

    Raises:
        ValueError: there is nothing revealed, or a number that the secrets do not have.
    """
    if not revealed:
        raise ValueError("expected revealed pictures to score a key on, got none")
    chosen = {group: standardised(mean) for group, mean in islice(revealed.items(), MAX_GROUPS)}

    def similarity(candidate: Secrets) -> float:
        return float(np.mean([(seen * standardised(candidate.shape(*group))).mean() for group, seen in chosen.items()]))

    own = similarity(secrets)
    others = np.array([similarity(secrets.with_key(_decoy(index))) for index in range(decoys)])
    beaten = int((others < own).sum())
    return KeyScore(
        similarity=round(own, 4),
        decoys=decoys,
        beaten=beaten,
        p_value=(1 + decoys - beaten) / (1 + decoys),
        deviations=round(float((own - others.mean()) / max(float(others.std()), 1e-9)), 2),
    )


def _decoy(index: int) -> Key:
    return Key(hashlib.sha256(f"decoy {index}".encode()).digest())
