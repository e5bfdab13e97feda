"""Quality of weights on photographs never seen in training, through `protect` and `reveal`, from the written files.

    python benchmarks/hider_quality.py PHOTOS --out results/hider_quality.json

PHOTOS are class sub-folders. Stego figures are the manifest's, so after rounding and budget; the secret's PSNR is
that of the picture that `reveal` writes against the one that was hidden.
"""

import argparse
import hashlib
import json
import platform
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from unlearnable import Key, __version__, protect_folder, reveal_folder
from unlearnable.folder.manifest import read_manifest
from unlearnable.folder.scan import scan
from unlearnable.hiding.inference import shipped_weights
from unlearnable.hiding.network import WEIGHTS
from unlearnable.semantics.render import render

CASES = {  # side of the pictures, working size, grey
    "32 px": (32, 512, False),
    "64 px": (64, 512, False),
    "128 px": (128, 512, False),
    "224 px": (224, 512, False),
    "224 px, grey": (224, 512, True),
    "448 px, working size 224": (448, 224, False),
    "896 px, working size 224": (896, 224, False),
}


def make_pictures(photos: Path, folder: Path, count: int, side: int, grey: bool) -> None:
    names = [found.name for found in scan(photos) if not found.refused]
    for name in names[:: max(1, len(names) // count)][:count]:
        with Image.open(photos / name) as opened:
            picture = ImageOps.fit(opened.convert("L" if grey else "RGB"), (side, side), Image.Resampling.BICUBIC)
        file = (folder / name).with_suffix(".png")
        file.parent.mkdir(parents=True, exist_ok=True)
        picture.save(file)


def secret_psnrs(protected: Path, secrets: Path, key: Key) -> list[float]:
    found = []
    for entry in read_manifest(protected).values():
        with Image.open(secrets / str(entry.output)) as opened:
            revealed = np.asarray(opened.convert("RGB"), dtype=float)
        hidden = render(key, int(entry.secret_number or 0), int(entry.variation or 0), *revealed.shape[:2])
        found.append(10 * np.log10(255**2 / np.square(revealed - hidden.transpose(1, 2, 0)).mean()))
    return found


def measure_case(photos: Path, count: int, side: int, working_size: int, grey: bool, weights: Path) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        make_pictures(photos, work / "pictures", count, side, grey)
        (work / "key").write_bytes(bytes(range(32)))
        report = protect_folder(
            work / "pictures",
            work / "protected",
            key=work / "key",
            per="sample",
            working_size=working_size,
            weights=weights,
        )
        revelation = reveal_folder(work / "protected", work / "secrets", key=work / "key", weights=weights)
        psnrs = secret_psnrs(work / "protected", work / "secrets", Key.read(work / "key"))
    summary = report.summary
    return {
        "pictures": summary["protected"],
        "over_budget": summary["over_budget"],
        "rms_mean": summary["rms"]["mean"],
        "rms_max": summary["rms"]["max"],
        "stego_psnr_mean": summary["psnr"]["mean"],
        "stego_psnr_min": summary["psnr"]["min"],
        "ssim_mean": summary["ssim"]["mean"],
        "ssim_min": summary["ssim"]["min"],
        "secret_psnr_mean": round(float(np.mean(psnrs)), 2),
        "secret_psnr_min": round(float(np.min(psnrs)), 2),
        "key_beats_of_1000": revelation.key_score.beaten if revelation.key_score else 0,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=100, help="pictures a case")
    parser.add_argument("--weights", type=Path, default=shipped_weights())
    arguments = parser.parse_args()
    cases = {}
    for name, case in CASES.items():
        cases[name] = measure_case(arguments.photos, arguments.count, *case, arguments.weights)
        print(name, json.dumps(cases[name]), flush=True)
    result = {
        "command": f"python benchmarks/hider_quality.py PHOTOS --count {arguments.count}",
        "weights": hashlib.sha256((arguments.weights / WEIGHTS).read_bytes()).hexdigest(),
        "unlearnable": __version__,
        "torch": torch.__version__,
        "machine": platform.machine(),
        "cases": cases,
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
