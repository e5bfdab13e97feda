"""UEraser: strong random augmentation, the hardest of several draws (Qin et al., 2023, arXiv 2303.15127)."""

import warnings

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unlearnable.countermeasures.augment import each_picture
from unlearnable.images.imageset import Images
from unlearnable.options import PositiveInt, UnitInterval
from unlearnable.training.countermeasure import Countermeasure, Targets, countermeasures

ROUGHNESS, INTENSITY = (0.3, 0.7), (0.5, 1.0)  # of the clouds of light, as in the authors' settings


@countermeasures.register("ueraser")
class UEraser(Countermeasure):
    """Plasma brightness, plasma contrast, channel shuffle, TrivialAugment; train on the draw of highest loss.

    Attributes:
        repeats: draws a picture and step: 5 is the authors' UEraser-max, 1 their UEraser-lite.
        probability: of each of the first three operations (authors: 0.5).
    """

    repeats: PositiveInt = 5
    probability: UnitInterval = 0.5

    @property
    def effort(self) -> float:
        """Each draw beyond the first is a pass there, and drawing takes its time."""
        return 1.5 + 0.5 * self.repeats

    def loss(self, model: nn.Module, images: Images, targets: Targets, smoothing: float) -> tuple[Tensor, Tensor]:
        """The loss on each picture's hardest draw."""
        draws = torch.stack([self.drawn(images) for _ in range(self.repeats)])
        if self.repeats > 1:
            with torch.no_grad():
                losses = [F.cross_entropy(model(draw).float(), targets, reduction="none") for draw in draws]
            hardest = torch.stack(losses).argmax(0)
        else:
            hardest = torch.zeros(len(images), dtype=torch.long, device=images.device)
        chosen = draws[hardest, torch.arange(len(images), device=images.device)]
        return super().loss(model, chosen, targets, smoothing)

    def drawn(self, images: Images) -> Images:
        """One draw for every picture."""
        from kornia.augmentation import RandomChannelShuffle, RandomPlasmaBrightness, RandomPlasmaContrast
        from torchvision.transforms import v2

        p = self.probability
        with warnings.catch_warnings():  # kornia's, about versions of torch
            warnings.simplefilter("ignore")
            for operation in (
                RandomPlasmaBrightness(ROUGHNESS, INTENSITY, p=p),
                RandomPlasmaContrast(ROUGHNESS, p=p),
                RandomChannelShuffle(p=p),
            ):
                images = operation(images)
        return each_picture(v2.TrivialAugmentWide(), images.clamp(0, 1))
