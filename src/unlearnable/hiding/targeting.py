"""A second carrier: a change that moves what networks see in a picture away from its class (not in the paper).

Whoever starts from a pretrained backbone learns from features that were there before, and no wave changes those; and
whoever takes the waves out looks at what is left. So each picture is changed, in small steps, until networks see
anything but its own class in it, and rather the one that is paired with its own: adversarial examples as poison (Fowl
et al., NeurIPS 2021, arXiv 2106.10807), through what happens to published pictures, in light and dark, and where the
eye sees it least. The networks are backbones (`hiding.surrogates`), or learn the pictures first (`protections.learnt`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from unlearnable.compute.devices import at_once
from unlearnable.hiding.masking import PLANES_POWER, Plane, activity
from unlearnable.hiding.surrogates import Features, Labels, Squares, resized
from unlearnable.images.imageset import Images, Images8
from unlearnable.images.jpeg import jpeg, lifted
from unlearnable.keys import Key
from unlearnable.options import BelowOne, NonNegativeFloat, PositiveFloat, PositiveInt

RADIUS = 3.0  # RMS in grey levels for which the steps are made: about what people let pass
TOGETHER = 16 * 224 * 224  # pixels of pictures that are changed together
PART = 0.8  # of the side, that is seen at least
COMPRESSED = 0.5  # how often JPEG comes first
QUALITIES = (40, 90)

Changes = Float[Tensor, "n 3 h w"]
Pairs = Int64[Tensor, " classes"]


@runtime_checkable
class Answering(Protocol):
    """A network that is asked about pictures, and where each class lies among its answers."""

    @property
    def centres(self) -> Float[Tensor, "classes d"]:
        """Of each class's answers."""

    @property
    def sizes(self) -> tuple[int, int]:
        """To which pictures are reduced before it sees them: squares of so many px, at least and at most."""

    def directions(self, pictures: Squares) -> Features:
        """Its answers to pictures in [0, 1]."""


@dataclass(frozen=True)
class Targeting:
    """How features are pulled.

    Attributes:
        surrogates: the networks whose answers they are.
        pairs: the class to which pictures of each class are pulled.
        seed: of what happens to pictures on their way to a network; the same for all of them.
        steps: of every picture; each asks one surrogate, by turns.
        stride: length of a step, as a part of `RADIUS`.
        momentum: part of the last step that goes into the next.
        push: how much it counts to be far from the own class, where to be near the other counts 1.
        power: of the mask (`masking.activity`).
        lifted_at: quality of JPEG, over whose rounding the change is lifted (`images.jpeg.lifted`); None lifts nothing.
    """

    surrogates: Sequence[Answering]
    pairs: Pairs
    seed: int
    steps: PositiveInt = 72
    stride: PositiveFloat = 0.1
    momentum: BelowOne = 0.8
    push: NonNegativeFloat = 2.0
    power: NonNegativeFloat = PLANES_POWER
    lifted_at: PositiveInt | None = 75  # as many programs write

    def __call__(self, covers: Images8, hidden: Changes, labels: Labels) -> Changes:
        """What to add to pictures in which something is hidden, in grey levels, at an RMS of `RADIUS` or little more.

        Args:
            covers: the pictures.
            hidden: what hiding adds, in grey levels.
            labels: the pictures' classes.
        """
        together = at_once(covers, TOGETHER)
        parts = zip(*(tensor.split(together) for tensor in (covers, hidden, labels)), strict=True)
        return torch.cat([self._pulled(*part) for part in parts])

    def _pulled(self, covers: Images8, hidden: Changes, labels: Labels) -> Changes:
        device = self.pairs.device
        clean, covered = covers.to(device).float() / 255, (covers.float() + hidden).to(device) / 255
        mask, labels = activity(clean, self.power), labels.to(device)
        generator = torch.Generator().manual_seed(self.seed)
        plane, speed = torch.zeros_like(mask), torch.zeros_like(mask)
        for step in range(self.steps):
            surrogate = self.surrogates[step % len(self.surrogates)]
            plane.requires_grad_()
            change = self._change(plane, mask) / 255
            found = surrogate.directions(on_its_way((covered + change).clamp(0, 1), generator, surrogate.sizes))
            # Nearer to the other class's centre, further from the own; a batch's sum keeps its pictures apart.
            loss = (found * (self.push * surrogate.centres[labels] - surrogate.centres[self.pairs[labels]])).sum()
            (gradient,) = torch.autograd.grad(loss, plane)
            speed = self.momentum * speed + _unit(gradient)
            plane = plane.detach() - self.stride * _unit(speed)
        return self._change(plane.detach(), mask).cpu().expand_as(covers)

    def _change(self, plane: Plane, mask: Plane) -> Plane:
        """What a plane adds to all three colours, in grey levels."""
        change = _masked(plane, mask) * RADIUS
        return lifted(change, self.lifted_at) if self.lifted_at else change


def scaled(changes: Changes, radius: float) -> Changes:
    """Each change at an RMS of ``radius``; none stays none."""
    return radius * _unit(changes)


def on_its_way(pictures: Images, generator: torch.Generator, sizes: tuple[int, int]) -> Squares:
    """Perhaps compressed, cut to a part, mirrored, and reduced: what happens before a network sees it, one for all."""
    least, most = sizes
    compressed, height, width, top, left, mirrored, quality = torch.rand(7, generator=generator).tolist()
    side = int(torch.randint(least, most + 1, (), generator=generator))
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


def _masked(plane: Plane, mask: Plane) -> Plane:
    """A change of all three colours alike, where it is seen least, of RMS 1 at most.

    As strong as SSIMULACRA2 lets it be it moves these features further than one in proportion to luma's weights, of
    which green and magenta are seen (`benchmarks/carriers.py`).
    """
    change = plane * mask
    return change / change.square().mean((1, 2, 3), keepdim=True).add(1e-12).sqrt().clamp_min(1)


def _window(length: int, part: float, place: float) -> slice:
    size = round(length * part)
    first = round((length - size) * place)
    return slice(first, first + size)


def _unit(tensor: Tensor) -> Tensor:
    return tensor / tensor.square().mean((1, 2, 3), keepdim=True).sqrt().clamp_min(1e-12)
