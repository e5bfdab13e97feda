"""Quality of weights on photographs never seen in training, through `protect` and `reveal`, from the written files.

    python benchmarks/hider_quality.py PHOTOS --out results/hider_quality.json

PHOTOS are class sub-folders. Stego figures are the manifest's, so after rounding and budget; the secret's PSNR is
that of the picture that `reveal` writes against the one that was hidden. ``correlation`` is theirs in luma, and a
picture is ``recognised`` if it is higher than with the secrets of all other classes; both also after JPEG at 50.
"""

import argparse
import hashlib
import io
import json
import platform
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from unlearnable import Key, __version__, protect_folder, reveal_folder
from unlearnable.folder.job import working_picture
from unlearnable.folder.manifest import Report, read_manifest
from unlearnable.hiding.inference import prepare, reveal_secrets, weights_named
from unlearnable.hiding.network import WEIGHTS, Hider
from unlearnable.images.imageset import LUMA
from unlearnable.images.photos import read_photo
from unlearnable.images.scan import scan
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


def luma(pictures: np.ndarray) -> np.ndarray:
    """Planes of zero mean and unit length, flat."""
    planes = np.tensordot(LUMA, pictures.astype(float), (0, -3)).reshape(*pictures.shape[:-3], -1)
    planes -= planes.mean(-1, keepdims=True)
    return planes / np.linalg.norm(planes, axis=-1, keepdims=True).clip(1e-9)


def recognition(protected: Path, key: Key, hider: Hider, size: int, quality: int | None) -> dict[str, float]:
    """What comes out of the files, after JPEG where there is a ``quality``, against all classes' secrets."""
    numbers = Report.load(protected).secret_numbers
    correlations, right = [], []
    for entry in read_manifest(protected).values():
        with Image.open(protected / str(entry.output)) as opened:
            file = io.BytesIO()
            opened.save(file, **({"format": "PNG"} if quality is None else {"format": "JPEG", "quality": quality}))
        picture = working_picture(read_photo(file.getvalue()), size)
        revealed = luma(reveal_secrets(hider, torch.from_numpy(np.array(picture))[None])[0].numpy())
        drawn = [render(key, number, int(entry.variation or 0), *picture.shape[1:]) for number in numbers]
        similar = luma(np.stack(drawn)) @ revealed
        correlations.append(similar[int(entry.class_index or 0)])
        right.append(similar.argmax() == entry.class_index)
    after = "" if quality is None else f"_jpeg{quality}"
    return {
        f"correlation{after}": round(float(np.mean(correlations)), 3),
        f"recognised{after}": round(float(np.mean(right)), 3),
    }


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
            visibility=0,
        )
        revelation = reveal_folder(work / "protected", work / "secrets", key=work / "key", weights=weights)
        owner, hider = Key.read(work / "key"), prepare(Hider.load(weights))
        psnrs = secret_psnrs(work / "protected", work / "secrets", owner)
        seen = [recognition(work / "protected", owner, hider, working_size, quality) for quality in (None, 50)]
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
        **seen[0],
        **seen[1],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=100, help="pictures a case")
    parser.add_argument("--weights", type=Path, default=weights_named())
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
