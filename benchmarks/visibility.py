"""What people see of published files, beside JPEG and white noise on the same pictures.

    python benchmarks/visibility.py FOLDER ORIGINALS --out results/visibility.json

FOLDER is what `unlearnable protect` or anything else made of ORIGINALS. All files are measured as they were written, by
SSIMULACRA2 and FLIP (`unlearnable.images.visibility`): whole, and the worst crop at 100 %. The reference rows are the
originals after JPEG of five qualities, and under white noise of the RMS that each file has. `ssimulacra2_unmended_mean`
is what the package gives without our continuation of small pictures: under 225 px without some of its scales. The last
line is one JSON object.
"""

import argparse
import io
import json
import platform
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import fmean

import numpy as np
from PIL import Image
from ssimulacra2 import compute_ssimulacra2

from unlearnable.audit.published import originals_of
from unlearnable.folder.manifest import read_manifest
from unlearnable.images.budget import Pixels, difference
from unlearnable.images.photos import read_limited, read_photo
from unlearnable.images.scan import scan
from unlearnable.images.visibility import WHOLE, Visibility, VisibilitySummary, visibility
from unlearnable.storage.atomic import write

QUALITIES = (90, 75, 50, 30, 10)
SEED = 0


def encoded(pixels: Pixels, format: str, **options: int) -> io.BytesIO:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format, **options)
    file.seek(0)
    return file


def jpeg(pixels: Pixels, quality: int) -> Pixels:
    return np.asarray(Image.open(encoded(pixels, "JPEG", quality=quality)))


def white_noise(pixels: Pixels, rms: float, generator: np.random.Generator) -> Pixels:
    noise = generator.normal(0, rms, pixels.shape)
    return (pixels + noise).round().clip(0, 255).astype(np.uint8)


def unmended(original: Pixels, published: Pixels, mended: float) -> float:
    """Without the continuation, which pictures of `WHOLE` px do not get."""
    if min(original.shape[:2]) >= WHOLE:
        return mended
    return float(compute_ssimulacra2(*(encoded(pixels, "BMP") for pixels in (original, published))))


def read_pairs(folder: Path, originals: Path) -> list[tuple[Pixels, Pixels]]:
    """Original and published pictures of one size."""
    manifest = {entry.output: entry.file for entry in read_manifest(folder).values() if entry.output}
    names = [[found.name for found in scan(root) if not found.refused] for root in (folder, originals)]
    pairs, _ = originals_of(*names, manifest)
    read = [
        tuple(read_photo(read_limited(file)).rgb for file in (originals / original, folder / published))
        for published, original in pairs.items()
    ]
    return [(before, after) for before, after in read if before.shape == after.shape]


def row(pairs: list[tuple[Pixels, Pixels]], change: Callable[[Pixels, Pixels], Pixels]) -> dict[str, float]:
    """Figures of what ``change`` makes of original and published pictures."""
    changed = [(before, change(before, after)) for before, after in pairs]
    seen: list[Visibility] = [found for pair in changed if (found := visibility(*pair))]
    summary = VisibilitySummary.of(seen)
    if summary is None or len(seen) < len(changed):
        raise SystemExit("expected files that have originals, of at least 8 px each")
    return {
        **vars(summary),
        "rms_mean": round(fmean(difference(*pair)[1] for pair in changed), 2),
        "ssimulacra2_unmended_mean": round(
            fmean(unmended(*pair, one.ssimulacra2) for pair, one in zip(changed, seen, strict=True)), 2
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="published files")
    parser.add_argument("originals", type=Path)
    parser.add_argument("--out", type=Path, help="file for the result")
    options = parser.parse_args()
    pairs = read_pairs(options.folder, options.originals)
    generator = np.random.default_rng(SEED)
    result: dict[str, object] = dict(row(pairs, lambda _, after: after))
    result["references"] = {
        **{f"JPEG {quality}": row(pairs, lambda before, _, q=quality: jpeg(before, q)) for quality in QUALITIES},
        "white noise": row(pairs, lambda before, after: white_noise(before, difference(before, after)[1], generator)),
    }
    result |= {"python": platform.python_version()}
    result |= {package.replace("-", "_"): version(package) for package in ("ssimulacra2", "flip-evaluator")}
    if options.out:
        write(options.out, json.dumps(result, indent=2) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
