"""The classifier on which a perturbation is optimised, in place of the victims that nobody knows yet."""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Int64
from torch import Tensor, nn
from torch.nn import functional as F

from unlearnable.compute.devices import fast
from unlearnable.images.imageset import Images, ImageSet
from unlearnable.protections.optimised import Optimised
from unlearnable.storage.checkpoint import State, restore, state_of
from unlearnable.training.pgd import loss_gradient
from unlearnable.training.recipes import Recipe
from unlearnable.victims.architectures import built_for, victim_named


@dataclass
class Surrogate:
    """A network and its optimiser.

    Attributes:
        model: random at first.
        optimizer: the recipe's.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer

    @classmethod
    def of(cls, victim: str, recipe: Recipe, data: ImageSet) -> "Surrogate":
        """A new ``victim`` for ``data``, on their device; see `built`."""
        model = built(victim, data).to(data.images.device).to(memory_format=torch.channels_last)
        return cls(model, recipe.optimizer(model))

    def learn(self, images: Images, labels: Int64[Tensor, " n"], clip: float = 0.0) -> float:
        """One step in training mode, gradients clipped to a norm of ``clip`` unless it is 0: its loss."""
        self.model.train()
        with fast(images.device):
            loss = F.cross_entropy(self.model(_packed(images)).float(), labels)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if clip:
            nn.utils.clip_grad_norm_(self.model.parameters(), clip)
        self.optimizer.step()
        return loss.item()

    def gradient(self, images: Images, labels: Int64[Tensor, " n"]) -> Images:
        """Of the cross-entropy with respect to the pictures, in evaluation mode."""
        self.model.eval()
        with fast(images.device):
            return loss_gradient(self.model, _packed(images), labels)

    @torch.inference_mode()
    def test(self, images: Images, labels: Int64[Tensor, " n"]) -> tuple[float, int]:
        """Loss and number of wrong answers, in evaluation mode."""
        self.model.eval()
        with fast(images.device):
            logits = self.model(_packed(images)).float()
        return F.cross_entropy(logits, labels).item(), int((logits.argmax(1) != labels).sum())

    def state(self) -> State:
        """Weights and what the optimiser remembers of each."""
        return state_of(self.model, self.optimizer)

    def restore(self, state: State) -> None:
        """Put back what `state` gave; other names are passed over."""
        restore(state, self.model, self.optimizer)


def built(victim: str, data: ImageSet) -> nn.Module:
    """A ``victim`` for ``data``, on the CPU.

    Raises:
        ValueError: all pictures are of one class, so that there is nothing to learn, or too small for ``victim``.
    """
    if len(labels := data.labels.unique()) < 2:
        raise ValueError(
            f"expected pictures of two classes or more, got {len(data)} of {data.classes[int(labels)]!r} alone: "
            "a surrogate has nothing to tell apart; take a protection that needs none"
        )
    height, width = data.images.shape[-2:]
    return built_for(victim_named(victim), len(data.classes), height, width)


class OnSurrogate(Optimised):
    """A protection that is optimised on a surrogate, inside an L-inf ball of its `radius`."""

    surrogate: str

    def __post_init__(self) -> None:
        super().__post_init__()
        victim_named(self.surrogate)

    def check_serves(self, data: ImageSet, seed: int) -> None:
        """See `Protection`: the surrogate must be able to learn them."""
        super().check_serves(data, seed)
        built(self.surrogate, data)

    def find_files(self) -> tuple[Path, ...]:
        """The weights with which the surrogate begins, if any."""
        pretrained = victim_named(self.surrogate).pretrained
        return (Path(pretrained),) if pretrained else ()


def _packed(images: Images) -> Images:
    return images.contiguous(memory_format=torch.channels_last)
