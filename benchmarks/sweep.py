"""What the sweeps of a loss's weight share: their options, and short trainings from the weights that ship."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from unlearnable.hider_training.config import HiderConfig
from unlearnable.hider_training.loop import StepProgress
from unlearnable.hider_training.train import train
from unlearnable.hiding.inference import weights_named

SIDE = 64  # px of the crops


def parser_of(description: str | None, omegas: Sequence[float]) -> argparse.ArgumentParser:
    """A parser of what every sweep is told, with the weights that it tries by default."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, help="to train on")
    parser.add_argument("held_out", type=Path, help="to measure on")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--omegas", type=float, nargs="*", default=omegas)
    return parser


def fine_tuned(photos: Path, out: str | Path, steps: int, **settings: Any) -> StepProgress:
    """Go on from the weights that ship, into ``out``; how the last step stood."""
    config = HiderConfig(
        start=str(weights_named("first")), steps=steps, learning_rate=3e-4, warmup=20, sizes=(SIDE,), **settings
    )
    *_, last = train(config, [photos], ["render"], out)
    return last
