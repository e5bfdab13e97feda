"""A variational autoencoder learns apart what a class alone decides (D-VAE, Yu et al., ICML 2024, arXiv 2405.01460).

What is added to a picture so that a network learns it in place of the content is easily predicted from the label, and a
small code has no room for it. So it stays in what the autoencoder leaves, from where a second decoder reads it off.
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from unlearnable.compute.devices import fast, seeded
from unlearnable.countermeasures.small_networks import learn, subtracted
from unlearnable.images.imageset import Images, ImageSet
from unlearnable.options import NonNegativeFloat, PositiveFloat, PositiveInt
from unlearnable.training.countermeasure import Countermeasure, Knowledge, countermeasures

QUARTER = 4  # px of a side that share one place of the code and of the embeddings


@countermeasures.register("dvae")
class Dvae(Countermeasure):
    """Subtract what the class embeddings decode to; twice, the second time with a larger code.

    The authors train on what the second autoencoder decodes; here the second one, too, only predicts what is
    subtracted, so that the pictures stay sharp. Their network is of ResNet-18's size, this one small.

    Attributes:
        epochs: of each of the two (authors: 60).
        batch_size: of both (authors: 128).
        learning_rate: of Adam, at the beginning (authors: 5e-3 for their network).
        channels: of all layers.
        code: values at each place of the code, whose side is a quarter of the picture's.
        first: what a value of the first code may tell without being punished, in nats (authors: 1).
        second: the same of the second (authors: 3).
        weight: of the punishment beside the mean squared error of values in [0, 1] (authors: 0.01).
    """

    epochs: PositiveInt = 20
    batch_size: PositiveInt = 128
    learning_rate: PositiveFloat = 2e-3
    channels: PositiveInt = 48
    code: PositiveInt = 4
    first: NonNegativeFloat = 1.0
    second: NonNegativeFloat = 3.0
    weight: NonNegativeFloat = 0.01

    @property
    def effort_before(self) -> float:
        """Twice its epochs, each about as long as one of a small victim."""
        return 2.0 * self.epochs * self.channels / 48

    def purify(self, data: ImageSet, knowledge: Knowledge) -> ImageSet:
        """Subtract what the first and then the second predicts."""
        for target, seed in ((self.first, knowledge.seed), (self.second, knowledge.seed + 1)):
            data = subtracted(data, self.learn(data, target, seed).added)
        return data

    def learn(self, data: ImageSet, target: float, seed: int) -> "DisentanglingVae":
        """An autoencoder of ``data`` whose code may tell ``target`` nats a value."""
        device = data.images.device
        height, width = data.images.shape[-2:]
        with seeded(seed, device):
            network = DisentanglingVae(len(data.classes), self.channels, self.code, (height, width))
        network = network.to(device).to(memory_format=torch.channels_last)
        batch = min(self.batch_size, len(data))

        def loss(generator: torch.Generator) -> Tensor:
            chosen = torch.randint(len(data), (batch,), generator=generator)
            unit = (data.images[chosen].float() / 255).contiguous(memory_format=torch.channels_last)
            with fast(device):
                mean, spread = network.encoded(unit)
                noise = torch.randn(mean.shape, generator=generator).to(device)
                code = mean + spread.exp() * noise
                decoded = network.decoded(code, unit).float()
                added = network.added_to(code, data.labels[chosen], unit).float()
            told = 0.5 * (mean.square() + (2 * spread).exp() - 1 - 2 * spread).mean()
            left = unit - decoded
            return left.square().mean() + F.mse_loss(added, left.detach()) + self.weight * told.clamp_min(target)

        steps = self.epochs * -(-len(data) // batch)
        learn(network, loss, steps, seed, self.learning_rate)
        return network


class DisentanglingVae(nn.Module):
    """An encoder and two decoders, one of the code, one of the class embedding and the code.

    Args:
        classes: how many.
        channels: of all layers.
        code: values at each place of the code.
        size: height and width of the pictures.
    """

    def __init__(self, classes: int, channels: int, code: int, size: tuple[int, int]) -> None:
        super().__init__()
        height, width = (-(-side // QUARTER) for side in size)
        self.embeddings = nn.Parameter(torch.zeros(classes, 3 * QUARTER**2, height, width))
        self.encoder = nn.Sequential(
            *_convolution(3, channels, stride=2),
            *_convolution(channels, channels, stride=2),
            *_convolution(channels, channels),
            nn.Conv2d(channels, 2 * code, 3, padding=1),
        )
        self.decoder = _decoder(code, channels)
        self.class_decoder = _decoder(code + 3 * QUARTER**2, channels)

    def encoded(self, images: Images) -> tuple[Float[Tensor, "n c h2 w2"], Float[Tensor, "n c h2 w2"]]:
        """The code's mean and the logarithm of its deviation."""
        mean, spread = self.encoder(images - 0.5).float().chunk(2, 1)
        return mean, spread.clamp(-6, 3)

    def decoded(self, code: Float[Tensor, "n c h2 w2"], images: Images) -> Float[Tensor, "n 3 h w"]:
        """What the code alone tells of the pictures."""
        decoded: Tensor = self.decoder(code)
        return decoded[..., : images.shape[-2], : images.shape[-1]] + 0.5

    def added_to(
        self, code: Float[Tensor, "n c h2 w2"], labels: Int64[Tensor, " n"], images: Images
    ) -> Float[Tensor, "n 3 h w"]:
        """What class and code tell of what is left."""
        known = self.embeddings[labels]
        added: Tensor = self.class_decoder(torch.cat([code, known], 1)) + F.pixel_shuffle(known, QUARTER)
        return added[..., : images.shape[-2], : images.shape[-1]]

    def added(self, images: Images, labels: Int64[Tensor, " n"]) -> Float[Tensor, "n 3 h w"]:
        """What is to be subtracted."""
        return self.added_to(self.encoded(images)[0], labels, images)


def _convolution(channels: int, out: int, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(channels, out, 3, stride, padding=1), nn.BatchNorm2d(out), nn.SiLU()]


def _decoder(channels: int, width: int) -> nn.Sequential:
    """From a quarter of the side to pictures."""
    return nn.Sequential(
        *_convolution(channels, width),
        *_convolution(width, width),
        nn.Conv2d(width, 3 * QUARTER**2, 3, padding=1),
        nn.PixelShuffle(QUARTER),
    )
