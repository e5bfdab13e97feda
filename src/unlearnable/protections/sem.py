"""Noise that withstands random changes (Liu, Xu, Chen and Sun, AAAI 2024, arXiv 2311.13091).

"Stable Unlearnable Example: Enhancing the Robustness of Unlearnable Examples via Stable Error-Minimizing Noise" (SEM):
REM, but the noise is sought under one random change in place of an adversary's, at a ninth of the cost.
"""

from jaxtyping import Int64
from torch import Tensor

from unlearnable.images.imageset import Images
from unlearnable.protections.base import protections
from unlearnable.protections.rem import REM
from unlearnable.protections.surrogate import Surrogate


@protections.register("sem")
class SEM(REM):
    """As `REM`; the surrogate is trained adversarially here, too.

    Attributes:
        surrogate: as there.
        iterations: as there.
        batch_size: as there.
        learning_rate: as there.
        decay: as there.
        steps: as there.
        step: as there.
        draws: as there.
        adversary: radius of the random change, and of the surrogate's adversary, in grey levels (authors: 4).
        adversary_steps: of the surrogate's adversary alone.
        adversary_step: the same.
        budget: as there.
    """

    def foreseen(self, surrogate: Surrogate, images: Images, labels: Int64[Tensor, " n"]) -> Images:
        """Pictures on which the noise is to lower the loss: the randomly changed ones."""
        return (images + self.attack.start(images)).clamp(0, 1)
