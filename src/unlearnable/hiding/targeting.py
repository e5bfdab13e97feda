"""A second carrier: a change that pulls a picture's features to those of another class (not in the paper).

Whoever starts from a pretrained backbone learns from features that were there before, and no wave changes those. So
each picture is changed, in small steps, until frozen networks take it for one of the class that its own is paired with:
targeted adversarial examples (Fowl et al., NeurIPS 2021, arXiv 2106.10807) of features in place of logits, through
what happens to published pictures, and only where and in which colours the eye sees it least.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from unlearnable.hiding.masking import PLANES, PLANES_POWER, activity, coloured
from unlearnable.hiding.surrogates import Squares, Surrogate, resized
from unlearnable.images.imageset import Images, Images8
from unlearnable.images.jpeg import jpeg
from unlearnable.keys import Key

LEAST, MOST = 160, 224  # px, to which pictures are reduced before a network sees them
PART = 0.8  # of the side, that is seen at least
COMPRESSED = 0.5  # how often JPEG comes first
QUALITIES = (40, 90)

Changes = Float[Tensor, "n 3 h w"]
Labels = Int64[Tensor, " n"]
Pairs = Int64[Tensor, " classes"]


@dataclass(frozen=True)
class Targeting:
    """How features are pulled.

    Attributes:
        steps: of every picture; each asks one surrogate, by turns.
        stride: length of a step, as a part of the radius.
        momentum: part of the last step that goes into the next.
        power: of the mask (`masking.activity`).
        light: whether in light and dark alone, or in the colours of what is hidden.
    """

    steps: int = 18
    stride: float = 0.25
    momentum: float = 0.8
    power: float = PLANES_POWER
    light: bool = False

    def __call__(
        self,
        covers: Images8,
        hidden: Changes,
        labels: Labels,
        pairs: Pairs,
        surrogates: Sequence[Surrogate],
        radius: float,
        seed: int,
    ) -> Changes:
        """What to add to covers with what is hidden in them, in grey levels, of RMS ``radius``.

        Args:
            covers: the pictures.
            hidden: what hiding adds, in grey levels.
            labels: the pictures' classes.
            pairs: the class to which those of each class are pulled.
            surrogates: the networks.
            radius: RMS in grey levels.
            seed: of what happens to the pictures on their way; the same for all of them.
        """
        device = surrogates[0].mean.device
        clean, covered = covers.to(device).float() / 255, (covers.float() + hidden).to(device) / 255
        mask = activity(clean, self.power)
        labels, targets = labels.to(device), pairs.to(device)[labels.to(device)]
        generator = torch.Generator().manual_seed(seed)
        planes, speed = torch.zeros_like(clean), torch.zeros_like(clean)
        for step in range(self.steps):
            surrogate = surrogates[step % len(surrogates)]
            planes.requires_grad_()
            change = self._change(planes, mask) * (radius / 255)
            found = surrogate.directions(on_its_way((covered + change).clamp(0, 1), generator))
            # Nearer to the other class's centre, further from the own; a batch's sum keeps its pictures apart.
            loss = (found * (surrogate.centres[labels] - surrogate.centres[targets])).sum()
            (gradient,) = torch.autograd.grad(loss, planes)
            speed = self.momentum * speed + _unit(gradient)
            planes = planes.detach() - self.stride * _unit(speed)
        return (self._change(planes.detach(), mask) * radius).cpu()

    def _change(self, planes: Images, mask: Tensor) -> Images:
        """Planes where and in the colours that they are seen least, of RMS 1 at most."""
        change = lit(planes * mask) if self.light else coloured(planes * mask)
        rms = change.square().mean((1, 2, 3), keepdim=True).add(1e-12).sqrt()
        return change / rms.clamp_min(1)


def lit(planes: Images) -> Images:
    """The first plane alone, in its colour."""
    return planes[:, :1] * torch.tensor(PLANES[0]).to(planes)[:, None, None]


def on_its_way(pictures: Images, generator: torch.Generator) -> Squares:
    """Perhaps compressed, cut to a part, mirrored, and reduced: what happens before a network sees it, one for all."""
    compressed, height, width, top, left, mirrored, quality = torch.rand(7, generator=generator).tolist()
    side = int(torch.randint(LEAST, MOST + 1, (), generator=generator))
    if compressed < COMPRESSED:
        low, high = QUALITIES
        qualities = torch.full((len(pictures),), round(low + (high - low) * quality), device=pictures.device)
        pictures = jpeg(pictures, qualities)
    rows, columns = (
        _window(length, PART + (1 - PART) * part, place)
        for length, part, place in zip(pictures.shape[-2:], (height, width), (top, left), strict=True)
    )
    seen = resized(pictures[..., rows, columns], side)
    return seen.flip(-1) if mirrored < 0.5 else seen


def pairs_of(key: Key, classes: int) -> Pairs:
    """The class to which each is pulled: the next of an order that the key draws."""
    order = torch.from_numpy(key.rng("pairs").permutation(classes))
    pairs = torch.empty_like(order)
    pairs[order] = order.roll(-1)
    return pairs


def _window(length: int, part: float, place: float) -> slice:
    size = round(length * part)
    first = round((length - size) * place)
    return slice(first, first + size)


def _unit(tensor: Tensor) -> Tensor:
    return tensor / tensor.square().mean((1, 2, 3), keepdim=True).sqrt().clamp_min(1e-12)
