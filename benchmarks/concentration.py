"""What the weight of eq. 7, omega_3, does to the hiding network: a sweep from the weights that ship.

    unlearnable fit folder:path=PHOTOS,size=96 folder:path=HELD_OUT,size=96 --victim resnet18 --out EXTRACTOR
    python benchmarks/concentration.py PHOTOS HELD_OUT --extractor EXTRACTOR --out omegas

One JSON object a line and weight, the line of the weights that ship first. ``within`` and ``between`` are mean cosine
distances of the features of two perturbations, whose secrets are of one class or of two, on crops of HELD_OUT: the
first is what eq. 7 is to lower, and the second must not fall with it. The trained networks lie in ``--out``, one folder
each: what they protect is measured by `plans/concentration_quick.yaml`.
"""

import json
from pathlib import Path

import numpy as np
import torch
from sweep import SIDE, fine_tuned, parser_of
from torch import Tensor
from torch.nn import functional as F

from unlearnable.compute.devices import best_device
from unlearnable.hider_training.crops import FolderCrops, RandomSecrets
from unlearnable.hider_training.extractor import Extractor
from unlearnable.hiding.inference import perturbations, prepare, weights_named
from unlearnable.hiding.network import Hider
from unlearnable.storage.atomic import write

PER_CLASS, CLASSES = 4, 16
OMEGAS = (0.0, 1e-4, 1e-3, 1e-2, 1e-1)  # the paper's is 1e-4, of a sum over all pairs of a batch


@torch.inference_mode()
def measured(weights: str | Path, held_out: Path, extractor: Extractor) -> dict[str, float]:
    """Cosine distances within and between classes, and the RMS of the changes in grey levels."""
    rng = np.random.default_rng(0)
    covers = torch.from_numpy(FolderCrops(held_out).draw(rng, PER_CLASS * CLASSES, SIDE).pictures)
    drawn = RandomSecrets(1).draw(rng, PER_CLASS * CLASSES, SIDE, PER_CLASS)
    secrets, labels = torch.from_numpy(drawn.pictures), torch.from_numpy(drawn.labels)
    change = perturbations(prepare(Hider.load(weights)), covers, secrets).float()
    unit = F.normalize(extractor(change.to(best_device()) / 255, 8.0), dim=1).cpu()
    distances = 1 - unit @ unit.T
    same = labels[:, None] == labels
    others = ~torch.eye(len(unit), dtype=torch.bool)
    means: dict[str, Tensor] = {"within": distances[same & others].mean(), "between": distances[~same].mean()}
    return {name: round(value.item(), 4) for name, value in means.items()} | {
        "rms": round(change.square().mean().sqrt().item(), 2)
    }


def main() -> None:
    parser = parser_of(__doc__, OMEGAS)
    parser.add_argument("--extractor", required=True, help="as `hiding.extractor` takes it")
    parser.add_argument("--out", type=Path, required=True, help="folder for the trained networks and the lines")
    options = parser.parse_args()
    extractor = Extractor.named(options.extractor).to(best_device())
    lines: list[dict[str, object]] = [
        {"omega_3": None, "steps": 0} | measured(weights_named("first"), options.held_out, extractor)
    ]
    print(json.dumps(lines[0]), flush=True)
    for omega in options.omegas:
        folder, batch = options.out / f"{omega:g}", {"per_class": PER_CLASS, "pixels": PER_CLASS * PER_CLASS * SIDE**2}
        eq_7 = {"concentration": omega, "extractor": options.extractor}
        last = fine_tuned(options.photos, folder, options.steps, **batch, **eq_7)
        line = {"omega_3": omega, "steps": options.steps, "secret_psnr": round(last.secret_psnr, 2)}
        lines.append(line | measured(folder, options.held_out, extractor))
        print(json.dumps(lines[-1]), flush=True)
    write(options.out / "concentration.json", json.dumps(lines, indent=1) + "\n")


if __name__ == "__main__":
    main()
