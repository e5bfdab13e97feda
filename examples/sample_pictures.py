"""Write the two photographs and the handwritten digits that ship inside scikit-learn, in class sub-folders."""

import sys
from pathlib import Path

from PIL import Image
from sklearn.datasets import load_digits, load_sample_images


def sample_pictures(folder: Path, digits_a_class: int = 50) -> None:
    """Fill a new folder; nothing happens where it exists already."""
    if folder.exists():
        return
    building = folder.with_name(folder.name + ".building")
    samples, digits = load_sample_images(), load_digits()
    for name, photo in zip(samples.filenames, samples.images, strict=True):
        _save(Image.fromarray(photo), building / Path(name).stem / f"{Path(name).stem}.png")
    for label in range(10):
        for index, digit in enumerate(digits.images[digits.target == label][:digits_a_class]):
            picture = Image.fromarray((digit / 16 * 255).astype("uint8"))
            _save(picture.resize((32, 32), Image.Resampling.BICUBIC), building / f"digit_{label}" / f"{index:03}.png")
    building.rename(folder)


def _save(picture: Image.Image, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    picture.save(file)


if __name__ == "__main__":
    sample_pictures(Path(sys.argv[1] if len(sys.argv) > 1 else ".") / "pictures")
