"""What the paper's low-frequency loss (weight omega_1) trades away: a sweep from the weights that ship.

    python benchmarks/low_frequency.py PHOTOS HELD_OUT --out results/low_frequency.json

One JSON object a line and weight, the line of the weights that ship first. On crops of HELD_OUT, inside rms:8 and
rounded: mean SSIM, and how far what is left after a countermeasure correlates with the secret, in luma.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from sweep import SIDE, fine_tuned, parser_of
from torch import Tensor

from unlearnable.countermeasures import countermeasure_named
from unlearnable.hider_training.crops import FolderCrops
from unlearnable.hiding.inference import weights_named
from unlearnable.hiding.masking import luma
from unlearnable.images.imageset import ImageSet
from unlearnable.images.quality import ssim
from unlearnable.protections import protection_named
from unlearnable.storage.atomic import write
from unlearnable.training.countermeasure import Knowledge

COUNT, CLASSES = 60, 10
OMEGAS = (0.0, 0.1, 1.0, 10.0)  # the paper's is 1, beside a revealing weight of 1; ours is 6
COUNTERMEASURES = ("gray", "median", "jpeg:quality=50", "jpeg:quality=10")


def measured(weights: str | Path, crops: ImageSet) -> dict[str, float]:
    """SSIM, and correlations with the secret by countermeasure."""
    protection, knowledge = protection_named(f"deep_hiding:per=sample,weights={weights}"), Knowledge(crops)
    published, secrets = protection(crops, seed=0), protection.hidden(crops, 0)
    pairs = zip(*(data.images.permute(0, 2, 3, 1).numpy() for data in (crops, published)), strict=True)
    figures = {"ssim": float(np.mean([ssim(*pair) for pair in pairs]))}
    for name in COUNTERMEASURES:
        after, before = (countermeasure_named(name).purify(data, knowledge) for data in (published, crops))
        left = _centred(after.images) - _centred(before.images)
        figures[name] = torch.cosine_similarity(left, _centred(secrets)).mean().item()
    return {name: round(value, 3) for name, value in figures.items()}


def _centred(pictures: Tensor) -> Float[Tensor, "n pixels"]:
    plane = luma(pictures.float())
    return (plane - plane.mean((2, 3), keepdim=True)).flatten(1)


def main() -> None:
    parser = parser_of(__doc__, OMEGAS)
    parser.add_argument("--out", type=Path, required=True, help="JSON file for the lines")
    options = parser.parse_args()
    pictures = FolderCrops(options.held_out).draw(np.random.default_rng(0), COUNT, SIDE).pictures
    classes = tuple(map(str, range(CLASSES)))
    crops = ImageSet(torch.from_numpy(pictures), torch.arange(COUNT) % CLASSES, classes)
    lines: list[dict[str, object]] = [{"omega_1": None, "steps": 0, **measured(weights_named("first"), crops)}]
    print(json.dumps(lines[0]), flush=True)
    for omega in options.omegas:
        with tempfile.TemporaryDirectory() as folder:
            last = fine_tuned(options.photos, folder, options.steps, low_frequency=omega)
            line = {"omega_1": omega, "steps": options.steps, "rms_before_budget": round(last.rms, 2)}
            lines.append(line | measured(folder, crops))
        print(json.dumps(lines[-1]), flush=True)
    write(options.out, json.dumps(lines, indent=1) + "\n")


if __name__ == "__main__":
    main()
