"""In which format to upload a picture at a platform's exact size: what is left after the platform's own encoding.

    python benchmarks/uploads.py ../shared/data/photos --out results/uploads.json

Every photograph is brought to a platform's size, a secret is hidden in it at the strength `standard`, and it is
uploaded as PNG, as JPEG of the platform's own quality and 4:2:0, and as JPEG 95 and 4:4:4, as `--format jpeg
--quality 95` writes it; then the platform does what it does. Figures are means over the photographs, of the file as
served, against the original at the same size: RMS of the difference (also of the file as uploaded, with its
megabytes), SSIMULACRA2, how what is revealed correlates with what was hidden, and how often no other of 20 secrets
comes nearer. One JSON object a platform and format; a platform's are there as soon as it is measured, and the same
command goes on from there.
"""

import argparse
import io
import json
from functools import lru_cache
from pathlib import Path
from statistics import fmean
from typing import get_args

import numpy as np
import torch
from hider_quality import luma
from PIL import Image

from unlearnable import Key, __version__
from unlearnable.folder.job import enlarged, working_picture
from unlearnable.hiding.inference import perturbations, prepare, reveal_secrets, weights_digest, weights_named
from unlearnable.hiding.network import Hider
from unlearnable.images.budget import Budget
from unlearnable.images.encode import encode_photo
from unlearnable.images.photos import Photo, UnreadablePhotoError, read_limited, read_photo
from unlearnable.images.platforms import PLATFORMS, PublishedSize
from unlearnable.images.quality import measure
from unlearnable.images.scan import scan
from unlearnable.images.strength import within
from unlearnable.images.visibility import visibility
from unlearnable.options import Platform
from unlearnable.semantics.secrets import RENDER, secrets_named
from unlearnable.storage.atomic import write

WORKING_SIZE = 512
SECRETS = 20  # numbers, among which what is revealed is looked for
KEY = Key(bytes(range(32)))


def uploads(photo: Photo, quality: int) -> dict[str, bytes]:
    """The file in every format."""
    files = {"png": encode_photo(photo, "png")}
    for name, at, subsampling in (("jpeg, the same", quality, "4:2:0"), ("jpeg 95, 4:4:4", 95, "4:4:4")):
        buffer = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(photo.rgb)).save(buffer, "JPEG", quality=at, subsampling=subsampling)
        files[name] = buffer.getvalue()
    return files


class Measuring:
    """The network, and secrets to hide and to find."""

    def __init__(self) -> None:
        self.hider = prepare(Hider.load(weights_named()))
        self.secrets = secrets_named(RENDER, KEY, self.hider.drawings)
        self.drawn = lru_cache(16)(self._drawn)

    def _drawn(self, height: int, width: int) -> np.ndarray:
        return luma(np.stack([self.secrets.draw(number, 0, height, width) for number in range(SECRETS)]))

    def hidden(self, photo: Photo, number: int) -> Photo:
        """The photo with the secret of this number."""
        cover = working_picture(photo, WORKING_SIZE)
        secret = self.secrets.draw(number, self.secrets.index(0, ""), *cover.shape[1:])
        change = perturbations(self.hider, torch.tensor(cover)[None], torch.tensor(secret)[None])[0].numpy()
        full = enlarged(change, photo.pixels.shape)
        return photo.with_pixels(within(photo.pixels, full, Budget(), "standard")[0])

    def of(self, original: Photo, picture: np.ndarray, number: int) -> dict[str, float]:
        """What is left in a picture of the secret of this number, and what people see of it."""
        found = working_picture(Photo(np.ascontiguousarray(picture)), WORKING_SIZE)
        revealed = luma(reveal_secrets(self.hider, torch.tensor(found)[None])[0].numpy())
        nearness = np.abs(self.drawn(*found.shape[1:]) @ revealed)
        seen = visibility(original.rgb, picture)
        return {
            "rms": measure(original.rgb, picture).rms,
            "ssimulacra2": seen.ssimulacra2 if seen else 100.0,
            "correlation": float(nearness[number]),
            "recognised": float(nearness.argmax() == number),
        }


def measured(measuring: Measuring, photos: list[Photo], name: Platform) -> list[dict[str, object]]:
    """A line a format."""
    preset, size = PLATFORMS[name], PublishedSize.of(name)
    found: dict[str, list[dict[str, float]]] = {}
    for number, photo in enumerate(photos):
        original = size.reduced(photo)
        for format, content in uploads(measuring.hidden(original, number), preset.quality).items():
            written = np.ascontiguousarray(read_photo(content).rgb)
            served = preset.applied(written, preset.sizes[0])
            figures = {"megabytes": len(content) / 1e6, "written_rms": measure(original.rgb, written).rms}
            figures |= measuring.of(original, served, number)
            found.setdefault(format, []).append(figures)
    return [
        {"platform": name, "upload": format}
        | {key: round(fmean(one[key] for one in figures), 3) for key in figures[0]}
        | {"lowest_correlation": round(min(one["correlation"] for one in figures), 3)}
        for format, figures in found.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--platforms", nargs="+", default=get_args(Platform))
    parser.add_argument("--least", type=float, default=0.5, help="megapixels; smaller photographs are left out")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    photos = []
    for file in scan(options.photos):
        try:
            photo = read_photo(read_limited(options.photos / file.name))
            photos += [photo] if photo.pixels[..., 0].size >= 1e6 * options.least else []
        except UnreadablePhotoError as unreadable:
            print(f"{file.name}: {unreadable}")
    record = {"photos": len(photos), "weights": weights_digest(weights_named()), "version": __version__}
    earlier = json.loads(options.out.read_text()) if options.out.exists() else {}
    measuring, lines = Measuring(), earlier["lines"] if earlier.items() >= record.items() else []
    for name in options.platforms:
        if any(line["platform"] == name for line in lines):
            continue
        lines += measured(measuring, photos, name)
        print(*map(json.dumps, lines[-3:]), sep="\n", flush=True)
        write(options.out, json.dumps(record | {"lines": lines}, indent=1) + "\n")


if __name__ == "__main__":
    main()
