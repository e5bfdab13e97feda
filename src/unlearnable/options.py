"""What an option can be: choices, and ranges that recur, in Python and in text, where nothing heavy may be imported."""

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Interval, Predicate


def odd(number: int) -> bool:
    """Whether two do not divide it."""
    return number % 2 == 1


Against = Literal["scratch", "backbones"]  # who is to learn nothing: who trains from scratch, or from a backbone
Ask = Literal[
    "no-training", "no-generative-training", "search-only", "no-mining", "nothing"
]  # of who collects pictures
Classes = Literal["folders", "auto", "one"]  # whence they come: sub-folders, what pictures show; or all are of one
Deal = Literal["contrary", "order"]  # of secrets to classes: which serves which
Format = Literal["png", "webp", "jpeg"]  # of the protected files
Generator = Literal["diffusion", "stylise", "render", "photo"]  # of a bank's pictures
Platform = Literal["instagram", "x", "facebook", "bluesky", "mastodon", "wordpress", "deviantart", "pixiv", "web"]
Strength = Literal["light", "standard", "strong", "full"]  # how much of a budget is spent where people would see it
Per = Literal["class", "sample"]  # whether the pictures of a class share one secret

QUERIES, LEVEL = 3000, 0.01  # of an accusation: pictures that a model is shown, at most; the p-value to be reached

PositiveInt = Annotated[int, Ge(1)]
NonNegativeInt = Annotated[int, Ge(0)]
OddInt = Annotated[int, Ge(1), Predicate(odd)]  # side of a kernel that has a centre
Seed = Annotated[int, Interval(ge=0, le=2**32 - 1)]  # what NumPy, torch and scikit-learn all take
PositiveFloat = Annotated[float, Gt(0)]
NonNegativeFloat = Annotated[float, Ge(0)]
Share = Annotated[float, Interval(gt=0, le=1)]  # a part that must not be nothing
UnitInterval = Annotated[float, Interval(ge=0, le=1)]
BelowOne = Annotated[float, Interval(ge=0, lt=1)]  # a part that must leave a rest
GreyLevels = Annotated[float, Interval(ge=0, le=255)]
PositiveGreyLevels = Annotated[float, Interval(gt=0, le=255)]
