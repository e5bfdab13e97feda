"""Diffusion purification: noise drowns what was added, and a diffusion model of clean pictures takes it away.

AVATAR (Dolatabadi, Erfani and Leckie, 2023, arXiv 2303.08500) against unlearnable examples, DiffPure (Nie et al., ICML
2022, arXiv 2205.07460) against adversarial ones. Run by diffusers, from safetensors alone.
"""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import torch
from annotated_types import Ge
from torch import Tensor

from unlearnable.compute.devices import at_once, fast
from unlearnable.images.imageset import Images8, ImageSet, to_bytes
from unlearnable.options import PositiveInt
from unlearnable.training.countermeasure import Advantage, Countermeasure, Knowledge, countermeasures

CONFIG, WEIGHTS, SCHEDULE = "config.json", "diffusion_pytorch_model.safetensors", "scheduler_config.json"


@countermeasures.register("avatar")
class Avatar(Countermeasure):
    """Noise each published picture as far as a step of a DDPM, and denoise it from there.

    `unlearnable denoiser train` makes a small one.

    Attributes:
        model: folder or hub id of a DDPM of diffusers, for pictures of this size.
        step: at which denoising begins; 0 changes nothing (AVATAR's released CIFAR-10: 100 of 1000).
        stride: of denoising: every so many-th step is taken. Each costs one pass of the network a picture.
    """

    model: str
    step: Annotated[int, Ge(0)] = 100
    stride: PositiveInt = 1

    @property
    def changes_nothing(self) -> bool:
        """Without any noise."""
        return self.step == 0

    @property
    def advantage(self) -> Advantage:
        """The diffusion model."""
        return "pretrained"

    @property
    def effort_before(self) -> float:
        """A pass of a network far larger than a small victim for each step."""
        return 3.0 * -(-self.step // self.stride)

    def find_files(self) -> tuple[Path, ...]:
        """The network's configuration and weights, and the schedule of noise."""
        network, schedule = _folders(self.model)
        return network / CONFIG, network / WEIGHTS, schedule / SCHEDULE

    def check_serves(self, clean: ImageSet) -> None:
        """See `Countermeasure`: the network is for coloured pictures of this size, and has such a step."""
        super().check_serves(clean)
        config, _, schedule = self.find_files()
        told = json.loads(config.read_text())
        sides, channels = told.get("sample_size"), told.get("in_channels")
        height, width = clean.images.shape[-2:]
        expected = [sides, sides] if isinstance(sides, int) else sides
        if channels != 3 or list(expected or []) != [height, width]:
            raise ValueError(
                f"expected pictures as {self.model} was trained on, with {channels} channels and of {sides} px; got "
                f"colour pictures of {width}x{height} px: take a DDPM of this size, or another --size"
            )
        steps = json.loads(schedule.read_text()).get("num_train_timesteps", 1000)
        if self.step > steps:
            raise ValueError(f"expected a step of at most {steps}, as many as {self.model} has; got {self.step}")

    def purify(self, data: ImageSet, knowledge: Knowledge) -> ImageSet:
        """Noise and denoise."""
        if self.step == 0:
            return data
        network, scheduler = _loaded(self.model)
        network = network.to(data.images.device).to(memory_format=torch.channels_last)
        generator = torch.Generator().manual_seed(knowledge.seed)
        chunks = data.images.split(at_once(data.images))
        purified = [denoised(network, scheduler, chunk, self.step, self.stride, generator) for chunk in chunks]
        return replace(data, images=torch.cat(purified).contiguous())


@torch.inference_mode()
def denoised(
    network: Any, scheduler: Any, images: Images8, step: int, stride: int, generator: torch.Generator
) -> Images8:
    """Pictures noised as far as ``step`` and denoised again, each ``stride``-th step; drawn from the generator."""
    device = images.device
    first = step - 1  # diffusers counts from 0, where there is some noise already
    scheduler.set_timesteps(timesteps=list(range(first, -1, -stride)))
    clean = images.float() / 127.5 - 1
    noise = torch.randn(clean.shape, generator=generator).to(device)
    noisy = scheduler.add_noise(clean, noise, torch.full((len(clean),), first, device=device))
    for now in scheduler.timesteps:
        with fast(device):
            predicted: Tensor = network(noisy.contiguous(memory_format=torch.channels_last), now).sample
        noisy = scheduler.step(predicted.float(), now, noisy, generator=generator).prev_sample
    return to_bytes((noisy + 1) * 127.5)


@cache
def _folders(model: str) -> tuple[Path, Path]:
    """Where the network is and where its schedule, whether in folders of their own or in one.

    The hub is asked once a process; nothing but safetensors and JSON is taken from it.

    Raises:
        FileNotFoundError: it is neither a folder nor a hub id.
    """
    root = Path(model)
    if not root.is_dir():
        from huggingface_hub import snapshot_download

        try:
            root = Path(snapshot_download(model, allow_patterns=["*.json", "*.safetensors"]))
        except (OSError, ValueError) as error:
            raise FileNotFoundError(
                f"expected a folder or hub id of a DDPM of diffusers, got {model!r}: {error}"
            ) from error
    network, schedule = (root / name if (root / name).is_dir() else root for name in ("unet", "scheduler"))
    return network, schedule


def _loaded(model: str) -> tuple[Any, Any]:
    """The network, in evaluation mode, and the scheduler."""
    from diffusers import DDPMScheduler, UNet2DModel

    network, schedule = _folders(model)
    loaded = UNet2DModel.from_pretrained(network, use_safetensors=True, local_files_only=True)
    return loaded.eval(), DDPMScheduler.from_pretrained(schedule, local_files_only=True)
