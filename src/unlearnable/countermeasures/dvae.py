"""A variational autoencoder learns apart what a class alone decides (D-VAE, Yu et al., ICML 2024, arXiv 2405.01460).

What is added to a picture so that a network learns it in place of the content is easily predicted from the label, and a
small code has no room for it. So it stays in what the autoencoder leaves, from where a second decoder reads it off.
"""

import math
from typing import Annotated

import torch
from annotated_types import Interval
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from unlearnable.compute.devices import fast, seeded
from unlearnable.countermeasures.small_networks import learn, subtracted
from unlearnable.images.imageset import Images, Images8, ImageSet
from unlearnable.options import NonNegativeFloat, PositiveFloat, PositiveInt
from unlearnable.training.countermeasure import Countermeasure, Knowledge, countermeasures

QUARTER = 4  # px of a side that share one place of the code and of the embeddings
PATCH = 3 * QUARTER**2  # values of so many pixels
SQUARES = QUARTER**2 / 4  # of 2 px, as the authors' code has places, at one place of this
SOME = 512  # pictures from whose patches the second code starts
ERROR = 10 / 255  # of each of its components, at the start
EFFORT = 0.035  # epochs of `resnet9` on 10,000 pictures in the time of two steps of 128 pictures
FREE = 0.002  # mean square of what is said to be added, in [0, 1]: more is punished (authors, from the 11th epoch)


@countermeasures.register("dvae")
class Dvae(Countermeasure):
    """Subtract what the class embeddings decode to, twice, and train on what the second code alone decodes to.

    As the authors' code does, which draws the code where here its mean is decoded. Their networks are of ResNet-18's
    size and see 50,000 pictures 60 times; so that a small one gets as far in a few steps, the second starts as the
    principal components of the pictures' patches. The first does not: what its decoder cannot tell yet is what the
    class embeddings learn, and the better it gets, the more it tells of a pattern that is coarser than the patches.

    Attributes:
        steps: of Adam, of each of the two; 160 are two epochs of 10,000 pictures.
        batch_size: of both (authors: 128).
        learning_rate: of Adam, at the beginning (authors: 5e-3).
        channels: of all layers.
        code: values at each place of the code, whose side is a quarter of the picture's.
        first: what the first code may tell of a square of 2 px without being punished, in nats (authors: 1).
        second: the same of the second (authors: 3).
        weight: of the punishment beside the mean squared errors of values in [0, 1] (authors: 0.01).
    """

    steps: PositiveInt = 160
    batch_size: PositiveInt = 128
    learning_rate: PositiveFloat = 5e-3
    channels: PositiveInt = 48
    code: Annotated[int, Interval(ge=1, le=PATCH)] = 24
    first: NonNegativeFloat = 1.0
    second: NonNegativeFloat = 3.0
    weight: NonNegativeFloat = 0.01

    @property
    def effort_before(self) -> float:
        """As long as so many epochs of a small victim on 10,000 pictures."""
        return EFFORT * self.steps * self.channels / 48

    def purify(self, data: ImageSet, knowledge: Knowledge) -> ImageSet:
        """Subtract what the first and then the second predicts, and keep what the second's code tells of the rest."""
        first = self.learn(self.network(data, knowledge.seed), data, self.first, knowledge.seed)
        data = subtracted(data, first.added)
        network = self.network(data, knowledge.seed + 1).start(data.images[:SOME])
        second = self.learn(network, data, self.second, knowledge.seed + 1)
        return subtracted(subtracted(data, second.added), second.lost)

    def network(self, data: ImageSet, seed: int) -> "DisentanglingVae":
        """One that has learnt nothing."""
        device = data.images.device
        height, width = data.images.shape[-2:]
        with seeded(seed, device):
            network = DisentanglingVae(len(data.classes), self.channels, self.code, (height, width))
        return network.to(device)

    def learn(self, network: "DisentanglingVae", data: ImageSet, target: float, seed: int) -> "DisentanglingVae":
        """The network as an autoencoder of ``data`` whose code may tell ``target`` nats of a square of 2 px."""
        device = data.images.device
        network = network.to(memory_format=torch.channels_last)
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
            told = 0.5 * (mean.square() + (2 * spread).exp() - 1 - 2 * spread).sum(1).mean() / SQUARES
            both = F.mse_loss((decoded + added).clamp(0, 1), unit)
            strength = added.square().mean().clamp_min(FREE)
            return F.mse_loss(decoded, unit) + both + strength + self.weight * told.clamp_min(target)

        learn(network, loss, self.steps, seed, self.learning_rate)
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
        self.embeddings = nn.Parameter(torch.zeros(classes, PATCH, height, width))
        self.encoder = nn.Sequential(
            *_convolution(3, channels, stride=2),
            *_convolution(channels, channels, stride=2),
            *_convolution(channels, channels),
            nn.Conv2d(channels, 2 * code, 3, padding=1),
        )
        self.decoder = _decoder(code, channels)
        self.class_decoder = _decoder(code + PATCH, channels)
        self.to_code = nn.Conv2d(3, code, QUARTER, stride=QUARTER, bias=False)
        self.from_code = nn.ConvTranspose2d(code, 3, QUARTER, stride=QUARTER, bias=False)
        self.spread = nn.Parameter(torch.zeros(code, 1, 1))

    @torch.no_grad()
    def start(self, images: Images8) -> "DisentanglingVae":
        """Itself, coding the principal components of these pictures' patches, and nothing else yet."""
        unit = images.float() / 255 - 0.5
        patches = F.unfold(unit, QUARTER, stride=QUARTER).transpose(1, 2).flatten(0, 1)
        components, scales, _ = torch.linalg.svd(patches.T / math.sqrt(len(patches)), full_matrices=False)
        components, scales = components[:, : len(self.spread)], scales[: len(self.spread)].clamp_min(1e-4)
        self.to_code.weight.copy_((components / scales).T.view_as(self.to_code.weight))
        self.from_code.weight.copy_((components * scales).T.view_as(self.from_code.weight))
        self.spread.copy_((ERROR / scales).clamp(max=1).log().view_as(self.spread))
        for layer in (self.encoder[-1], self.decoder[-2], self.class_decoder[-2]):
            for parameter in layer.parameters():
                parameter.zero_()
        return self

    def encoded(self, images: Images) -> tuple[Float[Tensor, "n c h2 w2"], Float[Tensor, "n c h2 w2"]]:
        """The code's mean and the logarithm of its deviation."""
        height, width = images.shape[-2:]
        whole = F.pad(images - 0.5, (0, -width % QUARTER, 0, -height % QUARTER), mode="replicate")
        mean, spread = self.encoder(whole).float().chunk(2, 1)
        return mean + self.to_code(whole).float(), (spread + self.spread).clamp(-6, 3)

    def decoded(self, code: Float[Tensor, "n c h2 w2"], images: Images) -> Float[Tensor, "n 3 h w"]:
        """What the code alone tells of the pictures."""
        decoded: Tensor = self.decoder(code) + self.from_code(code)
        return decoded[..., : images.shape[-2], : images.shape[-1]] + 0.5

    def added_to(
        self, code: Float[Tensor, "n c h2 w2"], labels: Int64[Tensor, " n"], images: Images
    ) -> Float[Tensor, "n 3 h w"]:
        """What class and code tell of what was added."""
        known = self.embeddings[labels]
        added: Tensor = self.class_decoder(torch.cat([code, known], 1)) + F.pixel_shuffle(known, QUARTER)
        return added[..., : images.shape[-2], : images.shape[-1]]

    def added(self, images: Images, labels: Int64[Tensor, " n"]) -> Float[Tensor, "n 3 h w"]:
        """What is to be subtracted: what was added."""
        return self.added_to(self.encoded(images)[0], labels, images)

    def lost(self, images: Images, labels: Int64[Tensor, " n"]) -> Float[Tensor, "n 3 h w"]:
        """What is to be subtracted: all that the code does not tell."""
        return images - self.decoded(self.encoded(images)[0], images)


def _convolution(channels: int, out: int, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(channels, out, 3, stride, padding=1), nn.BatchNorm2d(out), nn.SiLU()]


def _decoder(channels: int, width: int) -> nn.Sequential:
    """From a quarter of the side to pictures."""
    return nn.Sequential(
        *_convolution(channels, width),
        *_convolution(width, width),
        nn.Conv2d(width, PATCH, 3, padding=1),
        nn.PixelShuffle(QUARTER),
    )
