"""The diffusion model with which a trainer purifies."""

from pathlib import Path
from typing import Annotated

import typer

from unlearnable.cli.console import Device, documented, errors, say

app = typer.Typer(no_args_is_help=True)


@app.callback()
def main() -> None:
    """The diffusion model with which a trainer purifies: avatar:model=FOLDER.

    Example:
        unlearnable denoiser train --pictures photos --out denoiser
    """


@documented(app)
def train(
    pictures: Annotated[Path, typer.Option(help="Folder of clean pictures.")],
    out: Annotated[Path, typer.Option(help="Folder for the model; resumes what it holds.")],
    size: Annotated[int, typer.Option(min=4, help="Side in pixels, that at which is trained.")] = 32,
    minutes: Annotated[float, typer.Option(min=0, help="In all, those of runs before included.")] = 60,
    channels: Annotated[int, typer.Option(min=8, help="Of the first layer; a multiple of 8.")] = 32,
    seed: Annotated[int, typer.Option(min=0, help="Of everything drawn.")] = 0,
    device: Device = None,
) -> None:
    """Train a small DDPM on your own clean pictures, and state what it does to others.

    Example:
        unlearnable denoiser train --pictures photos --out denoiser --size 32 --minutes 60
    """
    from unlearnable.countermeasures.denoiser import DenoiserQuality, train_denoiser

    with errors():
        for now in train_denoiser(pictures, out, size, minutes, channels, seed, device):
            if isinstance(now, DenoiserQuality):
                say(
                    f"after {now.steps} steps, on {now.pictures} pictures never seen: loss {now.loss:.3f}, "
                    f"PSNR {now.psnr:.1f} dB after purification from step 100: {out}"
                )
            elif now[0] % 100 == 0:
                say(f"step {now[0]}  loss {now[1]:.3f}")
