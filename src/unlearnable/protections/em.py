"""Noise that leaves a classifier nothing to learn (Huang, Ma, Erfani, Bailey and Wang, ICLR 2021, arXiv 2101.04898).

"Unlearnable Examples: Making Personal Data Unexploitable": error-minimising noise (EM). A surrogate learns the pictures
with their noise for a few steps, then the noise goes on lowering the surrogate's loss, by turns, until the surrogate
is right nearly everywhere.
"""

import warnings
from dataclasses import replace
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from unlearnable.images.imageset import Images, ImageSet
from unlearnable.options import (
    NonNegativeInt,
    Per,
    PositiveFloat,
    PositiveGreyLevels,
    PositiveInt,
    Share,
    UnitInterval,
)
from unlearnable.protections.base import protections
from unlearnable.protections.optimised import Optimisation
from unlearnable.protections.surrogate import OnSurrogate, Surrogate
from unlearnable.storage.checkpoint import State
from unlearnable.training.crops import split_batches
from unlearnable.training.pgd import PGD
from unlearnable.training.recipes import recipe_named

GRADIENT_NORM = 5.0  # at which the surrogate's gradients are clipped (the authors' code)


@protections.register("em")
class EM(OnSurrogate):
    """Min over the surrogate and min over the noise, by turns.

    A class-wise noise is the mean of what its pictures ask for, and is sought on a part of them. A surrogate knows few
    pictures by heart before such a noise has grown: fewer ``train_steps`` give it time.

    Pictures are taken in one random order, where the authors take them as they are filed: a folder is filed by class.
    The surrogate's error on a batch is counted as soon as its noise has moved, which sample by sample is the authors'
    count after the pass. Noise that is smaller than the pictures is not offered.

    Attributes:
        per: ``sample`` for another noise in each picture, ``class`` for one in all of a class.
        surrogate: victim on which the noise is optimised (paper: ResNet-18).
        train_steps: of the surrogate in a round, M (authors: 10 on CIFAR-10, 20 on CIFAR-100, 100 on ImageNet).
        steps: of PGD in a round; 0 for the authors', 20 sample by sample and 1 class by class.
        step: of PGD, in grey levels of 255 (authors: 0.8, on ImageNet 1.6).
        stop: the surrogate's error at which the search ends (authors: 0.01, on ImageNet 0.1).
        rounds: at most so many; a warning tells when they do not suffice. The authors go on until they do, which takes
            about 10 on CIFAR-10.
        subset: part of each class's pictures on which a class-wise noise is sought (authors: 0.2).
        batch_size: at most so many pictures at once, or three (authors: 512, on ImageNet 32).
        learning_rate: of the surrogate, constant (authors: 0.1); its momentum and weight decay are the paper recipe's.
        compat: ``signed`` for the noise of the paper, ``positive`` for that of the authors' published pictures, which
            lack all that would darken and all fractions of grey levels.
        budget: authors: 8/255 in L-inf, on ImageNet 16/255; the search's L-inf ball has this `radius`.
    """

    per: Per = "sample"
    surrogate: str = "resnet18"
    train_steps: PositiveInt = 10
    steps: NonNegativeInt = 0
    step: PositiveGreyLevels = 0.8
    stop: UnitInterval = 0.01
    rounds: PositiveInt = 50
    subset: Share = 0.2
    batch_size: PositiveInt = 512
    learning_rate: PositiveFloat = 0.1
    compat: Literal["signed", "positive"] = "signed"
    budget: str = "linf:8"

    @property
    def attack(self) -> PGD:
        """The steps of a round on a batch, downhill."""
        return PGD(self.radius, self.step, self.steps or (20 if self.per == "sample" else 1))

    def optimisation(self, data: ImageSet, seed: int) -> "MinMin":
        """The search for the noise; a step of it is one step of the surrogate, or PGD on one batch."""
        return MinMin(self, data)


class MinMin(Optimisation):
    """Rounds, each of ``train_steps`` steps of the surrogate and one pass of the noise over the batches.

    Attributes:
        noise: one for each picture or class, in [0, 1].
        owner: whose noise a picture has.
        batches: the pictures on which the noise is sought.
        wrong: how many of them the surrogate took for others in this round.
    """

    def __init__(self, method: EM, data: ImageSet) -> None:
        self.method, self.data = method, data
        recipe = replace(recipe_named("paper"), learning_rate=method.learning_rate)
        self.surrogate = Surrogate.of(method.surrogate, recipe, data)
        everybody = torch.arange(len(data), device=data.labels.device)
        if method.per == "sample":
            self.owner, used, owners = everybody, everybody, len(data)
        else:
            self.owner, used, owners = data.labels, stratified(data.labels, method.subset), len(data.classes)
        self.noise = torch.zeros(owners, *data.images.shape[1:], device=data.images.device)
        self.batches = split_batches(used[torch.randperm(len(used), device=used.device)], method.batch_size)
        self.used, self.wrong = len(used), 0
        self.round = method.train_steps + len(self.batches)
        self.steps = method.rounds * self.round

    @property
    def converged(self) -> bool:
        """Whether a round is over in which the surrogate was right often enough."""
        return self.done > 0 and self.done % self.round == 0 and self.wrong <= self.method.stop * self.used

    @property
    def finished(self) -> bool:
        """Converged, or out of rounds."""
        return self.converged or super().finished

    def advance(self) -> float:
        """One step of the surrogate on the next batch, or of the noise on every batch in turn."""
        turn, train_steps = self.done % self.round, self.method.train_steps
        if turn < train_steps:
            self.wrong = 0
            return self._learn(self.batches[(self.done // self.round * train_steps + turn) % len(self.batches)])
        return self._perturb(self.batches[turn - train_steps])

    def change(self) -> Float[Tensor, "n 3 h w"]:
        """The noise of every picture."""
        if not self.converged:
            warnings.warn(
                f"the surrogate is still wrong on {self.wrong} of {self.used} pictures; give the search more rounds or "
                "train_steps, or a larger stop",
                stacklevel=2,
            )
        noise = self.noise[self.owner] * 255
        if self.method.compat == "signed":
            return noise
        return (self.data.images + noise.clamp_min(0)).floor() - self.data.images

    def state(self) -> State:
        """Noise, errors and surrogate."""
        return {"noise": self.noise, "wrong": torch.tensor(self.wrong), **self.surrogate.state()}

    def restore(self, state: State) -> None:
        """Put them back."""
        self.noise.copy_(state["noise"])
        self.wrong = int(state["wrong"])
        self.surrogate.restore(state)

    def _learn(self, batch: Int64[Tensor, " b"]) -> float:
        images, noise = self._pictures(batch)
        return self.surrogate.learn((images + noise).clamp(0, 1), self.data.labels[batch], clip=GRADIENT_NORM)

    def _perturb(self, batch: Int64[Tensor, " b"]) -> float:
        """Downhill from the noise so far; then the mean over those that share a noise."""
        labels, (images, noise) = self.data.labels[batch], self._pictures(batch)
        change = self.method.attack.descend(images, noise, lambda seen: self.surrogate.gradient(seen, labels))
        owners, place = self.owner[batch].unique(return_inverse=True)
        shares = F.one_hot(place).T.float()  # a matrix product, since additions by index are in no fixed order on CUDA
        sums = shares @ change.flatten(1)
        self.noise[owners] = (sums / shares.sum(1, keepdim=True)).view(-1, *change.shape[1:])
        loss, wrong = self.surrogate.test((images + self.noise[self.owner[batch]]).clamp(0, 1), labels)
        self.wrong += wrong
        return loss

    def _pictures(self, batch: Int64[Tensor, " b"]) -> tuple[Images, Float[Tensor, "b 3 h w"]]:
        return self.data.images[batch].float() / 255, self.noise[self.owner[batch]]


def stratified(labels: Int64[Tensor, " n"], part: float) -> Int64[Tensor, " m"]:
    """The places of ``part`` of each class's pictures, drawn at random, at least one."""
    chosen = []
    for label in labels.unique():
        places = (labels == label).nonzero().flatten()
        kept = max(1, round(part * len(places)))
        chosen.append(places[torch.randperm(len(places), device=places.device)[:kept]])
    return torch.cat(chosen)
