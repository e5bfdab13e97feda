"""What a trainer does against a protection: one class each, one hook each."""

from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import ClassVar, Literal, dataclass_transform, get_args

from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from unlearnable.images.imageset import Images, Images8, ImageSet
from unlearnable.registry import Registry
from unlearnable.storage.provenance import check_files
from unlearnable.training.recipes import Recipe
from unlearnable.victims.architectures import Victim

Targets = Float[Tensor, "n k"]  # class probabilities
Advantage = Literal["none", "clean", "pairs", "pretrained"]
ADVANTAGES: tuple[Advantage, ...] = get_args(Advantage)  # the later, the more


@dataclass(frozen=True)
class Knowledge:
    """What the trainer has beside the published pictures.

    Attributes:
        clean: clean pictures of the same classes, correctly labelled, as large as the published ones; None if he has
            none.
        seed: of everything he draws before the training.
        way: what brought the pictures to him so far, one after the other: his clean ones come the same way.
    """

    clean: ImageSet | None = None
    seed: int = 0
    way: tuple["Countermeasure", ...] = ()

    def clean_per_class(self, per_class: int) -> ImageSet:
        """The first ``per_class`` clean pictures of each class, as large as those that he has before him.

        Raises:
            ValueError: there are none, or too few.
        """
        return self._arrived(self._own().first(per_class))

    def all_clean(self) -> ImageSet:
        """All of his clean pictures, as large as those that he has before him.

        Raises:
            ValueError: there are none.
        """
        return self._arrived(self._own())

    def _own(self) -> ImageSet:
        if self.clean is None:
            raise ValueError("this countermeasure needs clean pictures of the trainer's own; none were given")
        return self.clean

    def _arrived(self, data: ImageSet) -> ImageSet:
        return replace(data, images=reduce(lambda images, link: link.deploy(images), self.way, data.images))

    def after(self, link: "Countermeasure") -> "Knowledge":
        """What he has once ``link`` has brought the pictures to him; only what changes their size counts."""
        if self.clean is None:
            return self
        height, width = self.clean.images.shape[-2:]
        arrived = reduce(lambda size, link: link.resized(*size), self.way, (height, width))
        return self if link.resized(*arrived) == arrived else replace(self, way=(*self.way, link))


@dataclass_transform(frozen_default=True)
class Countermeasure:
    """A frozen dataclass of defaulted parameters that overrides one of these hooks, which all do nothing.

    `victim_to_train` and `recipe_to_train` are no hooks: they ask the others.

    Attributes:
        repeatable: whether what `purify` makes depends on the training set alone, so that it can be kept.

    Examples:
        >>> from unlearnable import Countermeasure, countermeasure_named, load
        >>> class Darker(Countermeasure):
        ...     def augment(self, images, targets):  # (n, 3, h, w) in [0, 1], (n, classes)
        ...         return images * 0.5, targets
        >>> Darker().control, countermeasure_named("gaussf").control
        (False, True)
    """

    repeatable: ClassVar[bool] = False

    @property
    def control(self) -> bool:
        """Whether what is trained with it says nothing of what it does against a protection.

        Either no published picture is trained on, or nothing is done about them. Controls are shown wherever results
        are, and counted nowhere: in no mean, worst case, rank or verdict. Ordinary training (`Vanilla`) is none: it is
        what all others are read against.
        """
        return self.changes_nothing or not self.sees_published

    @property
    def changes_nothing(self) -> bool:
        """Whether its parameters make it ordinary training, on the same pictures by the same recipe."""
        return False

    @property
    def sees_published(self) -> bool:
        """Whether any published picture is trained on."""
        return True

    @property
    def advantage(self) -> Advantage:
        """What the trainer must have beside the published pictures.

        Nothing, ``clean`` pictures of the same classes, ``pairs`` of published pictures and their originals, or a
        network that was ``pretrained`` on other pictures.
        """
        return "none"

    @property
    def effort(self) -> float:
        """About how many ordinary trainings an epoch of it takes."""
        return 1.0

    @property
    def effort_before(self) -> float:
        """About how many epochs of ordinary training go by before its first."""
        return 0.0

    def find_files(self) -> tuple[Path, ...]:
        """Files on whose content the result depends; what lies on a hub is downloaded, once a process."""
        return ()

    def check_serves(self, clean: ImageSet) -> None:
        """Raise, at little cost, what `purify` would raise and can be known before.

        Args:
            clean: pictures like those of the training set; the trainer holds them, too.

        Raises:
            ValueError: it cannot serve them.
            FileNotFoundError: a file is not there on which the result depends.
        """
        check_files(self.find_files(), self)

    def check_trains(self, victim: Victim) -> None:
        """Raise where it cannot train the adjusted ``victim``.

        Raises:
            ValueError: it cannot.
        """

    def resized(self, height: int, width: int) -> tuple[int, int]:
        """Height and width that `purify` and `deploy` make of published pictures of this size."""
        return height, width

    def purify(self, data: ImageSet, knowledge: Knowledge) -> ImageSet:
        """Once, before the training: the training set as the trainer uses it."""
        return data

    def deploy(self, images: Images8) -> UInt8[Tensor, "n 3 h2 w2"]:
        """Once: the pictures on which the finished classifier is used. Usually they come as they are."""
        return images

    def adjust_victim(self, victim: Victim) -> Victim:
        """The victim to train in place of ``victim``."""
        return victim

    def victim_to_train(self, victim: Victim) -> Victim:
        """What `adjust_victim` gives, where it can be trained.

        Raises:
            ValueError: it cannot.
        """
        adjusted = self.adjust_victim(victim)
        self.check_trains(adjusted)
        return adjusted

    def adjust_recipe(self, recipe: Recipe) -> Recipe:
        """The recipe to train it by: what it changes is a part of what it finds, so that a chain's order is free."""
        return recipe

    def recipe_to_train(self, recipe: Recipe, published: ImageSet) -> Recipe:
        """What `adjust_recipe` gives of the recipe that suits what becomes of pictures like those ``published``."""
        size = self.resized(*published.images.shape[-2:])
        return self.adjust_recipe(recipe.suited(len(published.classes), max(size)))

    def prepare(self, model: nn.Module, data: ImageSet) -> nn.Module:
        """Once, before the first epoch: the network that is trained, already on the device of the purified ``data``.

        What is drawn here comes from torch's own generators, which are seeded. A training that goes on after it was
        killed does it again.
        """
        return model

    def augment(self, images: Images, targets: Targets) -> tuple[Images, Targets]:
        """A batch, after crop and flip, at every step."""
        return images, targets

    def solve(self, model: nn.Module, data: ImageSet) -> tuple[float, float] | None:
        """Train ``model`` on ``data`` at once in place of an epoch's steps: mean loss, training accuracy.

        None, as here, leaves it to the steps. Crop, flip and `augment` are theirs: nothing is drawn.
        """
        return None

    def loss(self, model: nn.Module, images: Images, targets: Targets, smoothing: float) -> tuple[Tensor, Tensor]:
        """The loss of a step and the logits from which the training accuracy is counted."""
        logits = model(images)
        return F.cross_entropy(logits.float(), targets, label_smoothing=smoothing), logits


countermeasures: Registry[Countermeasure] = Registry("countermeasures")


@countermeasures.register("vanilla")
class Vanilla(Countermeasure):
    """Nothing beyond the recipe's own crop and flip: the paper's ordinary training."""

    control = False
    changes_nothing = True
