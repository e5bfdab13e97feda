"""The network that a trainer from scratch would get from the originals, so that pictures can be made against it.

It is trained on the owner's pictures, as he would train his: what misleads it misleads other networks that learn from
the published ones (Fowl et al., NeurIPS 2021, arXiv 2106.10807).
"""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from unlearnable.compute.devices import at_once, fast, seeded
from unlearnable.hiding.surrogates import resized
from unlearnable.images.imageset import Images, ImageSet, to_bytes
from unlearnable.protections.surrogate import Surrogate, built
from unlearnable.training.countermeasure import Vanilla
from unlearnable.training.loop import train_epoch
from unlearnable.training.recipes import recipe_named
from unlearnable.victims.architectures import SMALL_SIDE
from unlearnable.victims.backbones import BACKBONES

RECIPE = "quick"  # of its training
STEPS = 400  # of it at least: few pictures are learnt in more epochs
SQUARE = SMALL_SIDE  # px, at most, of the squares that it learns
SMALLER = 0.8  # times their side: as small it sees pictures at least


def is_learnt(name: str) -> bool:
    """Whether a surrogate of that name has no weights before it sees the owner's pictures.

    >>> is_learnt("resnet9"), is_learnt("efficientnet_lite0"), is_learnt("resnet18@weights.safetensors")
    (True, False, False)
    """
    return name not in BACKBONES and "@" not in name


@dataclass(frozen=True)
class Learnt:
    """A network that has learnt the originals; see `hiding.targeting.Answering`.

    Attributes:
        model: the network.
        centres: each class alone, as its answers are log-probabilities.
        sizes: px, at which it sees pictures, at least and at most.
    """

    model: nn.Module
    centres: Float[Tensor, "classes classes"]
    sizes: tuple[int, int]

    @classmethod
    def of(cls, name: str, data: ImageSet, seed: int, device: torch.device) -> "Learnt":
        """A victim of that name, trained on pictures as squares of `SQUARE` px at most.

        Raises:
            ValueError: as `check` does.
        """
        side = _side(data)
        parts = data.images.split(at_once(data.images))
        squares = torch.cat([to_bytes(255 * resized(part.float() / 255, side)) for part in parts])
        small, recipe = replace(data, images=squares).to(device), recipe_named(RECIPE)
        steps = math.ceil(len(data) / recipe.batch_size)
        recipe = replace(recipe, epochs=max(recipe.epochs, math.ceil(STEPS / steps)))
        with seeded(seed, device):
            surrogate = Surrogate.of(name, recipe, small)
            for epoch in range(recipe.epochs):
                train_epoch(surrogate.model, surrogate.optimizer, small, Vanilla(), recipe, epoch)
        model = surrogate.model.eval().requires_grad_(False)
        smallest = round(SMALLER * side)
        sizes = smallest if _takes(model, smallest, device) else side, side
        return cls(model, torch.eye(len(data.classes), device=device), sizes)

    @staticmethod
    def check(name: str, data: ImageSet) -> None:
        """See that such a victim can learn such pictures.

        Raises:
            ValueError: nobody knows it, the pictures are too small for it, or all of one class.
        """
        side = _side(data)
        built(name, replace(data, images=data.images[..., :side, :side]))

    def directions(self, pictures: Images) -> Float[Tensor, "n classes"]:
        """Log-probabilities of the classes."""
        with fast(pictures.device):
            logits: Tensor = self.model(pictures.contiguous(memory_format=torch.channels_last))
        return logits.float().log_softmax(1)


def _side(data: ImageSet) -> int:
    height, width = data.images.shape[-2:]
    return min(SQUARE, height, width)


@torch.inference_mode()
def _takes(model: nn.Module, side: int, device: torch.device) -> bool:
    """Whether it takes pictures of that side, too: some networks do not, and each says so in its own way."""
    try:
        model(torch.zeros(1, 3, side, side, device=device))
    except (AssertionError, RuntimeError, ValueError):
        return False
    return True
