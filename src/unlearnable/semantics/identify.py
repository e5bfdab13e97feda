"""Whose secrets are these? A revealed picture against the shapes that one key gives, and many decoy keys."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from unlearnable.keys import Key
from unlearnable.semantics.secrets import Secrets
from unlearnable.semantics.thumbnails import standardised

CONVINCING = 0.01  # a p-value from which on one may speak of it
MAX_GROUPS = 5  # that a score looks at: more make it slower, not surer

Seen = Float[ndarray, "_ _"]
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
        secret_number: of the secret that fits best; of several groups that of the first.
    """

    similarity: float
    decoys: int
    beaten: int
    p_value: float
    deviations: float
    secret_number: int

    def or_else(self, other: "KeyScore") -> "KeyScore":
        """The better of two scores of one key; who tests twice finds something sooner, which the p-value pays for."""
        better = min(self, other, key=lambda score: score.p_value)
        return replace(better, p_value=min(1.0, 2 * better.p_value))

    @property
    def verdict(self) -> str:
        """What it means, in words."""
        others = f"{self.decoys - self.beaten} of {self.decoys:,} keys"
        if self.beaten == self.decoys:
            return f"These are this key's secrets: none of {self.decoys:,} others fits as well"
        if self.p_value <= CONVINCING:
            return f"These are very likely this key's secrets: only {others} fit as well or better"
        return (
            f"Nothing shows that these are this key's secrets: {others} fit as well or better. That proves nothing: "
            "the pictures may have been cut or edited too much, or the secret's number is another"
        )


def score_key(secrets: Secrets, *ways: Mapping[Group, Sequence[Seen]], decoys: int = 1000) -> KeyScore:
    """Score the key of ``secrets`` against ``decoys`` random keys, each by the reading that fits it best.

    A bank of few classes can be dealt in few ways: decoys that deal it alike are not beaten.

    Args:
        secrets: those of the claimed key.
        ways: to read the same pictures, such as at several sizes. Each has for every group what is
            `Secrets.seen` of its revealed pictures; the first groups count.
        decoys: how many random keys to compare with.

    Raises:
        ValueError: there is nothing revealed, or a number that the secrets do not have.
    """
    chosen = [
        {group: _joined(secrets, seen) for group, seen in islice(revealed.items(), MAX_GROUPS)}
        for revealed in ways
        if revealed
    ]
    if not chosen:
        raise ValueError("expected revealed pictures to score a key on, got none")

    groups = {group for revealed in chosen for group in revealed}

    def similarities(candidate: Secrets) -> list[float]:
        shapes = {group: standardised(candidate.shape(*group)).ravel() for group in groups}
        return [
            float(np.mean([_correlation(secrets, seen, shapes[group]) for group, seen in revealed.items()]))
            for revealed in chosen
        ]

    return rank_key(secrets, similarities, [next(iter(revealed))[0] for revealed in chosen], decoys)


def rank_key(
    secrets: Secrets, similarities: Callable[[Secrets], Sequence[float]], numbers: Sequence[int], decoys: int
) -> KeyScore:
    """The rank of a key among random ones, each by the best of its similarities.

    Args:
        secrets: those of the claimed key.
        similarities: of any key's secrets to what was revealed, in several ways.
        numbers: of the secret that each of them is of.
        decoys: how many random keys to compare with.
    """
    own_ways = similarities(secrets)
    own = max(own_ways)
    others = np.array([max(similarities(secrets.with_key(_decoy(index)))) for index in range(decoys)])
    beaten = int((others < own).sum())
    return KeyScore(
        similarity=round(own, 4),
        decoys=decoys,
        beaten=beaten,
        p_value=(1 + decoys - beaten) / (1 + decoys),
        deviations=round(float((own - others.mean()) / max(float(others.std()), 1e-9)), 2),
        secret_number=numbers[own_ways.index(own)],
    )


def _joined(secrets: Secrets, pictures: Sequence[Seen]) -> Float[ndarray, "n points"]:
    """The pictures, standardised; their mean alone, where each carries the shape itself and not its negative."""
    rows = np.stack([standardised(picture).ravel() for picture in pictures])
    return rows if secrets.signed else standardised(rows.mean(0, keepdims=True))


def _correlation(secrets: Secrets, rows: Float[ndarray, "n points"], shape: Float[ndarray, " points"]) -> float:
    """Of revealed pictures with a shape; whatever the sign, where a picture may carry the negative."""
    correlations = rows @ shape / shape.size
    return float((np.abs(correlations) if secrets.signed else correlations).mean())


def _decoy(index: int) -> Key:
    return Key(hashlib.sha256(f"decoy {index}".encode()).digest())
