"""The invertible network that hides."""

from pathlib import Path
from typing import Annotated

import typer

from unlearnable.cli.console import Device, console, documented, errors, say

app = typer.Typer(no_args_is_help=True)


@app.callback()
def main() -> None:
    """The invertible network that hides.

    Example:
        unlearnable hider train --covers photos --out weights
    """


@documented(app)
def train(
    covers: Annotated[list[Path], typer.Option(help="Folder of photographs; may be given again.")],
    out: Annotated[Path, typer.Option(help="Folder for the weights; resumes what it holds.")],
    secrets: Annotated[list[str], typer.Option(help="'render', folders of pictures, or both.")] = ["render"],  # noqa: B006
    plan: Annotated[
        Path | None, typer.Option(help="YAML of a configuration; that of the first weights when left out.")
    ] = None,
    change: Annotated[list[str], typer.Option("--set", help="NAME=VALUE, before the plan's.")] = [],  # noqa: B006
    device: Device = None,
) -> None:
    """Train the hiding network on your own pictures.

    Example:
        unlearnable hider train --covers photos --out weights --plan plans/hider_third.yaml
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from unlearnable.compute.devices import DivergedError
    from unlearnable.hider_training.config import HiderConfig
    from unlearnable.hider_training.train import train

    columns = TextColumn("step {task.completed}/{task.total}"), BarColumn(20), TextColumn("{task.description}")
    with errors(DivergedError), Progress(*columns, TimeRemainingColumn(), console=console()) as progress:
        config = HiderConfig.read(plan, change)
        task = progress.add_task("", total=config.steps)
        for now in train(config, covers, secrets, out, device):
            text = f"RMS {now.rms:.2f}  stego {now.stego_psnr:.1f} dB  secret {now.secret_psnr:.1f} dB"
            text += f"  rolled back {now.rollbacks} times" if now.rollbacks else ""
            progress.update(task, completed=now.step + 1, description=text)
            if not progress.console.is_terminal and now.step % 100 == 0:  # a log file gets lines, not a bar
                say(f"step {now.step}/{config.steps}  {text}  {progress.tasks[0].time_remaining or 0:.0f} s left")
    say(f"weights and training.png: {out}")


@documented(app, "import")
def import_weights(
    file: Annotated[Path, typer.Argument(help="Checkpoint of HiNet's own code, as torch.save wrote it.")],
    out: Annotated[Path, typer.Option(help="New folder for the weights.")],
) -> None:
    """Turn weights in HiNet's own layout into a folder for --weights; only tensors are read, no code is run.

    Example:
        unlearnable hider import model.pt --out weights
    """
    from unlearnable.hiding.hinet import read_hinet

    with errors():
        if out.exists():
            raise FileExistsError(f"expected a new folder, got {out}")
        hider = read_hinet(file)
        hider.save(out)
    say(f"{len(hider.blocks)} blocks: {out}")
