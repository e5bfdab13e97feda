"""Train a small DDPM on pictures at hand (Ho, Jain and Abbeel, NeurIPS 2020, arXiv 2006.11239), for `avatar`."""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from unlearnable.compute.devices import at_once, device_named, fast, seeded
from unlearnable.countermeasures.avatar import denoised
from unlearnable.datasets.folder import load_folder
from unlearnable.images.imageset import Images8, fingerprint
from unlearnable.storage.atomic import write
from unlearnable.storage.checkpoint import Checkpoint, restore, state_of

CHECKPOINT, QUALITY = "checkpoint.safetensors", "quality.json"
HELD_OUT = 10  # every tenth picture is not learnt from
MOST = 500  # pictures whose purification is measured
STEPS = 1000  # of noise
PURIFIED = 100  # the step of which the quality is stated, `avatar`'s own


@dataclass(frozen=True)
class DenoiserQuality:
    """What a denoiser does to pictures that it has never seen.

    Attributes:
        steps: of the training.
        minutes: it took.
        loss: mean squared error of the predicted noise of deviation 1, over all steps of noise.
        psnr: of clean pictures after noising and denoising from step 100, in dB.
        pictures: that were measured.
    """

    steps: int
    minutes: float
    loss: float
    psnr: float
    pictures: int


def train_denoiser(
    pictures: Path, out: Path, size: int, minutes: float, channels: int = 32, seed: int = 0, device: str | None = None
) -> Iterator[tuple[int, float] | DenoiserQuality]:
    """Train into ``out``, yielding step and loss, and at the end the quality; goes on where ``out`` has a checkpoint.

    Args:
        pictures: folder of clean ones.
        out: gets a pipeline of diffusers, ``quality.json`` and the checkpoint.
        size: side in pixels at which they are learnt; a multiple of 4.
        minutes: in all, those of runs before included; the step size falls over the last quarter.
        channels: of the first layer, a multiple of 8; the deeper ones have twice as many.
        seed: of everything drawn.
        device: torch device; CUDA where there is one when None.

    Raises:
        FileNotFoundError: there are no pictures.
        ValueError: too few, of a size that will not do, or ``out`` holds a training on others.
    """
    if size % 4 or channels % 8:
        raise ValueError(f"expected a size that is a multiple of 4 and channels of 8, got {size} and {channels}")
    data = load_folder(pictures, size)
    if len(data) < 2 * HELD_OUT:
        raise ValueError(f"expected at least {2 * HELD_OUT} pictures to learn from, got {len(data)}")
    where = device_named(device)
    images = data.images.to(where)
    held = torch.arange(len(images)) % HELD_OUT == 0
    network, scheduler = _untrained(size, channels, seed, where)
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-4)
    identity = {"pictures": fingerprint(data), "size": size, "channels": channels, "seed": seed}
    checkpoint, step = Checkpoint(out / CHECKPOINT, identity), 0
    if saved := checkpoint.load():
        restore(saved.state, network, optimizer)
        step = int(saved.notes["step"])
    while checkpoint.seconds < 60 * minutes:
        optimizer.param_groups[0]["lr"] = 2e-4 * min(1.0, 4 * max(0.0, 1 - checkpoint.seconds / (60 * minutes)))
        generator = torch.Generator().manual_seed(seed + step)
        chosen = torch.randint(int((~held).sum()), (64,), generator=generator)
        loss = _loss(network, scheduler, images[torch.nonzero(~held)[chosen, 0].to(where)], generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
        if checkpoint.due:
            checkpoint.save(state_of(network, optimizer), step=str(step))
        yield step, loss.item()
    checkpoint.save(state_of(network, optimizer), step=str(step))
    from diffusers import DDPMPipeline

    pipeline: Any = DDPMPipeline(network.eval(), scheduler)
    pipeline.save_pretrained(out)
    quality = _quality(network, scheduler, images[held.to(where)][:MOST], step, checkpoint.seconds / 60)
    write(out / QUALITY, json.dumps(asdict(quality), indent=2) + "\n")
    yield quality


def _untrained(size: int, channels: int, seed: int, device: torch.device) -> tuple[Any, Any]:
    from diffusers import DDPMScheduler, UNet2DModel

    with seeded(seed, device):
        network: Any = UNet2DModel(
            sample_size=size,
            block_out_channels=(channels, 2 * channels, 2 * channels),
            layers_per_block=1,
            down_block_types=("DownBlock2D",) * 3,
            up_block_types=("UpBlock2D",) * 3,
            norm_num_groups=8,
        )
    return network.to(device).to(memory_format=torch.channels_last), DDPMScheduler(STEPS)


def _loss(network: Any, scheduler: Any, images: Images8, generator: torch.Generator) -> Tensor:
    """Eq. 14: the noise predicted from a picture noised as far as a random step."""
    device, clean = images.device, images.float() / 127.5 - 1
    noise = torch.randn(clean.shape, generator=generator).to(device)
    steps = torch.randint(STEPS, (len(clean),), generator=generator).to(device)
    noisy = scheduler.add_noise(clean, noise, steps).contiguous(memory_format=torch.channels_last)
    with fast(device):
        predicted: Tensor = network(noisy, steps).sample
    return F.mse_loss(predicted.float(), noise)


def _quality(network: Any, scheduler: Any, images: Images8, steps: int, minutes: float) -> DenoiserQuality:
    generator = torch.Generator().manual_seed(0)
    chunks = images.split(at_once(images))
    with torch.inference_mode():
        losses = [_loss(network, scheduler, chunk, generator).item() * len(chunk) for chunk in chunks]
    purified = torch.cat([denoised(network, scheduler, chunk, PURIFIED, 1, generator) for chunk in chunks])
    squared = (purified.float() - images.float()).square().mean().clamp_min(1e-9).item()
    psnr = 10 * math.log10(255**2 / squared)
    return DenoiserQuality(steps, round(minutes, 2), sum(losses) / len(images), round(psnr, 2), len(images))
