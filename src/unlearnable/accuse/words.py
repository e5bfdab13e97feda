"""A judgement in plain words: what was shown, and what was not."""

from unlearnable.accuse.judge import Judgement
from unlearnable.accuse.sealed import Shown
from unlearnable.accuse.statistics import Comparison

ANSWERED: dict[Shown, str] = {
    "secrets": "the model answers to secrets that this key alone gives. Pictures that bear them",
    "pairs": "the model takes classes for each other as this key pairs them. Pictures that were changed so",
}
MEANT = (
    "What it means, provided that the key is older than the model: {answered}, or something made of such pictures, "
    "were among what it was trained on. It does not say which pictures or how many, who trained it, or whether that "
    "was allowed."
)
UNMEANT: dict[Shown, str] = {
    "secrets": "What it does not mean: that your pictures were not used. A small share of them, a fine-tuned or "
    "cleaned model, or too few questions show nothing, either.",
    "pairs": "What it does not mean: that your pictures were not used. A small share of them, a model that was trained "
    "from scratch or cleaned, or too few questions show nothing, either.",
}
ONCE = (
    "A test counts once. Whoever asks several models, or one model again until it is shown, must say how often: each "
    "test of an innocent model is wrong with the probability of its level."
)
BEARS: dict[Shown, str] = {
    "secrets": "secrets of your key",
    "pairs": "changes that your key chose",
}
GIVEN: dict[Shown, str] = {
    "secrets": "the class whose secret it is shown",
    "pairs": "a class where it is shown the one that the key pairs with it",
}


def headline(judgement: Judgement) -> str:
    """The verdict in one sentence."""
    match judgement.verdict, judgement.comparison:
        case "shown", Comparison() as found:
            return (
                f"Shown: this model was trained on pictures that bear {BEARS[judgement.shown]} "
                f"(p = {found.p_value:.3g}, at most {judgement.level:g} was asked)."
            )
        case "not shown", Comparison() as found:
            return f"Not shown: your key does not stand out from keys that are nobody's (p = {found.p_value:.3g})."
        case _:
            return f"Could not be tested: {judgement.reason}."


def sentences(judgement: Judgement) -> list[str]:
    """What lies behind it, and what it means."""
    found = judgement.comparison
    if not found:
        return ["Nothing follows from this, for or against the model.", ONCE]
    decoys, highest = judgement.decoys, in_percent(found.highest_decoy)
    measure = "" if judgement.kind == "labels" else ", by the mean of log-odds"
    return [
        f"{_counted(judgement)}: {in_percent(found.owner)} with your key; "
        f"with {decoys} keys that are nobody's {in_percent(found.decoys)} on average, {highest} at most.",
        f"It responds less to {found.beaten} of {decoys} such keys than to yours{measure}. To a model that knows "
        f"nothing of it your key is one of {decoys + 1}, and so good a rank has a probability of {found.p_value:.3g}.",
        MEANT.format(answered=ANSWERED[judgement.shown]) if judgement.verdict == "shown" else UNMEANT[judgement.shown],
        ONCE,
    ]


def _counted(judgement: Judgement) -> str:
    """What a key's figure is."""
    match judgement.kind, judgement.mapped:
        case "labels", "found":
            return "By how much more often than with the other keys it gives the answer that was found for a class"
        case "labels", _:
            return f"How often it names {GIVEN[judgement.shown]}"
        case _, "found":
            return "By how much the answer found for a class is more probable than with the other keys"
        case _:
            return f"What probability it gives {GIVEN[judgement.shown]}"


def in_percent(share: float) -> str:
    """With a sign before what is below nothing."""
    return f"{100 * share:.1f} %".replace("-", "\N{MINUS SIGN}")
