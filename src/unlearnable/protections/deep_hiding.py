"""Hide a semantic image in every picture with an invertible network (Deep Hiding, ICLR 2024 submission).

"Towards Robust Unlearnable Examples via Deep Hiding", anonymous authors. The network is `hiding.network`, the
secrets are `semantics.secrets`.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from unlearnable.hiding.inference import perturbations, prepare, weights_named
from unlearnable.hiding.network import WEIGHTS, Hider
from unlearnable.hiding.stamp import stamped
from unlearnable.hiding.surrogates import SURROGATES
from unlearnable.hiding.targeting import Targeting, scaled
from unlearnable.images.budget import Budget, Change, Pixels
from unlearnable.images.imageset import ImageSet
from unlearnable.images.strength import check_strength, within
from unlearnable.keys import Key
from unlearnable.options import BelowOne, Deal, Per, Strength
from unlearnable.protections.base import Protection, protections, stacked, variations
from unlearnable.protections.pulling import Pulling
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
        weights: a generation that comes with the package (``first``, ``second``, ``third``), a folder, or a hub id;
            empty for the last generation.
        secrets: ``render`` for drawings, or the folder of a bank of semantic images.
        deal: which secret serves which class: ``contrary`` to the pictures (`semantics.assignment`), or in ``order``.
        strength: how much of the budget is spent where people would see it: ``light``, ``standard``, ``strong``
            (`images.strength`), or all of it (``full``; the paper's).
        pull: share of the energy that pulls what surrogates see in each picture away from its class
            (`hiding.targeting`; paper: 0). A change of all values alike, it asks for a budget of energy.
        surrogates: the networks, joined by ``+``: names of `hiding.surrogates.SURROGATES`, or ``NETWORK@FILE``,
            against pretrained backbones of their family; or victims, such as ``resnet9``, which learn the pictures
            first, against who trains from scratch on small ones (`protections.learnt`).
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
    pull: BelowOne = 0.0
    surrogates: str = "+".join(SURROGATES)

    def __post_init__(self) -> None:
        super().__post_init__()
        budget = Budget.parse(self.budget)
        check_strength(self.strength, budget)
        if self.pull and budget.norm != "rms":
            raise ValueError(f"expected with a pull a budget such as rms:8, got {budget}")
        Pulling.parse(self.surrogates)  # says what is wrong with them

    def find_files(self) -> tuple[Path, ...]:
        """The network's weights, and what says the content of every picture of a bank."""
        bank = () if self.secrets == RENDER else (Path(self.secrets) / BANK,)
        networks = self.pulling.find_files() if self.pull else ()
        return (weights_named(self.weights) / WEIGHTS, *bank, *networks)

    @property
    def pulling(self) -> Pulling:
        """The surrogates."""
        return Pulling.parse(self.surrogates)

    def check_serves(self, data: ImageSet, seed: int) -> None:
        """See `Protection`: every class needs a secret, and what learns the pictures has to be able to."""
        super().check_serves(data, seed)
        if self.pull:
            self.pulling.check_serves(data)
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

    def with_pull(
        self,
        changes: Float[Tensor, "n 3 h w"],
        covers: UInt8[Tensor, "n 3 h w"],
        labels: Int64[Tensor, " n"],
        targeting: Targeting,
    ) -> Float[Tensor, "n 3 h w"]:
        """The whole budget, of which what is hidden and what pulls have their shares of the energy."""
        radius = Budget.parse(self.budget).radius
        hidden = scaled(changes, radius * math.sqrt(1 - self.pull))
        return hidden + scaled(targeting(covers, hidden, labels), radius * math.sqrt(self.pull))

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
        key = Key.of_seed(seed)
        changes = self.with_stamps(changes, data.images, data.labels.tolist(), key)
        if not self.pull:
            return changes
        looked_at = self._some(data, self.pulling.look.each(len(data.classes)))
        seen = torch.tensor([index for indices in looked_at.values() for index in indices])
        targeting = self.pulling.targeting(data.images[seen], data.labels[seen], len(data.classes), key)
        return self.with_pull(changes, data.images, data.labels, targeting)

    def published(self, original: Pixels, change: Change) -> Pixels:
        """See `Protection`: no stronger than its strength allows, either."""
        return within(original, change, Budget.parse(self.budget), self.strength)[0]

    def _secrets(self, seed: int) -> Secrets:
        """Those that the weights hide, or a bank's."""
        drawings = Hider.load(weights_named(self.weights)).drawings
        return secrets_named(self.secrets, Key.of_seed(seed), drawings)

    def _numbers(self, data: ImageSet, secrets: Secrets) -> dict[int, int]:
        """The secret's number for every label that there is."""
        chosen = self._some(data, SAMPLE)
        if self.deal == "order":
            return {label: label for label in chosen}
        pictures = ((data.images[index].numpy() for index in indices) for indices in chosen.values())
        spectra = [mean_spectrum(map(spectrum, of_class)) for of_class in pictures]
        return dict(zip(chosen, contrary(spectra, secrets, *data.images.shape[-2:]), strict=True))

    @staticmethod
    def _some(data: ImageSet, count: int) -> dict[int, list[int]]:
        """Places of up to so many pictures of every class that there is."""
        labels = data.labels.unique().tolist()
        return {label: evenly((data.labels == label).nonzero().flatten().tolist(), count) for label in labels}
