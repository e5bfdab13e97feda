"""Small captions with photographs, and small banks made of them."""

import json
from collections.abc import Callable
from pathlib import Path

from samples import picture
from unlearnable.semantics.bank import Bank
from unlearnable.semantics.build import build_bank

SENTENCES = (
    "A brown dog runs over green grass .",
    "Two dogs play on the grass .",
    "A red bus waits in the street .",
    "A bus and a taxi in a busy street .",
    "A woman cuts a birthday cake .",
    "Children eat cake at a party .",
    "A surfer rides a huge wave .",
    "The surfer falls into the wave .",
    "A clock on an old tower .",
    "The tower of a church with a clock .",
    "Fresh oranges and apples in a bowl .",
    "A bowl of apples beside bananas .",
)


def captioned(folder: Path, count: int = len(SENTENCES)) -> dict[str, Path]:
    """Photographs with a caption each, as options of `build_bank`."""
    images = folder / "images"
    images.mkdir(parents=True)
    for index in range(count):
        picture(index, 48, 40).save(images / f"{index}.jpg")
    captions = folder / "captions.json"
    captions.write_text(json.dumps({f"{index}.jpg": [SENTENCES[index]] for index in range(count)}))
    return {"captions": captions, "images": images}


def small_bank(folder: Path, classes: int = 4, per_class: int = 3, seed: int = 0) -> Bank:
    """A bank of redrawn photographs."""
    options = captioned(folder)
    return build_bank(
        folder / "bank", generator="stylise", classes=classes, per_class=per_class, size=32, seed=seed, **options
    )


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def killed_after(count: int) -> Callable[[int, int], None]:
    """An `on_image` that ends a build after so many pictures."""

    def on_image(done: int, total: int) -> None:
        if done == count:
            raise KeyboardInterrupt

    return on_image
