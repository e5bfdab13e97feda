"""Train a `Reader` for a hider that is done: it reads drawings of any key from pictures as they are published."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from unlearnable.compute.devices import device_named, fast, seeded
from unlearnable.hider_training.crops import FolderCrops, RandomSecrets
from unlearnable.hider_training.distortions import Distortion
from unlearnable.hider_training.publication import Publication
from unlearnable.hiding.inference import prepare, weights_digest, weights_named
from unlearnable.hiding.masking import luma
from unlearnable.hiding.network import Hider, latent_noise
from unlearnable.hiding.reader import Reader
from unlearnable.images.imageset import Images
from unlearnable.options import PositiveFloat, PositiveInt, Seed, Share, UnitInterval
from unlearnable.registry import check_fields
from unlearnable.semantics.render import STYLES
from unlearnable.storage.checkpoint import Checkpoint, restore, state_of

CHECKPOINT = "reader_checkpoint.safetensors"
SHAPE = 0.05  # weight of the shape (`lacking_shape`) beside the squared error


@dataclass(frozen=True)
class ReaderConfig:
    """What decides a training of a `Reader`.

    Attributes:
        steps: of Adam.
        learning_rate: of Adam, at the beginning; it falls as a cosine.
        channels: of the reader's finest level.
        sizes: crop sides in pixels, one drawn a step.
        pixels: of covers in a step.
        eps: the budget, RMS in grey levels.
        weakest: the least part of the change with which a picture of 224 px is published.
        distorted: how often a batch goes through a countermeasure first.
        seed: of everything.
    """

    steps: PositiveInt = 1600
    learning_rate: PositiveFloat = 2e-3
    channels: PositiveInt = 24
    sizes: tuple[int, ...] = (32, 64, 128, 224, 224, 384)
    pixels: PositiveInt = 224 * 224
    eps: PositiveFloat = 8.0
    weakest: Share = 0.3
    distorted: UnitInterval = 0.7
    seed: Seed = 0

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class ReaderProgress:
    """The state of a training: ``correlation`` is that in luma of a batch's secrets with what was read."""

    step: int
    steps: int
    loss: float
    correlation: float


def train_reader(
    weights: str | Path,
    covers: Sequence[str | Path],
    out: str | Path,
    config: ReaderConfig | None = None,
    device: str | None = None,
) -> Iterator[ReaderProgress]:
    """Train a `Reader` for a hider into ``out``, yielding after every step; resumes where ``out`` has a checkpoint.

    Args:
        weights: of the hider, as `weights_named` takes them.
        covers: folders of photographs.
        out: gets ``reader.safetensors`` and the checkpoint.
        config: of the training; the defaults when None.
        device: torch device; CUDA where there is one when None.

    Raises:
        FileNotFoundError: there are no such weights, or a folder holds no picture.
        ValueError: ``out`` holds the training of another reader.
    """
    config, out, place = config or ReaderConfig(), Path(out), device_named(device)
    folder, source = weights_named(weights), FolderCrops(*covers)
    hider = prepare(Hider.load(folder), place)
    with seeded(config.seed, place):
        reader = Reader(config.channels).to(place).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(reader.parameters())
    out.mkdir(parents=True, exist_ok=True)
    known = {"hider": weights_digest(folder), "covers": source.fingerprint}
    checkpoint = Checkpoint(out / CHECKPOINT, asdict(config) | known)
    first = 0
    if saved := checkpoint.load():
        restore(saved.state, reader, optimizer)
        first = int(saved.notes["step"])
    for step in range(first, config.steps):
        published, revealed, secret = _example(config, step, hider, source, place)
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * (1 + math.cos(math.pi * step / config.steps)) / 2
        with fast(place):
            read = reader(published, revealed).float()
        lacking = lacking_shape(read, secret)
        loss = F.mse_loss(read, secret) + SHAPE * lacking
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(reader.parameters(), 1.0)
        optimizer.step()
        if checkpoint.due or step == config.steps - 1:
            checkpoint.save(state_of(reader, optimizer), step=json.dumps(step + 1))
        yield ReaderProgress(step, config.steps, loss.item(), 1 - lacking.item())
    reader.save(out)


def lacking_shape(read: Images, secret: Images) -> Tensor:
    """One less the correlation of both in luma, on average."""
    found, hidden = ((plane - plane.mean((2, 3), keepdim=True)).flatten(1) for plane in (luma(read), luma(secret)))
    lacking: Tensor = 1 - F.cosine_similarity(found, hidden, dim=1).mean()
    return lacking


@torch.no_grad()
def _example(
    config: ReaderConfig, step: int, hider: Hider, source: FolderCrops, device: torch.device
) -> tuple[Images, Images, Images]:
    """Published pictures, what is revealed in them, and the secrets; a function of the step alone."""
    rng = np.random.default_rng((config.seed, step))
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    size = int(rng.choice(config.sizes))
    count = max(1, config.pixels // size**2)
    drawings = RandomSecrets(int(rng.integers(2**31)), STYLES[hider.drawings])
    cover, secret = (
        torch.from_numpy(drawn.draw(rng, count, size).pictures).to(device).float() / 255 for drawn in (source, drawings)
    )
    publish = Publication(config.eps, weakest=config.weakest)
    published = publish(cover + hider.perturbation(cover, secret), cover, generator)
    received = Distortion(config.distorted)(published, generator)
    return received, hider.reveal(received, latent_noise(received, generator))[1], secret
