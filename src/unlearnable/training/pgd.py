"""Projected gradient descent and ascent by the gradient's sign (PGD; Madry et al., ICLR 2018, arXiv 1706.06083)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Num
from torch import Tensor, nn
from torch.nn import functional as F

from unlearnable.images.imageset import Images
from unlearnable.options import GreyLevels, NonNegativeInt
from unlearnable.registry import check_fields

Change = Float[Tensor, "n 3 h w"]  # in the pictures' unit
Gradient = Callable[[Images], Float[Tensor, "n 3 h w"]]


@dataclass(frozen=True)
class PGD:
    """A walk inside an L-inf ball around every picture.

    Attributes:
        radius: of the ball, in grey levels of 255.
        step: in grey levels.
        steps: how many.
    """

    radius: GreyLevels
    step: GreyLevels
    steps: NonNegativeInt

    def __post_init__(self) -> None:
        check_fields(self)

    def start(self, images: Images) -> Change:
        """Anywhere in the ball."""
        radius = self.radius / 255
        return torch.empty_like(images).uniform_(-radius, radius)

    def ascend(self, images: Images, change: Change, gradient: Gradient) -> Change:
        """``change`` after all steps uphill, each back into the range of pictures before it and the ball after it."""
        return self._walk(images, change, gradient, self.step / 255)

    def descend(self, images: Images, change: Change, gradient: Gradient) -> Change:
        """The same, downhill."""
        return self._walk(images, change, gradient, -self.step / 255)

    def attacked(self, images: Images, gradient: Gradient) -> Images:
        """Pictures after all steps uphill from anywhere in the ball."""
        return (images + self.ascend(images, self.start(images), gradient)).clamp(0, 1)

    def _walk(self, images: Images, change: Change, gradient: Gradient, step: float) -> Change:
        radius = self.radius / 255
        for _ in range(self.steps):
            seen = (images + change).clamp(0, 1)
            change = (seen + step * gradient(seen).sign() - images).clamp(-radius, radius)
        return change


def loss_gradient(model: nn.Module, images: Images, targets: Num[Tensor, "n ..."]) -> Float[Tensor, "n 3 h w"]:
    """Of the cross-entropy towards ``targets`` (labels or probabilities), with respect to the pictures alone."""
    seen = images.detach().requires_grad_()
    return input_gradient(F.cross_entropy(model(seen).float(), targets), seen)


def input_gradient(loss: Float[Tensor, ""], images: Images) -> Float[Tensor, "n 3 h w"]:
    """Of ``loss`` with respect to ``images`` alone; the network's own is not computed."""
    (gradient,) = torch.autograd.grad(loss, images)
    return gradient
