"""Countermeasures by name, and several of them in one: ``a+b`` does what ``a`` does, and then what ``b`` does."""

import re
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path

from jaxtyping import UInt8
from torch import Tensor, nn

from unlearnable.images.imageset import Images, Images8, ImageSet
from unlearnable.training.countermeasure import (
    ADVANTAGES,
    Advantage,
    Countermeasure,
    Knowledge,
    Targets,
    countermeasures,
)
from unlearnable.training.recipes import Recipe
from unlearnable.victims.architectures import Victim


@dataclass(frozen=True)
class Chain(Countermeasure):
    """Several countermeasures, one after the other.

    Attributes:
        links: in order.
    """

    links: tuple[Countermeasure, ...]

    def __post_init__(self) -> None:
        if len(self._with_own("loss")) > 1:
            raise ValueError("two of these countermeasures replace the loss; chain at most one such")
        if len(set(self._with_own("adjust_victim"))) > 1:
            raise ValueError("two of these countermeasures choose the victim's weights; chain at most one such")

    @property
    def changes_nothing(self) -> bool:
        """No link does anything."""
        return all(link.changes_nothing for link in self.links)

    @property
    def sees_published(self) -> bool:
        """No link takes them away."""
        return all(link.sees_published for link in self.links)

    @property
    def advantage(self) -> Advantage:
        """The greatest that a link needs."""
        return max((link.advantage for link in self.links), key=ADVANTAGES.index)

    @property
    def effort(self) -> float:
        """That of the dearest link."""
        return max(link.effort for link in self.links)

    @property
    def effort_before(self) -> float:
        """That of all links."""
        return sum(link.effort_before for link in self.links)

    def find_files(self) -> tuple[Path, ...]:
        """Those of all links."""
        return tuple(file for link in self.links for file in link.find_files())

    def check_serves(self, clean: ImageSet) -> None:
        """Each link's, on pictures as large as those that come to it."""
        for link in self.links:
            link.check_serves(clean)
            size = clean.images.shape[-2:]
            if link.resized(*size) != size:  # one picture tells how large they are
                arrived = link.deploy(clean.images[:1])
                clean = replace(clean, images=arrived.expand(len(clean), -1, -1, -1))

    def check_trains(self, victim: Victim) -> None:
        """Each link's; what is solved at once has no steps in which another link could do anything."""
        for link in self.links:
            link.check_trains(victim)
        if self._with_own("solve") and (idle := self._with_own("augment") + self._with_own("loss")):
            raise ValueError(f"expected no {idle[0]} beside what is solved in one step: it would do nothing")

    def purify(self, data: ImageSet, knowledge: Knowledge) -> ImageSet:
        """Each link's, in order; what it brings to another size, it brings the trainer's clean pictures to, too."""
        for link in self.links:
            data, knowledge = link.purify(data, knowledge), knowledge.after(link)
        return data

    def resized(self, height: int, width: int) -> tuple[int, int]:
        """Each link's, in order."""
        return reduce(lambda size, link: link.resized(*size), self.links, (height, width))

    def deploy(self, images: Images8) -> UInt8[Tensor, "n 3 h2 w2"]:
        """Each link's, in order."""
        return reduce(lambda deployed, link: link.deploy(deployed), self.links, images)

    def adjust_victim(self, victim: Victim) -> Victim:
        """Each link's, in order."""
        return reduce(lambda adjusted, link: link.adjust_victim(adjusted), self.links, victim)

    def adjust_recipe(self, recipe: Recipe) -> Recipe:
        """Each link's, in order."""
        return reduce(lambda adjusted, link: link.adjust_recipe(adjusted), self.links, recipe)

    def prepare(self, model: nn.Module, data: ImageSet) -> nn.Module:
        """Each link's, in order."""
        return reduce(lambda prepared, link: link.prepare(prepared, data), self.links, model)

    def augment(self, images: Images, targets: Targets) -> tuple[Images, Targets]:
        """Each link's, in order."""
        return reduce(lambda batch, link: link.augment(*batch), self.links, (images, targets))

    def solve(self, model: nn.Module, data: ImageSet) -> tuple[float, float] | None:
        """That of the one link that does."""
        return next((solved for link in self.links if (solved := link.solve(model, data))), None)

    def loss(self, model: nn.Module, images: Images, targets: Targets, smoothing: float) -> tuple[Tensor, Tensor]:
        """That of the one link that has its own."""
        for link in self._with_own("loss"):
            return link.loss(model, images, targets, smoothing)
        return super().loss(model, images, targets, smoothing)

    def _with_own(self, hook: str) -> list[Countermeasure]:
        return [link for link in self.links if getattr(type(link), hook) is not getattr(Countermeasure, hook)]


def countermeasure_named(spec: str) -> Countermeasure:
    """``name``, ``name:parameter=value`` or several of these joined by ``+``, as in ``gray+jpeg:quality=10``.

    Raises:
        ValueError: unknown name or parameter, or a chain that cannot be.

    Examples:
        >>> from unlearnable import countermeasure_named
        >>> countermeasure_named("jpeg:quality=50")
        Jpeg(quality=50, test=False)
        >>> len(countermeasure_named("gray+jpeg:quality=10").links)
        2
    """
    links = tuple(map(countermeasures.make, split_chain(spec)))
    return links[0] if len(links) == 1 else Chain(links)


def split_chain(spec: str) -> list[str]:
    """The links of a chain, as text; a plus that no name follows belongs to a value, such as a path."""
    return re.split(rf"\+(?=(?:{'|'.join(countermeasures)})(?:[:+]|$))", spec)
