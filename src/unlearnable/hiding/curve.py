"""The small picture that a training leaves beside its weights."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure


def draw_curve(history: Sequence[Mapping[str, float]], file: Path) -> None:
    """Draw PSNRs and RMS over the steps, from records that hold ``step``, ``stego_psnr``, ``secret_psnr``, ``rms``."""
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
