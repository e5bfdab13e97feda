"""The test: how often a model names a class where it is shown the owner's secret of it, against decoy keys' secrets.

Scores are arranged by key (the owner's first), class and turn: what the model says of the class whose secret the
picture bears, or for which the key's pairs count it, as a label 0 or 1, of a probability the log-odds. A key's response
is their mean. The p-value is the rank of the owner's response among all keys' (Barnard, 1963; Besag and Clifford,
1989): exact for a model that knows nothing of the owner's key, however it was trained, and on whatever other pictures.

The unit is the whole key. Keys are dealt their secrets contrary to the same pictures, so that the secrets of a key's
classes hang together: a test that takes classes for independent is wrong too often (docs/accuse.md), and is a
cross-check alone.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from unlearnable.accuse.answers import Kind
from unlearnable.accuse.design import OWNER

Scores = Float[ndarray, "keys classes turns"]
Table = Float[ndarray, "keys turns classes answers"]  # what the model says of every answer, class by class
PERMUTATIONS = 9999  # of the cross-check
TIED = 1e-9  # responses that differ by less are equal: sums of the same numbers in another order
LEAST = 1e-6  # probabilities are kept so far from 0 and 1


@dataclass(frozen=True)
class Comparison:
    """The owner's key against decoys.

    Attributes:
        owner: mean score of the owner's pictures.
        decoys: mean over the decoys of theirs.
        highest_decoy: the highest of theirs.
        beaten: how many decoys respond less than the owner.
        p_value: of the owner's rank, ties against the owner.
    """

    owner: float
    decoys: float
    highest_decoy: float
    beaten: int
    p_value: float

    @classmethod
    def of(cls, responses: Float[ndarray, " keys"], means: Float[ndarray, " keys"]) -> "Comparison":
        """Of one response and one mean score a key, the owner's first."""
        others = np.delete(responses, OWNER)
        beaten = int((others < responses[OWNER] - TIED).sum())
        decoys = np.delete(means, OWNER)
        p_value = (1 + len(others) - beaten) / (1 + len(others))
        return cls(float(means[OWNER]), float(decoys.mean()), float(decoys.max()), beaten, p_value)


def log_odds(probabilities: Float[ndarray, "*any"]) -> Float[ndarray, "*any"]:
    """The logarithm of p / (1 - p): from 1 to 2 in a million is as much as from a third to a half."""
    kept = probabilities.clip(LEAST, 1 - LEAST)
    odds: Float[ndarray, "*any"] = np.log(kept / (1 - kept))
    return odds


def evidence(kind: Kind, said: Float[ndarray, "*any"]) -> Float[ndarray, "*any"]:
    """What is compared of what a model said: of labels 0 and 1, else the log-odds."""
    return said if kind == "labels" else log_odds(said)


def responses(scores: Scores) -> Float[ndarray, " keys"]:
    """A key's response: the mean over its classes and their pictures."""
    means: Float[ndarray, " keys"] = scores.mean((1, 2))
    return means


def paired(scores: Scores, seed: int, permutations: int = PERMUTATIONS) -> float:
    """The p-value if classes were independent: keys change places class by class, all turns of a class together.

    Args:
        scores: see above.
        seed: of the permutations.
        permutations: how many are drawn.
    """
    means = scores.mean(2)
    keys, classes = means.shape
    places = np.random.default_rng(seed).integers(keys, size=(permutations, classes))
    sums = means[places, np.arange(classes)].sum(1)
    return float((1 + (sums >= means[OWNER].sum() - TIED).sum()) / (1 + permutations))


def holm(p_values: list[float]) -> list[float]:
    """P-values corrected for their number (Holm, 1979): the chance that any of so many is wrong.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    corrected, highest = [0.0] * len(p_values), 0.0
    for done, place in enumerate(np.argsort(p_values, kind="stable")):
        highest = max(highest, min(1.0, (len(p_values) - done) * p_values[place]))
        corrected[place] = highest
    return corrected


def answers_found(table: Table) -> Int[ndarray, "keys classes"]:
    """For every key and class the answer that its secret raises most above the mean of all keys.

    Every key is searched alike, so that a search among many answers favours none.
    """
    raised = table.mean(1)
    found: Int[ndarray, "keys classes"] = (raised - raised.mean(0)).argmax(-1)
    return found


def scores_found(table: Table, found: Int[ndarray, "keys classes"]) -> Scores:
    """By how much each picture raises the answer found for its key and class above the mean of all keys on its cover.

    Answers differ from key to key, and some are common; less the mean they compare.
    """
    raised = table - table.mean(0)
    keys, classes = np.ogrid[: table.shape[0], : table.shape[2]]
    scores: Scores = raised[keys, :, classes, found]
    return scores
