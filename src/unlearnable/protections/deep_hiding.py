"""Hide a semantic image in every picture with an invertible network (Deep Hiding, ICLR 2024 submission).

"Towards Robust Unlearnable Examples via Deep Hiding", anonymous authors. The network is `hiding.network`, the
secrets are `semantics.secrets`.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from unlearnable.hiding.inference import perturbations, prepare, weights_named
from unlearnable.hiding.network import WEIGHTS, Hider
from unlearnable.hiding.stamp import stamped
from unlearnable.images.budget import Budget, Change, Pixels
from unlearnable.images.imageset import ImageSet
from unlearnable.images.strength import check_strength, within
from unlearnable.keys import Key
from unlearnable.options import BelowOne, Deal, Per, Strength
from unlearnable.protections.base import Protection, protections, stacked, variations
from unlearnable.semantics.assignment import contrary, evenly, mean_spectrum, spectrum
from unlearnable.semantics.bank import BANK
from unlearnable.semantics.secrets import RENDER, Secrets, secrets_named
from unlearnable.semantics.textures import textures

SAMPLE = 200  # pictures of a class at which the dealing looks


@protections.register("deep_hiding")
class DeepHiding(Protection):
    """Eqs. 2 and 3, in the class-wise or the sample-wise setting, and beyond them a stamp on small pictures.

    Attributes:
        per: ``class`` or ``sample`` (paper, section 4.1).
        budget: ``rms:8`` is what the paper's eq. 5 bounds.
        weights: a generation that comes with the package (``first``, ``second``), a folder, or a hub id; empty for the
            last generation.
        secrets: ``render`` for drawings, or the folder of a bank of semantic images.
        deal: which secret serves which class: ``contrary`` to the pictures (`semantics.assignment`), or in ``order``.
        strength: how much of the budget is spent where people would see it: ``light``, ``standard``, ``strong``
            (`images.strength`), or all of it (``full``; the paper's).
        stamp: share of the energy that pictures of 32 to 64 px give to a stamp against adversarial training
            (`hiding.stamp`; paper: 0). Under a budget that bounds every value there is none: adversarial training takes
            away what is left of it then.
    """

    per: Per = "class"
    budget: str = "rms:8"
    weights: str = ""
    secrets: str = RENDER
    deal: Deal = "contrary"
    stamp: BelowOne = 0.0
    strength: Strength = "full"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_strength(self.strength, Budget.parse(self.budget))

    def find_files(self) -> tuple[Path, ...]:
        """The network's weights, and what says the content of every picture of a bank."""
        weights = weights_named(self.weights) / WEIGHTS
        return (weights,) if self.secrets == RENDER else (weights, Path(self.secrets) / BANK)

    def check_serves(self, data: ImageSet, seed: int) -> None:
        """See `Protection`: every class needs a secret."""
        super().check_serves(data, seed)
        capacity = self._secrets(seed).capacity
        if len(data.classes) > capacity:
            raise ValueError(
                f"expected at most {capacity} classes, as many as there are secrets in {self.secrets}, "
                f"got {len(data.classes)}"
            )

    def with_stamps(
        self,
        changes: Float[Tensor, "n 3 h w"],
        covers: UInt8[Tensor, "n 3 h w"],
        labels: Sequence[int],
        key: Key,
    ) -> Float[Tensor, "n 3 h w"]:
        """What hiding adds, with the stamps of the classes, if asked for and the budget is one of energy."""
        budget = Budget.parse(self.budget)
        if not self.stamp or budget.norm != "rms":
            return changes
        return stamped(changes, covers, torch.from_numpy(textures(key, labels)), self.stamp, budget.radius)

    def hidden(self, data: ImageSet, seed: int) -> UInt8[Tensor, "n 3 h w"]:
        """The secrets that a key made from ``seed`` gives: variation 0 in all, or the picture's own index."""
        secrets, (height, width) = self._secrets(seed), data.images.shape[-2:]
        numbers = self._numbers(data, secrets)
        of_classes = variations(data.labels, torch.arange(len(data)), self.per)
        pairs = [
            (numbers[label], secrets.index(variation, label, place))
            for place, (label, variation) in enumerate(of_classes)
        ]
        return stacked(lambda number, variation: secrets.draw(number, variation, height, width), pairs)

    def perturb(self, data: ImageSet, seed: int) -> Float[Tensor, "n 3 h w"]:
        """Hide what is `hidden`, and add the stamps."""
        hider = prepare(Hider.load(weights_named(self.weights)))
        changes = perturbations(hider, data.images, self.hidden(data, seed))
        return self.with_stamps(changes, data.images, data.labels.tolist(), Key.of_seed(seed))

    def published(self, original: Pixels, change: Change) -> Pixels:
        """See `Protection`: no stronger than its strength allows, either."""
        return within(original, change, Budget.parse(self.budget), self.strength)[0]

    def _secrets(self, seed: int) -> Secrets:
        """Those that the weights were trained to hide, or a bank's."""
        drawings = Hider.load(weights_named(self.weights)).drawings
        return secrets_named(self.secrets, Key.of_seed(seed), drawings)

    def _numbers(self, data: ImageSet, secrets: Secrets) -> dict[int, int]:
        """The secret's number for every label that there is."""
        labels = data.labels.unique().tolist()
        if self.deal == "order":
            return {label: label for label in labels}
        chosen = [evenly((data.labels == label).nonzero().flatten().tolist(), SAMPLE) for label in labels]
        spectra = [mean_spectrum(spectrum(data.images[index].numpy()) for index in indices) for indices in chosen]
        return dict(zip(labels, contrary(spectra, secrets, *data.images.shape[-2:]), strict=True))
