"""What is drawn anew for every batch: holes, mixtures, noise, random operations."""

from collections.abc import Callable
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor

from unlearnable.images.imageset import Images
from unlearnable.options import NonNegativeFloat, NonNegativeInt, PositiveFloat, UnitInterval
from unlearnable.training.countermeasure import Countermeasure, Targets, countermeasures


@countermeasures.register("cutout")
class Cutout(Countermeasure):
    """One black square a picture, its centre anywhere, so that it may overhang (DeVries and Taylor, 2017).

    Attributes:
        length: side of the square as a part of the picture's (16 of 32 px in the field).
    """

    length: UnitInterval = 0.5

    @property
    def changes_nothing(self) -> bool:
        """A square without a side."""
        return self.length == 0

    def augment(self, images: Images, targets: Targets) -> tuple[Images, Targets]:
        """Draw a square for every picture."""
        count, _, height, width = images.shape
        rows = _in_span(count, height, round(height * self.length), images.device)
        columns = _in_span(count, width, round(width * self.length), images.device)
        hole = rows[:, None, :, None] & columns[:, None, None, :]
        return images.masked_fill(hole, 0), targets


@countermeasures.register("cutmix")
class CutMix(Countermeasure):
    """A box of another picture, and as much of its label (Yun et al., ICCV 2019); one box for all of a batch.

    Attributes:
        alpha: of the Beta distribution of the share (field: 1).
    """

    alpha: PositiveFloat = 1.0

    def augment(self, images: Images, targets: Targets) -> tuple[Images, Targets]:
        """Torchvision's."""
        from torchvision.transforms import v2

        return _mixed(v2.CutMix(alpha=self.alpha, num_classes=targets.shape[1]), images, targets)


@countermeasures.register("mixup")
class MixUp(Countermeasure):
    """A weighted mean of two pictures and of their labels (Zhang et al., ICLR 2018); one weight for a batch.

    Attributes:
        alpha: of the Beta distribution of the weight (field: 1).
    """

    alpha: PositiveFloat = 1.0

    def augment(self, images: Images, targets: Targets) -> tuple[Images, Targets]:
        """Torchvision's."""
        from torchvision.transforms import v2

        return _mixed(v2.MixUp(alpha=self.alpha, num_classes=targets.shape[1]), images, targets)


@countermeasures.register("gaussn")
class GaussianNoise(Countermeasure):
    """Noise of its own for every picture at every step (paper: GaussN, N(0, 0.1)).

    Attributes:
        sigma: standard deviation on values in [0, 1]. The paper's 0.1 is taken for the deviation: as a variance it
            would cost more clean accuracy than the paper reports.
    """

    sigma: NonNegativeFloat = 0.1

    @property
    def changes_nothing(self) -> bool:
        """No noise."""
        return self.sigma == 0

    def augment(self, images: Images, targets: Targets) -> tuple[Images, Targets]:
        """Add and clamp."""
        return (images + self.sigma * torch.randn_like(images)).clamp(0, 1), targets


@countermeasures.register("randaugment")
class RandAugment(Countermeasure):
    """Random operations on every picture (Cubuk et al., NeurIPS 2020), torchvision's.

    Attributes:
        operations: how many, one after the other.
        magnitude: of each, where it has one.
    """

    operations: NonNegativeInt = 2
    magnitude: Annotated[int, Interval(ge=0, le=30)] = 9

    @property
    def changes_nothing(self) -> bool:
        """No operation."""
        return self.operations == 0

    def augment(self, images: Images, targets: Targets) -> tuple[Images, Targets]:
        """Picture by picture, on 8 bits."""
        from torchvision.transforms import v2

        return each_picture(v2.RandAugment(self.operations, self.magnitude), images), targets


def each_picture(transform: Callable[[Tensor], Tensor], images: Images) -> Images:
    """Apply a transform of 8-bit pictures, drawn anew for each."""
    pictures = (images * 255).round().to(torch.uint8)
    return torch.stack([transform(picture) for picture in pictures]).to(images) / 255


def _in_span(count: int, side: int, length: int, device: torch.device) -> Tensor:
    """For every picture, which of ``side`` positions lie in a span of ``length`` around a random centre."""
    start = torch.randint(side, (count, 1), device=device) - length // 2
    offset = torch.arange(side, device=device) - start
    return (offset >= 0) & (offset < length)


def _mixed(
    mix: Callable[[Images, Targets], tuple[Images, Targets]], images: Images, targets: Targets
) -> tuple[Images, Targets]:
    if targets.shape[1] < 2 or len(images) < 2:
        return images, targets
    return mix(images, targets)
