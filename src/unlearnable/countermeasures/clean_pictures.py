"""Trainers who hold clean pictures of the same classes: they add them, or need nothing else."""

from dataclasses import replace

from unlearnable.images.imageset import ImageSet, to_bytes
from unlearnable.options import PositiveInt
from unlearnable.training.countermeasure import Advantage, Countermeasure, Knowledge, countermeasures


class NeedsClean(Countermeasure):
    """One that needs a few clean pictures.

    Attributes:
        per_class: of each class.
    """

    per_class: PositiveInt

    @property
    def advantage(self) -> Advantage:
        """A few clean pictures."""
        return "clean"

    def check_serves(self, clean: ImageSet) -> None:
        """See `Countermeasure`."""
        super().check_serves(clean)
        Knowledge(clean).clean_per_class(self.per_class)


@countermeasures.register("mix")
class MixClean(NeedsClean):
    """Train on the published pictures and on a few clean ones together.

    Attributes:
        per_class: clean pictures of each class.
    """

    per_class: PositiveInt = 100

    def purify(self, data: ImageSet, knowledge: Knowledge) -> ImageSet:
        """Append the clean pictures."""
        return data.joined(knowledge.clean_per_class(self.per_class))


@countermeasures.register("only_clean")
class OnlyClean(NeedsClean):
    """Train on the few clean pictures alone: the control that says what the published ones added to `mix`.

    Attributes:
        per_class: clean pictures of each class.
    """

    per_class: PositiveInt = 100

    @property
    def sees_published(self) -> bool:
        """None of them."""
        return False

    def purify(self, data: ImageSet, knowledge: Knowledge) -> ImageSet:
        """The clean pictures in place of the published ones."""
        return knowledge.clean_per_class(self.per_class)


@countermeasures.register("class_mean")
class ClassMean(NeedsClean):
    """Subtract from each class what its mean has gained over that of a few clean pictures.

    What is common to a class is all that a class-wise perturbation is, up to what the cover does to it.

    Attributes:
        per_class: clean pictures of each class.
    """

    per_class: PositiveInt = 100

    def purify(self, data: ImageSet, knowledge: Knowledge) -> ImageSet:
        """Shift every class."""
        clean = knowledge.clean_per_class(self.per_class)
        images = data.images.clone()
        for label in data.labels.unique():
            of_class = data.labels == label
            shift = data.images[of_class].float().mean(0) - clean.images[clean.labels == label].float().mean(0)
            images[of_class] = to_bytes(images[of_class] - shift)
        return replace(data, images=images)
