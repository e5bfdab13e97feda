"""Quality of weights on photographs never seen in training, through `protect` and `reveal`, from the written files.

    python benchmarks/hider_quality.py PHOTOS --out results/hider_quality.json

PHOTOS are class sub-folders. Stego figures are the manifest's, so after rounding, budget and strength, and what people
see is measured on every file. ``correlation`` is that in luma of what `reveal` finds with the drawing that was hidden;
a picture is ``recognised`` if no drawing of 100 secrets, nor its negative, comes nearer. ``read`` is that correlation
of the drawing that is read in what is found (`semantics.reading`); ``waves`` says how often its waves are among those
that were hidden, ``object`` how often no other silhouette of 100 secrets comes nearer to the object that it shows, and
``features`` how often EfficientNet-Lite0 finds it nearest to its own among 100 drawings that are read as drawn;
``known`` is how often an object of the catalogue is known again in it, ``mistaken`` how often that is another than was
hidden. All of them also after JPEG at 50. ``misread`` is the share of the originals in which a drawing seems to be, and
``misread_object`` that with an object.
"""

import argparse
import io
import json
import platform
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch.nn import functional as F

from unlearnable import Key, __version__, protect_folder, reveal_folder
from unlearnable.compute.devices import best_device
from unlearnable.folder.job import working_picture
from unlearnable.folder.manifest import read_manifest
from unlearnable.hiding.inference import prepare, reveal_secret, weights_digest, weights_named
from unlearnable.hiding.network import Hider
from unlearnable.hiding.surrogates import Features, features_of_all, network_named
from unlearnable.images.imageset import LUMA
from unlearnable.images.photos import read_photo
from unlearnable.images.scan import scan
from unlearnable.options import Strength
from unlearnable.semantics.reading import read_drawing
from unlearnable.semantics.render import FOURTH, scene
from unlearnable.semantics.secrets import RENDER, Secrets, secrets_named

SECRETS = 100  # numbers, among which what is revealed is looked for
WORKING_SIZE = 512


@dataclass(frozen=True)
class Case:
    """Which pictures, and how strong: their side in px, and in how many parts each class is, to have more secrets."""

    side: int
    strength: Strength
    grey: bool = False
    parts: int = 1


CASES = {
    "32 px, all of rms:8": Case(32, "full"),
    "64 px, all of rms:8": Case(64, "full"),
    "128 px, all of rms:8": Case(128, "full"),
    "224 px, all of rms:8": Case(224, "full"),
    "224 px, strong": Case(224, "strong"),
    "224 px, standard": Case(224, "standard"),
    "224 px, light": Case(224, "light"),
    "224 px, grey, standard": Case(224, "standard", grey=True),
    "224 px, three times the classes, standard": Case(224, "standard", parts=3),
}


def make_pictures(photos: Path, folder: Path, count: int, case: Case) -> None:
    names = [found.name for found in scan(photos) if not found.refused]
    for place, name in enumerate(names[:: max(1, len(names) // count)][:count]):
        size = (case.side, case.side)
        with Image.open(photos / name) as opened:
            picture = ImageOps.fit(opened.convert("L" if case.grey else "RGB"), size, Image.Resampling.BICUBIC)
        class_name, _, file = name.partition("/")
        part = str(place % case.parts) if case.parts > 1 else ""
        target = (folder / (class_name + part) / file).with_suffix(".png")
        target.parent.mkdir(parents=True, exist_ok=True)
        picture.save(target)


def luma(pictures: np.ndarray) -> np.ndarray:
    """Planes of zero mean and unit length, flat."""
    return unit(np.tensordot(LUMA, pictures.astype(float), (0, -3)))


def unit(planes: np.ndarray) -> np.ndarray:
    """The same of planes."""
    flat = planes.reshape(*planes.shape[:-2], -1)
    flat = flat - flat.mean(-1, keepdims=True)
    return flat / np.linalg.norm(flat, axis=-1, keepdims=True).clip(1e-9)


@dataclass(frozen=True)
class Seen:
    """What a frozen backbone sees of drawings that are read as they were drawn."""

    mean: Features
    deviation: Features
    directions: Features

    @classmethod
    def of(cls, drawings: list[np.ndarray]) -> "Seen":
        """Look at some drawings."""
        read = [reading.picture() for one in drawings if (reading := read_drawing(one, clarity=0))]
        assert len(read) == len(drawings)
        features = features_of_all(backbone(), torch.from_numpy(np.stack(read)), best_device())
        mean, deviation = features.mean(0, keepdim=True), features.std(0, keepdim=True) + 1e-3
        return cls(mean, deviation, F.normalize((features - mean) / deviation, dim=1))

    def nearest(self, picture: np.ndarray) -> int:
        """Which of them a picture looks like most."""
        features = features_of_all(backbone(), torch.from_numpy(picture)[None], best_device())
        return int((self.directions @ F.normalize((features - self.mean) / self.deviation, dim=1)[0]).argmax())


@cache
def backbone() -> torch.nn.Module:
    return network_named("efficientnet_lite0", best_device())


def recognition(protected: Path, secrets: Secrets, hider: Hider, quality: int | None) -> dict[str, float]:
    """What comes out of the files, after JPEG where there is a ``quality``, against the secrets of all numbers."""
    names = ("correlation", "recognised", "read", "waves", "object", "features", "known", "mistaken")
    found: dict[str, list[float]] = {name: [] for name in names}
    drawings = cache(lambda height, width: [secrets.draw(n, 0, height, width) for n in range(SECRETS)])
    drawn = cache(lambda height, width: luma(np.stack(drawings(height, width))))
    scenes = [scene(secrets.key, number, FOURTH) for number in range(SECRETS)]
    objects = cache(lambda height, width: unit(np.stack([one.object.mask(height, width) for one in scenes])))
    seen = cache(lambda height, width: Seen.of(drawings(height, width)))
    for entry in read_manifest(protected).values():
        with Image.open(protected / str(entry.output)) as opened:
            file = io.BytesIO()
            opened.save(file, **({"format": "PNG"} if quality is None else {"format": "JPEG", "quality": quality}))
        picture = working_picture(read_photo(file.getvalue()), WORKING_SIZE)
        taken, shape = reveal_secret(hider, picture), picture.shape[1:]
        number, index = int(entry.secret_number or 0), secrets.index(int(entry.variation or 0), entry.file)
        hidden, revealed = luma(secrets.draw(number, index, *shape)), luma(taken)
        found["correlation"].append(hidden @ revealed)
        found["recognised"].append(np.abs(drawn(*shape) @ revealed).argmax() == number)  # the same for a negative
        if reading := read_drawing(taken, clarity=1):
            found["read"].append(hidden @ luma(reading.picture()))
            found["waves"].append({*reading.fields} <= {*scenes[number].fields})
            found["object"].append((objects(*shape) @ unit(-reading.ground)).argmax() == number)
            found["features"].append(seen(*shape).nearest(reading.picture()) == number)
            found["known"].append(reading.object is not None)
            found["mistaken"].append(bool(reading.object) and reading.object.glyph != scenes[number].object.glyph)
    after = "" if quality is None else f"_jpeg{quality}"
    return {f"{name}{after}": round(float(np.mean(values)), 3) for name, values in found.items() if values}


def misread(originals: Path, hider: Hider) -> dict[str, float]:
    """In how many pictures in which nothing is hidden a drawing is read as clearly as `reveal` asks for."""
    pictures = [
        working_picture(read_photo(file.read_bytes()), WORKING_SIZE) for file in sorted(originals.rglob("*.png"))
    ]
    readings = [read_drawing(reveal_secret(hider, one)) for one in pictures]
    seen = {
        "misread": [one is not None for one in readings],
        "misread_object": [bool(one and one.object) for one in readings],
    }
    return {name: round(float(np.mean(values)), 3) for name, values in seen.items()}


def measure_case(photos: Path, count: int, case: Case, weights: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        make_pictures(photos, work / "pictures", count, case)
        (work / "key").write_bytes(bytes(range(32)))
        report = protect_folder(
            work / "pictures",
            work / "protected",
            key=work / "key",
            working_size=WORKING_SIZE,
            weights=weights,
            strength=case.strength,
            visibility=None,
        )
        revelation = reveal_folder(work / "protected", work / "secrets", key=work / "key", weights=weights)
        hider = Hider.load(weights)
        secrets, prepared = secrets_named(RENDER, Key.read(work / "key"), hider.drawings), prepare(hider)
        seen = [recognition(work / "protected", secrets, prepared, quality) for quality in (None, 50)]
        wrong = misread(work / "pictures", prepared)
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
        **{name: value for name, value in summary["visibility"].items() if name != "files"},
        "limits": summary.get("limits", {}),
        "key_beats_of_1000": revelation.key_score.beaten if revelation.key_score else 0,
        **seen[0],
        **seen[1],
        **wrong,
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
        cases[name] = measure_case(arguments.photos, arguments.count, case, arguments.weights)
        print(name, json.dumps(cases[name]), flush=True)
    result = {
        "command": f"python benchmarks/hider_quality.py PHOTOS --count {arguments.count}",
        "weights": weights_digest(arguments.weights),
        "unlearnable": __version__,
        "torch": torch.__version__,
        "machine": platform.machine(),
        "cases": cases,
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
