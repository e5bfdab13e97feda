"""Whose secrets are these? A revealed picture against the scenes of one key and of many decoy keys."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image

from unlearnable.keys import Key
from unlearnable.semantics.render import Scene, scene

SIDE = 32
MAX_LABELS = 10  # classes that a score looks at: more make it slower, not surer


@dataclass(frozen=True)
class KeyScore:
    """How surely the revealed pictures carry a key's secrets.

    Attributes:
        similarity: correlation of the revealed pictures with the key's scenes, -1 to 1.
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


def score_key(key: Key, revealed: Mapping[int, Float[ndarray, "side side"]], decoys: int = 1000) -> KeyScore:
    """Score ``key`` against ``decoys`` random keys.

    Args:
        key: the claimed key.
        revealed: for each class index the mean `thumbnail` of its revealed pictures.
        decoys: how many random keys to compare with.

    Raises:
        ValueError: there is nothing revealed.
    """
    if not revealed:
        raise ValueError("expected revealed pictures to score a key on, got none")
    chosen = {label: _standardised(revealed[label]) for label in sorted(revealed)[:MAX_LABELS]}

    def similarity(candidate: Key) -> float:
        return float(np.mean([(shape * _tone(scene(candidate, label))).mean() for label, shape in chosen.items()]))

    own = similarity(key)
    others = np.array([similarity(_decoy(index)) for index in range(decoys)])
    beaten = int((others < own).sum())
    return KeyScore(
        similarity=round(own, 4),
        decoys=decoys,
        beaten=beaten,
        p_value=(1 + decoys - beaten) / (1 + decoys),
        deviations=round(float((own - others.mean()) / others.std()), 2),
    )


def thumbnail(picture: UInt8[ndarray, "3 h w"]) -> Float[ndarray, "side side"]:
    """The grey, small picture in which scenes are compared."""
    grey = Image.fromarray(np.ascontiguousarray(picture.transpose(1, 2, 0))).convert("L")
    return np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BOX), dtype=np.float64)


def _tone(shape: Scene) -> Float[ndarray, "side side"]:
    return _standardised(shape.tone(SIDE, SIDE))


def _standardised(values: Float[ndarray, "side side"]) -> Float[ndarray, "side side"]:
    centred = values - values.mean()
    standardised: Float[ndarray, "side side"] = centred / max(float(centred.std()), 1e-9)
    return standardised


def _decoy(index: int) -> Key:
    return Key(hashlib.sha256(f"decoy {index}".encode()).digest())
