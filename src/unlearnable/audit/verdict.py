"""An audit in a few sentences for somebody without statistics, which claim no more than was measured."""

from collections.abc import Iterator
from typing import Literal

from unlearnable.audit.outcome import AuditRow, Outcome
from unlearnable.bench.worst import IN_WORDS, WorstCase
from unlearnable.countermeasures import countermeasure_named
from unlearnable.images.visibility import described
from unlearnable.victims.architectures import victim_named

Status = Literal["holds", "weakened", "gone", "undecided", "control"]

NEAR_CLEAN = 0.05  # of accuracy: a trainer who misses so little has lost nothing that matters
SAYS_SOMETHING = 0.10  # clean training must beat chance by so much, or there is nothing to protect in what it learns
NEARLY_ALL = 0.9  # of the answers: a network that gives one or two classes so often has collapsed
ORDINARY = "vanilla"

LIMITS = (
    "At most, protection raises the cost of training a classifier from scratch on this set; it does not stop a "
    "determined trainer, pretrained models, purification or anyone holding clean copies; partial use gives little; "
    "it is not made for generative models; all figures hold only for this victim, this recipe and this picture size."
)


def verdict(outcome: Outcome) -> list[str]:
    """Plain sentences: the most important one first, what protection cannot do last."""
    return [*_sentences(outcome), LIMITS]


def status(row: AuditRow, chance: float) -> Status:
    """What is left of the protection in a row, judged by the peaks.

    ``holds``: nearer to chance than to what clean pictures give. ``gone``: within 5 points of clean. ``weakened``:
    between these. ``undecided``: clean pictures themselves give less than 10 points more than chance. ``control``: it
    says nothing of the protection, see `Countermeasure`.
    """
    clean, got = row.clean_peak.mean, row.peak.mean
    if row.control:
        return "control"
    if round(clean - chance, 6) < SAYS_SOMETHING:
        return "undecided"
    if round(clean - got, 6) <= NEAR_CLEAN:
        return "gone"
    return "holds" if got - chance < clean - got else "weakened"


def ordinary(outcome: Outcome) -> AuditRow | None:
    """The row without a countermeasure."""
    return next((row for row in outcome.rows if row.countermeasure == ORDINARY), None)


def by_status(outcome: Outcome) -> dict[Status, list[str]]:
    """Countermeasures by what they leave of the protection, the worst for it first; controls do not count."""
    found: dict[Status, list[str]] = {"holds": [], "weakened": [], "gone": [], "undecided": []}
    for row in outcome.worst_first():
        if row.countermeasure != ORDINARY and not row.control:
            found[status(row, outcome.chance)].append(row.countermeasure)
    return found


def percent(share: float) -> str:
    """A share in percent with one decimal."""
    return f"{100 * share:.1f} %"


def _sentences(outcome: Outcome) -> Iterator[str]:
    worst = outcome.worst_cases
    if not worst:
        yield "Nothing was measured: no training on published pictures has ended; nothing is known of the protection."
    else:
        yield from _bad_news(outcome)
        yield _headline(outcome)
        yield _details(outcome)
        yield from _owner(outcome)
        yield from _ordinary(outcome)
        yield _count(outcome)
        yield from _backbones(outcome)
        yield from _controls(outcome)
        yield from _collapse(outcome)
    yield from _missing(outcome)
    yield from _budget(outcome)
    yield from _visibility(outcome)
    if worst:
        yield _seeds(outcome)


def _bad_news(outcome: Outcome) -> Iterator[str]:
    """What makes the rest of the audit beside the point."""
    row = ordinary(outcome) or max(outcome.counted, key=lambda row: row.clean_peak.mean)
    found = status(row, outcome.chance)
    if found == "undecided":
        yield (
            f"This audit can say nothing about the protection: even on clean pictures the training gets only "
            f"{percent(row.clean_peak.mean)} of {_tested(outcome)} right, and guessing {percent(outcome.chance)}. "
            "Audit with more pictures or more epochs."
        )
    elif row.countermeasure == ORDINARY and found != "holds":
        yield (
            f"The protection does not hold even against ordinary training: without any countermeasure a trainer gets "
            f"{percent(row.peak.mean)} of {_tested(outcome)} right with the published pictures and "
            f"{percent(row.clean_peak.mean)} with clean ones."
        )


def _headline(outcome: Outcome) -> str:
    """The worst case of each kind of trainer, as a share of what he would get from clean pictures."""
    cases = [
        f"with {IN_WORDS[case.advantage]} {'nothing' if case.share is None else percent(case.share)}"
        for case in outcome.worst_cases.values()
    ]
    return f"In the worst case that was measured, a trainer gets of what clean pictures give him: {'; '.join(cases)}."


def _details(outcome: Outcome) -> str:
    """What the shares of the headline are of, and which kinds of trainer nobody tried."""
    worst = outcome.worst_cases
    untried = [words for advantage, words in IN_WORDS.items() if advantage not in worst]
    return (
        f"That is, of {_tested(outcome)} at the best epoch: {'; '.join(map(_of_clean, worst.values()))}. Guessing gets "
        f"{percent(outcome.chance)}." + (f" Not tried: a trainer with {'; with '.join(untried)}." if untried else "")
    )


def _of_clean(case: WorstCase) -> str:
    way = "ordinary training" if case.countermeasure == ORDINARY else case.countermeasure
    clean = f", clean {percent(case.clean.mean)}" if case.clean else ""
    return f"{way} {percent(case.peak.mean)} right{clean}"


def _ordinary(outcome: Outcome) -> Iterator[str]:
    """The result without a countermeasure, where no other sentence gives it."""
    row, named = ordinary(outcome), [case.countermeasure for case in outcome.worst_cases.values()]
    if row is None:
        yield "Ordinary training, without any countermeasure, was not measured."
    elif ORDINARY not in named and status(row, outcome.chance) in ("holds", "undecided"):
        yield (
            f"Ordinary training, without any countermeasure, gets {percent(row.peak.mean)} with the published pictures "
            f"and {percent(row.clean_peak.mean)} with clean ones."
        )


def _count(outcome: Outcome) -> str:
    found = by_status(outcome)
    total = sum(map(len, found.values()))
    if not total:
        return "No countermeasure was measured, so nothing is known of a trainer who tries one."
    unclear = len(found["undecided"])
    return (
        f"Countermeasures measured: {total}. The protection holds against {len(found['holds'])}, is weakened by "
        f"{len(found['weakened'])} and gone with {len(found['gone'])}"
        + (f"; {unclear} cannot be judged, as clean pictures give too little there" if unclear else "")
        + (f". Gone with: {'; '.join(found['gone'])}" if found["gone"] else "")
        + ". It is said to hold where the trainer's best stays nearer to guessing than to what clean pictures give, "
        f"and to be gone where it comes within {100 * NEAR_CLEAN:.0f} points of that."
    )


def _backbones(outcome: Outcome) -> Iterator[str]:
    """Which pretrained networks the figures are of."""
    victim, counted = victim_named(outcome.victim), outcome.counted
    tried = {countermeasure_named(row.countermeasure).adjust_victim(victim).pretrained for row in counted} - {""}
    if tried:
        yield (
            f"Pretrained networks that were tried: {', '.join(sorted(tried))}. What stops one need not stop another; "
            "nothing is known of those that are not named here."
        )


def _controls(outcome: Outcome) -> Iterator[str]:
    for row in outcome.rows:
        if not row.sees_published:
            yield (
                f"Without any published picture, from the few clean ones of {row.countermeasure} alone, a trainer gets "
                f"{percent(row.peak.mean)}; so much says nothing about the protection."
            )


def _collapse(outcome: Outcome) -> Iterator[str]:
    """Whether ordinary training on published pictures ends in a network with one or two answers."""
    row = ordinary(outcome)
    if row and status(row, outcome.chance) == "undecided":  # the clean network may have collapsed as well
        return
    for answers, words in ((1, "one class"), (2, "two classes")):
        shares = [
            _share(result.confusion, outcome.protected_classes, answers) for result in (row.protected if row else ())
        ]
        if min(shares, default=0) >= NEARLY_ALL:
            yield (
                f"After ordinary training the network takes {percent(min(shares))} of {_tested(outcome)} for {words}: "
                "a trainer who looks at its answers will see that something is wrong."
            )
            return


def _owner(outcome: Outcome) -> Iterator[str]:
    if outcome.protected_classes:
        yield (
            f"Only {len(outcome.protected_classes)} of {_counted(len(outcome.classes), 'class', 'classes')} are "
            "protected; every accuracy given here is over the test pictures of those alone (their recall)."
        )


def _missing(outcome: Outcome) -> Iterator[str]:
    trained = {row.countermeasure for row in outcome.rows}
    if names := [name for name in outcome.missing if name not in trained]:
        yield (
            f"Not measured, though asked for: {'; '.join(names)}. Nothing is known of a trainer who uses "
            f"{'it' if len(names) == 1 else 'one of these'}."
        )


def _budget(outcome: Outcome) -> Iterator[str]:
    published = outcome.published
    if published.over_budget:
        measured = len(published.qualities) or published.count
        yield (
            f"The budget is broken: {published.over_budget:,} of {_counted(measured, 'file')} measured changed more "
            f"than the promised {published.budget}."
        )


def _visibility(outcome: Outcome) -> Iterator[str]:
    if seen := outcome.published.visibility:
        yield f"To the eye: {described(seen)}."


def _seeds(outcome: Outcome) -> str:
    fewest = min(len(row.protected) for row in outcome.rows)
    if outcome.seeds == 1:
        return "Each figure comes from a single training (one seed), so differences of a few points mean nothing."
    if fewest == outcome.seeds:
        return f"Each figure is the mean of {outcome.seeds} trainings with different seeds."
    return (
        f"Not all trainings have ended: each figure is the mean of {fewest} to {outcome.seeds}, with different seeds"
        + ("; where there is one alone, differences of a few points mean nothing." if fewest == 1 else ".")
    )


def _share(confusion: tuple[tuple[int, ...], ...], classes: tuple[int, ...], answers: int) -> float:
    """Share of the so many most frequent answers; 0 where they are right for more than half of the pictures."""
    rows = classes or tuple(range(len(confusion)))
    total = sum(sum(confusion[row]) for row in rows)
    taken = [sum(confusion[row][column] for row in rows) for column in range(len(confusion))]
    frequent = sorted(range(len(taken)), key=lambda column: -taken[column])[:answers]
    truly = sum(sum(confusion[row]) for row in rows if row in frequent)
    return sum(taken[column] for column in frequent) / total if truly <= total / 2 else 0.0


def _tested(outcome: Outcome) -> str:
    return "the test pictures of the protected classes" if outcome.protected_classes else "the test pictures"


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"
