"""Write pictures that need no download: two photographs, and handwritten digits, faint on tinted grainy paper."""

import sys
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images


def sample_pictures(folder: Path, digits: int = 120) -> None:
    """Fill a new folder: ``photos``, and ``digits`` with ``train``, so many a class, and ``test``, the rest."""
    if folder.exists():
        return
    building, samples = folder.with_name(folder.name + ".building"), load_sample_images()
    for name, photo in zip(samples.filenames, samples.images, strict=True):
        _save(Image.fromarray(photo), building / "photos" / Path(name).stem / f"{Path(name).stem}.png")
    scans, seen, rng = load_digits(), dict.fromkeys(range(10), 0), np.random.default_rng(0)
    for scan, label in zip(scans.images, scans.target.tolist(), strict=True):
        part = "train" if seen[label] < digits else "test"
        _save(_faint(scan, rng), building / "digits" / part / f"digit_{label}" / f"{seen[label]:03}.png")
        seen[label] += 1
    building.rename(folder)


def _faint(scan: np.ndarray, rng: np.random.Generator) -> Image.Image:
    """16 px, lighter or darker than the paper; the clear scans would be learnt before any shortcut is."""
    ink = Image.fromarray((scan / 16 * 255).astype("uint8")).resize((16, 16), Image.Resampling.BICUBIC)
    contrast, tint = rng.choice((-1, 1)) * rng.uniform(35, 60), rng.normal(128, 10, 3)
    colours = tint + contrast * np.asarray(ink)[..., None] / 255 + rng.normal(0, 18, (16, 16, 1))
    return Image.fromarray(colours.clip(0, 255).astype("uint8"))


def _save(picture: Image.Image, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    picture.save(file)


if __name__ == "__main__":
    sample_pictures(Path(sys.argv[1] if len(sys.argv) > 1 else ".") / "samples")
