"""Kill an optimisation and resume it."""

import math
from pathlib import Path

import pytest
from torch import Tensor

from unlearnable.images.imageset import ImageSet
from unlearnable.protections.optimised import OptimisationStep, Optimised
from unlearnable.storage import checkpoint


class KilledError(BaseException):
    """The end of a process: no failure of what it was doing."""


def save_every_step(patch: pytest.MonkeyPatch) -> None:
    """Optimisations write a checkpoint after every step, trainings after every epoch."""
    patch.setattr(checkpoint, "CHECKPOINT_SECONDS", -1)
    patch.setattr(checkpoint, "CHECKPOINT_SHARE", math.inf)


def resumed(method: Optimised, data: ImageSet, file: Path, after: int, seed: int = 0) -> Tensor:
    """The changes of a run that was killed in its step number ``after``, before it was saved, and resumed."""

    def kill(step: OptimisationStep) -> None:
        if step.done == after:
            raise KilledError

    with pytest.MonkeyPatch.context() as patch:
        save_every_step(patch)
        with pytest.raises(KilledError):
            method.optimised(data, seed, checkpoint=file, on_step=kill)
    done: list[int] = []
    change = method.optimised(data, seed, checkpoint=file, on_step=lambda step: done.append(step.done))
    assert done[0] == after
    return change
