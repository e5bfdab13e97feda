"""A trainer with leaked pairs learns the way back (BridgePure, Wang et al., 2024, arXiv 2412.21061), in small.

BridgePure trains a diffusion bridge from protected pictures to their originals on pairs that have leaked, and sends all
published pictures over it. Here a small U-Net, told the class, learns the difference directly: a bridge of one step,
which two CPU cores can train, and a weaker attacker than theirs. Pairs are counted in all, not by class.
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from unlearnable.compute.devices import fast, seeded
from unlearnable.countermeasures.leaked import leaked_pairs
from unlearnable.countermeasures.small_networks import learn, subtracted
from unlearnable.images.imageset import Images, ImageSet
from unlearnable.options import PositiveFloat, PositiveInt
from unlearnable.training.countermeasure import Advantage, Countermeasure, Knowledge, countermeasures

BATCH_PIXELS = 32 * 64**2  # of a step: 32 pairs up to 64 px, fewer of larger ones
MAP = 8  # side of what is known of a class, in cells


@countermeasures.register("bridge")
class Bridge(Countermeasure):
    """Learn from leaked pairs what was added, and subtract it from every published picture.

    A pair is a published picture and its original; the trainer finds it among his clean pictures (see `leaked_pairs`).

    Attributes:
        pairs: that have leaked, in all.
        steps: of Adam.
        learning_rate: of Adam, at the beginning.
        channels: of the network's first layer.
    """

    pairs: PositiveInt = 20
    steps: PositiveInt = 600
    learning_rate: PositiveFloat = 2e-3
    channels: PositiveInt = 32

    @property
    def advantage(self) -> Advantage:
        """Originals of published pictures."""
        return "pairs"

    @property
    def effort_before(self) -> float:
        """As long as so many steps of a small victim on 5,000 pictures."""
        return self.steps * self.channels / 32 / 100

    def check_serves(self, clean: ImageSet) -> None:
        """See `Countermeasure`: of each pair he holds the original."""
        super().check_serves(clean)
        if len(clean) < self.pairs:
            raise ValueError(
                f"expected the originals of {self.pairs} leaked pairs, got {len(clean)} clean pictures: too few pairs"
            )

    def purify(self, data: ImageSet, knowledge: Knowledge) -> ImageSet:
        """Subtract the predicted difference.

        Raises:
            ValueError: there are too few pairs.
        """
        published, originals = leaked_pairs(data, knowledge.all_clean(), self.pairs, knowledge.seed)
        return subtracted(data, self.learn(published, originals, knowledge.seed))

    def learn(self, published: ImageSet, originals: ImageSet, seed: int) -> nn.Module:
        """A network that predicts from a published picture in [0, 1] and its label what was added to it."""
        device = published.images.device
        with seeded(seed, device):
            network = ConditionalUNet(len(published.classes), self.channels).to(device)
        network = network.to(memory_format=torch.channels_last)
        height, width = published.images.shape[-2:]
        batch = max(1, min(len(published), 32, BATCH_PIXELS // (height * width)))

        def loss(generator: torch.Generator) -> Tensor:
            chosen = torch.randperm(len(published), generator=generator)[:batch]
            unit, original = published.images[chosen].float() / 255, originals.images[chosen].float() / 255
            with fast(device):
                change = network(unit.contiguous(memory_format=torch.channels_last), published.labels[chosen])
            return F.mse_loss(change.float(), unit - original)

        return learn(network, loss, self.steps, seed, self.learning_rate)


class ConditionalUNet(nn.Module):
    """Predicts a difference from a picture and its class, of which it learns a small map.

    The map of a class that it has never seen stays zero. At first it predicts that nothing was added.

    Args:
        classes: how many.
        channels: of the first layer; the two deeper ones have twice as many.
    """

    def __init__(self, classes: int, channels: int) -> None:
        super().__init__()
        deep = 2 * channels
        self.maps = nn.Parameter(torch.zeros(classes, deep, MAP, MAP))
        self.fine = _block(3, channels)
        self.middle = _block(channels, deep, stride=2)
        self.coarse = _block(deep, deep, stride=2)
        self.joined = _block(deep, deep)
        self.to_middle = _enlarging(deep, deep)
        self.to_fine = _enlarging(2 * deep, channels)
        self.last = nn.Conv2d(2 * channels, 3, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, images: Images, labels: Int64[Tensor, " n"]) -> Float[Tensor, "n 3 h w"]:
        """What was added."""
        fine = self.fine(images)
        middle = self.middle(fine)
        coarse = self.coarse(middle)
        known = F.interpolate(self.maps[labels], coarse.shape[-2:], mode="bilinear").to(coarse.dtype)
        middle = torch.cat([_as_large(self.to_middle(self.joined(coarse + known)), middle), middle], 1)
        fine = torch.cat([_as_large(self.to_fine(middle), fine), fine], 1)
        change: Tensor = self.last(fine)
        return change


def _block(channels: int, out: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, out, 3, stride, padding=1), nn.SiLU(), nn.Conv2d(out, out, 3, padding=1), nn.SiLU()
    )


def _enlarging(channels: int, out: int) -> nn.Sequential:
    """Twice as large, every pixel with weights of its own."""
    return nn.Sequential(nn.Conv2d(channels, 4 * out, 3, padding=1), nn.PixelShuffle(2), nn.SiLU())


def _as_large(features: Tensor, other: Tensor) -> Tensor:
    """Without the row and the column that halving an odd side and doubling it added."""
    return features[..., : other.shape[-2], : other.shape[-1]]
