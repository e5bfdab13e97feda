"""What TAP and EntF share: train a surrogate, then change every picture by signed steps against what it has learnt."""

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from unlearnable.compute.devices import at_once, fast
from unlearnable.images.imageset import Images, ImageSet
from unlearnable.protections.optimised import Optimisation
from unlearnable.protections.surrogate import OnSurrogate, Surrogate
from unlearnable.storage.checkpoint import State
from unlearnable.training.countermeasure import Countermeasure
from unlearnable.training.loop import train_epoch
from unlearnable.training.pgd import PGD, Change, input_gradient
from unlearnable.training.recipes import Recipe, recipe_named

REACH = 1 / 8  # of the side: 4 of 32 px, as TAP's and EntF's authors have it


def jittered(images: Images) -> Images:
    """Every picture moved by up to `REACH` along both axes, and mirrored or not, all drawn for itself."""
    count, device = len(images), images.device
    reach = REACH * torch.tensor(images.shape[-2:], device=device)
    offsets = reach * (2 * torch.rand(count, 2, device=device) - 1)
    return moved(images, offsets, torch.rand(count, device=device) < 0.5)


def moved(images: Images, offsets: Float[Tensor, "n 2"], mirrored: Bool[Tensor, " n"]) -> Images:
    """Mirror where told, then move down and right by ``offsets`` px, bilinearly; black comes in.

    A product with one matrix an axis and picture, because CUDA adds up the gradient of
    `torch.nn.functional.grid_sample` in another order at every run, and a sign may turn.
    """
    rows, columns = (_interpolation(side, offset) for side, offset in zip(images.shape[-2:], offsets.T, strict=True))
    columns = torch.where(mirrored[:, None, None], columns.flip(2), columns)
    return torch.einsum("nyi,ncij,nxj->ncyx", rows, images, columns)


def _interpolation(side: int, offset: Float[Tensor, " n"]) -> Float[Tensor, "n side side"]:
    """How much of each old row (last axis) a new one takes: a hat of one pixel around where it comes from."""
    places = torch.arange(side, device=offset.device)
    origins = places - offset[:, None]
    return (1 - (origins[:, :, None] - places).abs()).clamp_min(0)


Objective = Callable[[Images, Int64[Tensor, " n"]], Float[Tensor, " n"]]  # pictures and labels: losses to be lowered


@dataclass(eq=False)
class SignSteps(Optimisation):
    """First the surrogate's epochs, then so many passes over the set for every restart, each one step.

    Attributes:
        data: pictures and labels.
        surrogate: trained in the first phase, frozen and in evaluation mode after it.
        recipe: of its training.
        training: what its training does beyond the recipe.
        objective: makes the losses of the second phase from the trained network and the clean set.
        walk: a pass's step of every picture.
        passes: over the set.
        restarts: from other noise; the changes whose last pass has the lowest mean loss are kept.
    """

    data: ImageSet
    surrogate: Surrogate
    recipe: Recipe
    training: Countermeasure
    objective: Callable[[nn.Module, ImageSet], Objective]
    walk: PGD
    passes: int
    restarts: int

    def __post_init__(self) -> None:
        self.steps = self.recipe.epochs + self.restarts * self.passes
        self._current = self._best = torch.empty(0)
        self._lowest = math.inf

    @cached_property
    def _losses(self) -> Objective:
        return self.objective(self.surrogate.model.eval().requires_grad_(False), self.data)

    def advance(self) -> float:
        """An epoch of the surrogate's training, or a pass over the set."""
        if self.done < self.recipe.epochs:
            model, optimizer = self.surrogate.model, self.surrogate.optimizer
            return train_epoch(model, optimizer, self.data, self.training, self.recipe, self.done)[0]
        number = (self.done - self.recipe.epochs) % self.passes
        if number == 0:
            self._current = self._beginning()
        loss = self._pass()
        if number == self.passes - 1:
            if loss < self._lowest:
                self._best, self._lowest = self._current, loss
            self._current = torch.empty(0)
        return loss

    def state(self) -> State:
        """The surrogate, and the changes in progress and those of the best restart so far."""
        changes = {"current": self._current, "best": self._best}
        return self.surrogate.state() | changes | {"lowest": torch.tensor(self._lowest, dtype=torch.float64)}

    def restore(self, state: State) -> None:
        """Put back what `state` gave."""
        self.surrogate.restore(state)
        self._current, self._best = (state[name].to(self.data.images.device) for name in ("current", "best"))
        self._lowest = state["lowest"].item()

    def change(self) -> Float[Tensor, "n 3 h w"]:
        """Those of the best restart, in grey levels."""
        return self._best * 255

    def _beginning(self) -> Change:
        """Gaussian noise whose deviation is the radius, inside the ball."""
        radius = self.walk.radius / 255
        return (radius * torch.randn(self.data.images.shape, device=self.data.images.device)).clamp(-radius, radius)

    def _pass(self) -> float:
        """One step of every picture, in place: the mean loss before it."""
        total = torch.zeros((), device=self.data.images.device)
        size = at_once(self.data.images)
        parts = zip(*(whole.split(size) for whole in (self.data.images, self.data.labels, self._current)), strict=True)
        for pictures, labels, current in parts:
            total += self._step(pictures.float() / 255, labels, current)
        return total.item() / len(self.data)

    def _step(self, images: Images, labels: Int64[Tensor, " b"], current: Change) -> Float[Tensor, ""]:
        """Change ``current`` in place: the sum of the losses before that."""
        losses = torch.zeros((), device=images.device)

        def gradient(seen: Images) -> Images:
            seen = seen.detach().requires_grad_()
            shaken = jittered(seen)
            with fast(images.device):
                loss = self._losses(shaken, labels).sum()
            losses.add_(loss.detach())
            return input_gradient(loss, seen)

        current.copy_(self.walk.descend(images, current, gradient))
        return losses


class SignStepped(OnSurrogate):
    """A protection by `SignSteps`; the fields that it reads are described where they are declared."""

    recipe: str
    passes: int
    step: float

    def __post_init__(self) -> None:
        super().__post_init__()
        recipe_named(self.recipe)

    @abstractmethod
    def objective(self, model: nn.Module, data: ImageSet) -> Objective:
        """What to lower, once ``model`` has been trained on the clean ``data``."""

    def sign_steps(self, data: ImageSet, training: Countermeasure, restarts: int = 1) -> SignSteps:
        """The optimisation."""
        recipe, walk = recipe_named(self.recipe), PGD(self.radius, self.step * self.radius, steps=1)
        surrogate = Surrogate.of(self.surrogate, recipe, data)
        return SignSteps(data, surrogate, recipe, training, self.objective, walk, self.passes, restarts)
