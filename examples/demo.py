"""Protect real pictures that need no download, or your own, and show what was done."""

import argparse
import shutil
from pathlib import Path

from PIL import Image
from sklearn.datasets import load_digits, load_sample_images

from unlearnable import protect_folder, verify_folder
from unlearnable.report.side_by_side import quality_table, side_by_side

SHOWN = ("china/china.png", "flower/flower.png", "digit_0/000.png", "digit_3/000.png", "digit_8/000.png")


def sample_pictures(folder: Path, digits_a_class: int = 50) -> None:
    """The two photographs and handwritten digits that ship inside scikit-learn, in class sub-folders."""
    samples, digits = load_sample_images(), load_digits()
    for name, photo in zip(samples.filenames, samples.images, strict=True):
        _save(Image.fromarray(photo), folder / Path(name).stem / f"{Path(name).stem}.png")
    for label in range(10):
        for index, digit in enumerate(digits.images[digits.target == label][:digits_a_class]):
            picture = Image.fromarray((digit / 16 * 255).astype("uint8"))
            _save(picture.resize((32, 32), Image.Resampling.BICUBIC), folder / f"digit_{label}" / f"{index:03}.png")


def _save(picture: Image.Image, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    picture.save(file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder for everything that is made")
    parser.add_argument("--photos", type=Path, help="protect your own folder instead")
    arguments = parser.parse_args()
    out, photos = arguments.out, arguments.photos or arguments.out / "pictures"
    shutil.rmtree(out / "protected", ignore_errors=True)
    if not arguments.photos and not photos.exists():
        sample_pictures(photos)
    report = protect_folder(photos, out / "protected", key=out / "key")
    verification = verify_folder(out / "protected", photos)
    shown = None if arguments.photos else SHOWN
    side_by_side(photos, out / "protected", out / "key", out / "side_by_side.png", files=shown)
    (out / "table.md").write_text(quality_table(out / "protected"))
    print((out / "table.md").read_text())
    print(f"{report.summary['protected']} pictures protected, {report.summary['skipped']} skipped;", end=" ")
    print(f"{verification.checked} checked again from the files, {len(verification.violations)} with violations")
    for file in ("side_by_side.png", "table.md", "protected/", "protected/manifest.jsonl", "protected/report.json"):
        print(f"look at {out / file}")


if __name__ == "__main__":
    main()
