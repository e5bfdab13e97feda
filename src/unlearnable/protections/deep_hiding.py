"""Hide a semantic image in every picture with an invertible network (Deep Hiding, ICLR 2024 submission).

"Towards Robust Unlearnable Examples via Deep Hiding", anonymous authors. The network is `hiding.network`, the
secrets are `semantics.render`.
"""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from unlearnable.hiding.inference import perturbations, prepare, shipped_weights
from unlearnable.hiding.network import WEIGHTS, Hider, weights_folder
from unlearnable.images import ImageSet
from unlearnable.keys import Key
from unlearnable.protections.base import Protection, protections
from unlearnable.semantics.render import render


@protections.register("deep_hiding")
class DeepHiding(Protection):
    """Eqs. 2 and 3, in the class-wise or the sample-wise setting, with rendered secrets.

    Attributes:
        per: ``class`` or ``sample`` (paper, section 4.1).
        budget: ``rms:8`` is what the paper's eq. 5 bounds.
        weights: folder or hub id of a `Hider`; empty for those that ship.
    """

    per: str = "class"
    budget: str = "rms:8"
    weights: str = ""

    @property
    def files(self) -> tuple[Path, ...]:
        """The network's weights."""
        return (weights_folder(self.weights or shipped_weights()) / WEIGHTS,)

    def perturb(self, data: ImageSet, seed: int) -> Float[Tensor, "n 3 h w"]:
        """Hide the secrets of a key made from ``seed``: variation 0 in all, or the picture's own index."""
        if self.per not in ("class", "sample"):
            raise ValueError(f"expected per=class or per=sample, got {self.per!r}")
        key, (height, width) = Key(seed.to_bytes(32, "big")), data.images.shape[-2:]
        indices = np.arange(len(data)) if self.per == "sample" else np.zeros(len(data), int)
        pairs = list(zip(data.labels.tolist(), indices.tolist(), strict=True))
        drawn = {pair: render(key, *pair, height, width) for pair in dict.fromkeys(pairs)}
        secrets = torch.from_numpy(np.stack([drawn[pair] for pair in pairs]))
        hider = prepare(Hider.load(self.weights or shipped_weights()))
        return perturbations(hider, data.images, secrets)
