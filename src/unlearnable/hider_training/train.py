"""Train the hiding network on random crops, resumable at any moment."""

import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from unlearnable.compute.devices import device_named
from unlearnable.hider_training.config import HiderConfig
from unlearnable.hider_training.crops import CropSource, FolderCrops, Mixture, RandomSecrets
from unlearnable.hider_training.loop import HiderTraining, StepProgress
from unlearnable.semantics.render import STYLES
from unlearnable.semantics.secrets import RENDER
from unlearnable.storage.checkpoint import Checkpoint


def draw_curve(history: Sequence[Mapping[str, float]], file: Path) -> None:
    """Draw PSNRs and RMS over the steps, from records that hold ``step``, ``stego_psnr``, ``secret_psnr``, ``rms``."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.5), layout="constrained")
    quality, budget = figure.subplots(1, 2)
    steps = [entry["step"] for entry in history]
    for name, label in (("stego_psnr", "stego"), ("secret_psnr", "secret")):
        quality.plot(steps, [entry[name] for entry in history], label=label, linewidth=0.8)
    quality.set(xlabel="step", ylabel="PSNR (dB)", ylim=(0, 50))
    quality.legend()
    budget.plot(steps, [entry["rms"] for entry in history], linewidth=0.8)
    budget.set(xlabel="step", ylabel="RMS (grey levels)", ylim=(0, 20))
    figure.savefig(file, dpi=120)


CHECKPOINT = "checkpoint.safetensors"
RECORD_STEPS = 20

Batch = tuple[Tensor, Tensor, Tensor]  # covers, secrets and the secrets' classes


def train(
    config: HiderConfig,
    covers: Sequence[str | Path],
    secrets: Sequence[str | Path],
    out: str | Path,
    device: str | None = None,
) -> Iterator[StepProgress]:
    """Train a `Hider` into ``out``, yielding `StepProgress` after every step; resumes where ``out`` has a checkpoint.

    Args:
        config: network, losses and schedule.
        covers: folders of photographs.
        secrets: folders of pictures, ``"render"`` for drawings, or some of each.
        out: gets ``model.safetensors``, ``config.json``, ``training.png`` and the checkpoint.
        device: torch device; CUDA where there is one when None.

    Raises:
        FileNotFoundError: a folder holds no pictures.
        ValueError: ``out`` holds a training of another configuration, or on other pictures.
        OSError: its checkpoint cannot be read.
        DivergedError: the training keeps exploding.
    """
    out = Path(out)
    sources = FolderCrops(*covers), _secrets(config, secrets)
    pictures = {"covers or secrets": [source.fingerprint for source in sources]}
    run = HiderTraining(config, device_named(device))
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = Checkpoint(out / CHECKPOINT, asdict(config) | pictures)
    run.resume(checkpoint)
    for batch in _batches(config, sources, run.step):
        progress = run.advance(*(part.to(run.device) for part in batch))
        if progress.step % RECORD_STEPS == 0 and math.isfinite(progress.loss):
            run.history.append(asdict(progress))
        if checkpoint.due:
            run.save(checkpoint)
        yield progress
    run.snapshot = run.state()
    run.save(checkpoint)
    run.hider.save(out)
    draw_curve(run.history, out / "training.png")


def _secrets(config: HiderConfig, names: Sequence[str | Path]) -> CropSource:
    """Drawings, pictures of folders, or both."""
    folders = [name for name in names if str(name) != RENDER]
    drawings = RandomSecrets(config.seed, STYLES[config.drawings])
    if not folders:
        return drawings
    pictures = FolderCrops(*folders)
    return Mixture(drawings, pictures, config.pictured) if len(folders) < len(names) else pictures


def _batches(config: HiderConfig, sources: tuple[CropSource, CropSource], first: int) -> Iterator[Batch]:
    """Batches from step ``first`` on, each a function of its step alone, drawn one ahead in a thread."""

    def draw(step: int) -> Batch:
        rng = np.random.default_rng((config.seed, step))
        size = int(rng.choice(config.sizes))
        count = max(1, config.pixels // size**2)
        covers, secrets = sources
        cover = covers.draw(rng, count, size).pictures
        secret, labels = secrets.draw(rng, count, size, config.per_class)
        return _floats(cover), _floats(secret), torch.from_numpy(labels)

    with ThreadPoolExecutor(1) as pool:
        upcoming = pool.submit(draw, first)
        for step in range(first, config.steps):
            batch = upcoming.result()
            upcoming = pool.submit(draw, min(step + 1, config.steps - 1))
            yield batch


def _floats(pictures: UInt8[np.ndarray, "n 3 size size"]) -> Tensor:
    return torch.from_numpy(pictures).float() / 255
