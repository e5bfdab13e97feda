"""How much of a budget is spent on a picture: no more than leaves it as it looks.

A budget is a limit, not a target. The same RMS is seen by nobody in a meadow and by anybody in a clear sky, so every
picture gets as much as SSIMULACRA2 forgives it: of the whole as it is looked at on a screen, and of its worst crops at
100 %. Both are measured as `images.visibility` measures them.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Shaped, UInt8
from numpy import ndarray
from torch import Tensor

from unlearnable.images.budget import Budget, Change, Pixels, root_mean_square
from unlearnable.images.ssimulacra2 import Ssimulacra2
from unlearnable.images.transparency import OPAQUE, Seen
from unlearnable.images.visibility import CROP, Visibility, continued, on_screen, promising_crops, rgb
from unlearnable.options import Strength

Limit = Literal["budget", "screen", "crop"]  # what kept a picture from getting more

MARGIN = 0.1  # of a score, for what torch and the package differ
REDUCED = 0.3  # more of it, of a picture that is reduced: both are rounded before and after
TOLERANCE = 0.5  # of a score that is measured again: other crops may promise the worst, and a reduction is rounded
CLOSE = 0.5  # a score that is so near to what was asked for is near enough
EXPONENT = 1.1  # with which 100 - SSIMULACRA2 grows with the change, about
STEPS = 10  # of the search at most; three or four do nearly always


@dataclass(frozen=True)
class Asked:
    """The lowest SSIMULACRA2 that a copy may have.

    Attributes:
        small: of a picture that is seen at 100 % as a whole.
        screen: of a larger one, reduced to a screen.
        crop: of its crops at 100 %.
    """

    small: float
    screen: float
    crop: float


ASKED: dict[Strength, Asked] = {  # of the full strength nothing is asked
    "light": Asked(88, 92, 75),
    "standard": Asked(78, 85, 60),
    "strong": Asked(65, 75, 40),
}


def within(
    original: Pixels, change: Change, budget: Budget, strength: Strength, seen: Seen = OPAQUE
) -> tuple[Pixels, Limit]:
    """The picture with as much of its change (grey levels) as both allow, where it is seen, and what was the limit.

    Raises:
        ValueError: the change is not finite, or they do not go together.
    """
    check_strength(strength, budget)
    values, counted = seen.values(original), seen.values(change)
    published = seen.restored(original, budget.project(values, counted))
    if strength == "full":
        return published, "budget"
    most = np.float32(min(1.0, budget.radius / max(root_mean_square(counted), 1e-9)))
    views = _views(seen.picture(original), seen.picture(published), seen.change(change * most), ASKED[strength])
    share, limit = min((_share(view), view.limit) for view in views)
    if share == 1:
        return published, "budget"
    return seen.restored(original, budget.project(values, counted * most * np.float32(share))), limit


def check_strength(strength: Strength, budget: Budget) -> None:
    """See that a strength can be kept: a change is made weaker as a whole, and a budget of energy alone says how.

    Raises:
        ValueError: it cannot.
    """
    if strength != "full" and budget.norm != "rms":
        raise ValueError(f"expected with the strength {strength} a budget such as rms:8, got {budget}")


def keeps(seen: Visibility, original: Pixels, strength: Strength) -> bool:
    """Whether what people see of a copy of ``original`` is what its strength allows, but for what rounding does."""
    if strength == "full":
        return True
    asked, small = ASKED[strength], max(original.shape[:2]) <= CROP
    screen, crop = (asked.small, asked.small) if small else (asked.screen, asked.crop)
    return seen.ssimulacra2 >= screen - TOLERANCE and seen.worst_crop >= crop - TOLERANCE


class View(NamedTuple):
    """What is looked at: a picture, the strongest change of it, and the score that is asked for."""

    limit: Limit
    original: UInt8[ndarray, "h w 3"]
    change: Float[ndarray, "h w 3"]
    asked: float


def _views(original: Pixels, published: Pixels, strongest: Change, asked: Asked) -> Iterator[View]:
    """Of a picture that is published with its strongest change."""
    before, after, change = rgb(original), rgb(published), np.broadcast_to(strongest, (*original.shape[:2], 3))
    if max(before.shape[:2]) <= CROP:
        yield View("screen", before, change, asked.small)
        return
    reduced = on_screen(before)
    yield View("screen", reduced, on_screen(after).astype(np.float32) - reduced, asked.screen + REDUCED)
    for window in promising_crops(before, after):
        yield View("crop", before[window], change[window], asked.crop)


def _share(view: View) -> float:
    """The largest share of the change, up to 1, with which the score is at least what is asked, as far as worth a look.

    What a score lacks of 100 grows about as a power of the change, but for what rounding to 8 bits adds to small ones.
    """
    originals, steps = _planes(view.original), _planes(view.change)
    measure, most = Ssimulacra2(originals / 255), 100 - view.asked - MARGIN

    def lacking(share: float) -> float:
        with torch.inference_mode():
            published = (originals + (share * steps).round()).clamp(0, 255)
            return max(1e-3, 100 - float(measure(published / 255)))

    enough, share = 0.0, 1.0
    too_much = math.inf
    for _ in range(STEPS):
        found = lacking(share)
        if found <= most:
            enough = share
        else:
            too_much = share
        if enough == 1 or (enough and (found > most - CLOSE or too_much < (1 + CLOSE / 10) * enough)):
            break
        guess = share * ((most - CLOSE / 2) / found) ** (1 / EXPONENT)
        inside = enough < guess < min(too_much, 1.0)
        share = guess if inside else math.sqrt(max(enough, too_much / 4) * min(too_much, 1.0))
    return enough


def _planes(pixels: Shaped[ndarray, "_ _ 3"]) -> Float[Tensor, "1 3 _ _"]:
    return torch.from_numpy(continued(pixels)).permute(2, 0, 1)[None].float()
