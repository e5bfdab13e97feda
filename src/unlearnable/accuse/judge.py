"""From a model's answers to a verdict: was it trained on the owner's pictures?"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from unlearnable.accuse.answers import Answers, Kind, read_rows
from unlearnable.accuse.design import OWNER
from unlearnable.accuse.sealed import Sealed, Shown
from unlearnable.accuse.statistics import (
    Comparison,
    Scores,
    answers_found,
    evidence,
    holm,
    paired,
    responses,
    scores_found,
)

Verdict = Literal["shown", "not shown", "could not be tested"]
Mapped = Literal["given", "by name", "found"]
UNGIVEN = "(never given)"
NEVER = -1  # the place of an answer that was never given
FLAT = 1e-6  # numbers that differ by less say nothing


@dataclass(frozen=True)
class ClassFinding:
    """One class.

    Attributes:
        name: the owner's.
        answer: the model's that stands for it.
        comparison: of this class alone.
        corrected: its p-value, corrected for the number of classes.
    """

    name: str
    answer: str
    comparison: Comparison
    corrected: float


@dataclass(frozen=True)
class Judgement:
    """What a test has shown.

    Attributes:
        reason: why it could not be tested; else empty.
        level: of p-values.
        queries: pictures that the model was shown.
        decoys: keys beside the owner's.
        turns: pictures of every key and class.
        kind: of the answers.
        shown: what keys are known by (`Sealed`).
        seal: of the record.
        key: the fingerprint of the owner's key.
        verdict: ``shown`` where the p-value is at most the level.
        mapped: how the model's answers were assigned to the owner's classes; None where it could not be tested, as is
            what follows.
        comparison: over all classes.
        responses: of every key, the owner's first; see `accuse.statistics`.
        paired: the cross-check's p-value; see there.
        classes: one by one.
    """

    reason: str
    level: float
    queries: int
    decoys: int
    turns: int
    kind: Kind
    shown: Shown
    seal: str
    key: str
    verdict: Verdict = "could not be tested"
    mapped: Mapped | None = None
    comparison: Comparison | None = None
    responses: tuple[float, ...] = ()
    paired: float | None = None
    classes: tuple[ClassFinding, ...] = ()


def judge_answers(sealed: Sealed, answers: Answers, mapping: Mapping[str, str] | None = None) -> Judgement:
    """The verdict on a model that answered so.

    Args:
        sealed: the record of what it was shown.
        answers: in the order of the record.
        mapping: for each of the owner's classes the model's answer. When None, they are assigned by name where all
            the owner's classes are among the answers, or no others are; else found on half of the turns, and tested on
            the others. By pairs a model may lack classes, and nothing is searched.

    Raises:
        ValueError: the answers are not to these probes, or the mapping names what is not there.

    Examples:
        >>> from pathlib import Path
        >>> from unlearnable import Suspect, judge_answers, load, make_probes, protect_folder
        >>> load("toy:count=40").save(Path("photos"))
        >>> load("toy:count=40,seed=1").save(Path("others"))
        >>> _ = protect_folder("photos", "protected", key="key", strength="full", deal="order")
        >>> sealed = make_probes("protected", "others", "key", "probes", queries=160, level=0.05)
        >>> blind = Suspect(16, lambda pictures: ["disc"] * len(pictures))  # sees nothing, says one thing
        >>> judgement = judge_answers(sealed, blind.ask(Path("probes"), sealed))
        >>> judgement.verdict, judgement.reason
        ('could not be tested', 'the model gave one answer to everything: disc')
    """
    if len(answers.scores) != len(sealed.files):
        raise ValueError(f"expected answers to {len(sealed.files)} probes, got {len(answers.scores)}")
    mapped, given = _mapping(sealed, answers, mapping)
    untested = Judgement(
        reason=_untestable(sealed, answers, mapped, given),
        level=sealed.level,
        queries=len(sealed.files),
        decoys=sealed.extent.decoys,
        turns=sealed.extent.turns,
        kind=answers.kind,
        shown=sealed.shown,
        seal=sealed.seal,
        key=sealed.key,
    )
    if untested.reason:
        return untested
    said = sealed.arranged(answers.scores)
    table = evidence(answers.kind, said)
    if mapped == "found":
        found = answers_found(table[:, ::2])
        named, scores, means = found[OWNER], *(scores_found(half[:, 1::2], found) for half in (table, said))
    else:
        named, scores, means = given, *(_scores_given(whole, given) for whole in (table, said))
    answered = responses(scores)
    comparison = Comparison.of(answered, means.mean((1, 2)))
    return replace(
        untested,
        verdict="shown" if comparison.p_value <= sealed.level else "not shown",
        mapped=mapped,
        comparison=comparison,
        responses=tuple(map(float, answered)),
        paired=paired(scores, int(untested.seal[:8], 16)),
        classes=_class_findings(sealed, answers, named, scores, means),
    )


def _class_findings(
    sealed: Sealed, answers: Answers, named: Int[ndarray, " classes"], scores: Scores, means: Scores
) -> tuple[ClassFinding, ...]:
    """Class by class: the answer that stands for it, and the keys compared by it alone."""
    by_class = [
        Comparison.of(of_class.mean(1), shown.mean(1))
        for of_class, shown in zip(scores.swapaxes(0, 1), means.swapaxes(0, 1), strict=True)
    ]
    corrected = holm([one.p_value for one in by_class])
    called = [answers.names[place] if place > NEVER else UNGIVEN for place in named]
    return tuple(map(ClassFinding, sealed.classes, called, by_class, corrected))


def read_mapping(file: Path) -> dict[str, str]:
    """For each of the owner's classes the model's answer, from a CSV file of the columns ``class,answer``.

    Raises:
        ValueError: it is none.
    """
    head, *rows = read_rows(file)
    if head != ["class", "answer"] or any(len(row) != 2 for row in rows):
        raise ValueError(f"expected the columns class,answer in {file}, got {head}")
    return {name.strip(): answer.strip() for name, answer in rows}


def _mapping(
    sealed: Sealed, answers: Answers, mapping: Mapping[str, str] | None
) -> tuple[Mapped, Int[ndarray, " classes"]]:
    """How answers are assigned, and the place of the answer of each class."""
    places = {name: place for place, name in enumerate(answers.names)}
    if mapping is not None:
        missing = [name for name in sealed.classes if name not in mapping]
        if missing and (sealed.shown == "secrets" or len(missing) == len(sealed.classes)):
            raise ValueError(f"expected an answer for the class {missing[0]} in the mapping, got none")
        wanted = [mapping.get(name, UNGIVEN) for name in sealed.classes]
        said = [answer for answer in wanted if answer != UNGIVEN]
        if unknown := [answer for answer in said if answers.kind != "labels" and answer not in places]:
            raise ValueError(f"the mapping names the answer {unknown[0]}, of which the model says nothing")
        return "given", np.array([places.get(answer, NEVER) for answer in wanted])
    folded = {name.strip().casefold(): place for name, place in places.items()}
    known = [places.get(name, folded.get(name.strip().casefold(), NEVER)) for name in sealed.classes]
    owned = {name.strip().casefold() for name in sealed.classes}
    some = sealed.shown == "pairs" and max(known) > NEVER  # a class that the model lacks says nothing for any key
    named_alike = some or min(known) > NEVER or (answers.kind == "labels" and folded.keys() <= owned)
    given = [place for place in known if place > NEVER]
    return ("by name" if named_alike and len({*given}) == len(given) else "found"), np.array(known)


def _untestable(sealed: Sealed, answers: Answers, mapped: Mapped, given: Int[ndarray, " classes"]) -> str:
    """Why these answers cannot be tested; empty where they can."""
    if answers.kind == "labels" and len(answers.names) == 1:
        return f"the model gave one answer to everything: {answers.names[0]}"
    if answers.scores.std(0).max() < FLAT:
        return "the model gave the same numbers for every picture"
    if mapped != "found" and given.max() == NEVER:
        return "the model never gave any of the answers that stand for the owner's classes; look at the --mapping"
    if mapped == "found" and sealed.shown == "pairs":
        return "none of the model's answers is named as one of the owner's classes: name a --mapping"
    if mapped == "found" and sealed.extent.turns < 2:
        return (
            "the model's answers are not named as the owner's classes, and to find which is which takes two pictures "
            "of every key and class: name a --mapping, or make probes with a larger --budget-of-queries"
        )
    return ""


def _scores_given(table: Float[ndarray, "keys turns classes answers"], given: Int[ndarray, " classes"]) -> Scores:
    """What the model says of the class for which its answer counts; nothing of an answer that it never gave."""
    chosen = table[:, :, np.arange(len(given)), given]
    scores: Scores = np.where(given > NEVER, chosen, 0.0).transpose(0, 2, 1)
    return scores
