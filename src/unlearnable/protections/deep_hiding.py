"""Hide a semantic image in every picture with an invertible network (Deep Hiding, ICLR 2024 submission).

"Towards Robust Unlearnable Examples via Deep Hiding", anonymous authors. The network is `hiding.network`, the
secrets are `semantics.secrets`.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from unlearnable.compute.devices import best_device
from unlearnable.hiding.foreign import foreign_surrogates
from unlearnable.hiding.inference import perturbations, prepare, weights_named
from unlearnable.hiding.network import WEIGHTS, Hider
from unlearnable.hiding.stamp import stamped
from unlearnable.hiding.surrogates import SIDE, SURROGATES, Surrogate, surrogate_file
from unlearnable.hiding.targeting import Targeting, pairs_of, scaled
from unlearnable.images.budget import Budget, Change, Pixels
from unlearnable.images.imageset import ImageSet
from unlearnable.images.strength import check_strength, within
from unlearnable.keys import Key
from unlearnable.options import BelowOne, Deal, Per, Strength
from unlearnable.protections.base import Protection, protections, stacked, variations
from unlearnable.protections.learnt import Learnt, is_learnt
from unlearnable.semantics.assignment import contrary, evenly, mean_spectrum, spectrum
from unlearnable.semantics.bank import BANK
from unlearnable.semantics.secrets import RENDER, Secrets, secrets_named
from unlearnable.semantics.textures import textures
from unlearnable.victims.architectures import SMALL_SIDE

SAMPLE = 200  # pictures of a class at which the dealing looks


class Look(NamedTuple):
    """At which pictures surrogates look before anything is made against them.

    Attributes:
        per_class: at most so many of each class.
        in_all: at most so many, but one of every class.
        read_at: px of the long side, to which they are reduced.
        side: px of the squares that they become.
    """

    per_class: int
    in_all: int
    read_at: int
    side: int


FROZEN = Look(32, 2000, SIDE, SIDE)  # to know where each class lies
LEARNING = Look(1000, 20_000, 2 * SMALL_SIDE, SMALL_SIDE)


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
        pull: share of the energy that pulls each picture's features away from its class, against pretrained backbones
            of the surrogates' family (`hiding.targeting`; paper: 0). A change of all values alike, it asks for a
            budget of energy.
        surrogates: whose features, joined by ``+``: names of `hiding.surrogates.SURROGATES`, or ``NETWORK@FILE``. A
            victim's name alone, such as ``resnet9``, is a network that learns the pictures first, against who trains
            from scratch (`protections.learnt`).
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

    def find_files(self) -> tuple[Path, ...]:
        """The network's weights, and what says the content of every picture of a bank."""
        bank = () if self.secrets == RENDER else (Path(self.secrets) / BANK,)
        frozen = [name for name in self.surrogate_names if not is_learnt(name)] if self.pull else []
        networks = tuple(map(surrogate_file, frozen))
        return (weights_named(self.weights) / WEIGHTS, *bank, *networks)

    @property
    def surrogate_names(self) -> list[str]:
        """One by one."""
        return self.surrogates.split("+")

    @property
    def learns(self) -> bool:
        """Whether a surrogate learns the pictures first."""
        return self.pull > 0 and any(map(is_learnt, self.surrogate_names))

    @property
    def look(self) -> Look:
        """At which pictures surrogates look."""
        return LEARNING if self.learns else FROZEN

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

    def targeting(
        self,
        pictures: UInt8[Tensor, "n 3 h w"],
        labels: Int64[Tensor, " n"],
        classes: int,
        key: Key,
        device: torch.device | None = None,
    ) -> Targeting:
        """What pulls, after a look at some pictures of every class; on the best device when None.

        Raises:
            ValueError: they are of one class, and a surrogate knows none of its own (`hiding.foreign`).
        """
        device = device or best_device()
        if classes == 1 and self.learns:
            raise ValueError(
                "expected pictures of two classes or more, got one class: a network that learns them has nothing to "
                f"tell apart; take surrogates among {', '.join(SURROGATES)}, or no pull"
            )
        if classes == 1:
            foreign, pair = foreign_surrogates(self.surrogate_names, pictures, key, device), torch.tensor([1])
            return Targeting(foreign, pair.to(device), key.seed("targeting"))
        data = ImageSet(pictures, labels, tuple(map(str, range(classes))))
        surrogates = [
            Learnt.of(name, data, key.seed("learnt"), device)
            if is_learnt(name)
            else Surrogate.of(name, pictures, labels, classes, device)
            for name in self.surrogate_names
        ]
        return Targeting(surrogates, pairs_of(key, classes).to(device), key.seed("targeting"))

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
        seen = torch.tensor([index for indices in self._some(data, self.look.per_class).values() for index in indices])
        targeting = self.targeting(data.images[seen], data.labels[seen], len(data.classes), key)
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
