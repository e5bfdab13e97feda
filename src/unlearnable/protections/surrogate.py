"""The classifier on which a perturbation is optimised, in place of the victims that nobody knows yet."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from unlearnable.images import ImageSet
from unlearnable.recipes import Recipe
from unlearnable.training import fast, sgd
from unlearnable.victims import victim_named

Images = Float[Tensor, "n 3 h w"]  # in [0, 1]


@dataclass
class Surrogate:
    """A network and its optimiser.

    Attributes:
        model: random at first.
        optimizer: the recipe's.
    """

    model: nn.Module
    optimizer: torch.optim.SGD

    @classmethod
    def of(cls, victim: str, recipe: Recipe, data: ImageSet) -> "Surrogate":
        """A new ``victim`` for ``data``, on their device.

        Raises:
            ValueError: all pictures are of one class, so that there is nothing to learn.
        """
        if len(labels := data.labels.unique()) < 2:
            raise ValueError(
                f"expected pictures of two classes or more, got {len(data)} of {data.classes[int(labels)]!r} alone: "
                "a surrogate has nothing to tell apart; take a protection that needs none"
            )
        model = victim_named(victim).build(len(data.classes), data.images.shape[-1])
        model = model.to(data.images.device).to(memory_format=torch.channels_last)
        return cls(model, sgd(model, recipe))

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

    def state(self) -> dict[str, Tensor]:
        """Weights and momenta under flat names."""
        flat = {f"weight.{name}": tensor for name, tensor in self.model.state_dict().items()}
        for index, moments in self.optimizer.state_dict()["state"].items():
            if moments.get("momentum_buffer") is not None:
                flat[f"momentum.{index}"] = moments["momentum_buffer"]
        return flat

    def restore(self, state: dict[str, Tensor]) -> None:
        """Put back what `state` gave; other names are passed over."""
        self.model.load_state_dict(
            {name.removeprefix("weight."): tensor for name, tensor in state.items() if name.startswith("weight.")}
        )
        momenta = {
            int(name.removeprefix("momentum.")): {"momentum_buffer": tensor}
            for name, tensor in state.items()
            if name.startswith("momentum.")
        }
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": momenta, "param_groups": groups})


def input_gradient(loss: Tensor, images: Tensor) -> Tensor:
    """The gradient of ``loss`` with respect to ``images`` alone; the network's own is not computed."""
    (gradient,) = torch.autograd.grad(loss, images)
    return gradient


def _packed(images: Images) -> Images:
    return images.contiguous(memory_format=torch.channels_last)
