"""Draw the picture of docs/backbones.md: what a frozen network that was not asked takes photographs for, and copies.

Made by ``python examples/backbones_picture.py docs`` with the extra ``backbones``. Two photographs are cut into squares
of two classes; the copies are protected with ``--against backbones``. EfficientNet-Lite1 with its own last layer
then names the three of ImageNet's thousand classes that it thinks nearest.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import timm
import torch
from overview import hidden_in
from PIL import Image, ImageDraw, ImageFont
from sklearn.datasets import load_sample_images
from timm.data import ImageNetInfo
from torch.nn import functional as F

from unlearnable import Hider, Key, protect_folder
from unlearnable.folder.manifest import read_manifest
from unlearnable.hiding.inference import weights_named
from unlearnable.hiding.surrogates import HELD_OUT
from unlearnable.semantics.secrets import secrets_named
from unlearnable.victims.backbones import BACKBONES, MEAN, STD, weights_file

SIDE, HEAD, FOOT, GAP = 320, 40, 96, 10  # px: of a tile, of the lines above and below, between tiles
COLUMNS = ("original", "protected copy", "what is hidden in it", "the change, 8 times")
STEP = 120  # px from one square to the next
SHOWN = "01.png"  # of each class


def squares(folder: Path) -> None:
    """A class of squares from each of the photographs that need no download."""
    samples = load_sample_images()
    for name, photo in zip(("temple", "flower"), samples.images, strict=True):
        (folder / name).mkdir(parents=True)
        for number, left in enumerate(range(0, photo.shape[1] - SIDE, STEP)):
            Image.fromarray(photo[30 : 30 + SIDE, left : left + SIDE]).save(folder / name / f"{number:02}.png")


def judge() -> torch.nn.Module:
    """The network that nothing was made against, with the last layer that ImageNet gave it."""
    model = timm.create_model(f"tf_{HELD_OUT}").eval()
    stored = torch.load(weights_file(HELD_OUT), map_location="cpu", weights_only=True)
    model.load_state_dict(dict(zip(model.state_dict(), stored.values(), strict=True)))
    return model


@torch.inference_mode()
def nearest(model: torch.nn.Module, picture: Image.Image) -> list[str]:
    """Its three nearest classes, and how sure it is of each."""
    pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 255
    seen = F.interpolate(pixels, (BACKBONES[HELD_OUT],) * 2, mode="bilinear", antialias=True)
    sure = model((seen - MEAN) / STD).softmax(1)[0].topk(3)
    names = (ImageNetInfo().index_to_description(int(index)).split(",")[0] for index in sure.indices)
    return [f"{name} {share:.0%}" for name, share in zip(names, sure.values, strict=True)]


def rows(folder: Path) -> list[tuple[list[Image.Image], list[list[str]]]]:
    """Pictures of a square of each class, and what the network takes the first two for; the key is no secret."""
    photos, copies, key, model = folder / "photos", folder / "copies", folder / "key", judge()
    squares(photos)
    key.write_bytes(Key.of_seed(7).secret)
    protect_folder(photos, copies, key=key, strength="strong", against="backbones")
    secrets = secrets_named("render", Key.read(key), Hider.load(weights_named()).drawings)
    drawn = []
    for entry in (entry for entry in read_manifest(copies).values() if entry.file.endswith(SHOWN)):
        original, copy = (Image.open(file).convert("RGB") for file in (photos / entry.file, copies / entry.output))
        change = np.asarray(copy).astype(int) - np.asarray(original)
        change = Image.fromarray((128 + 8 * change).clip(0, 255).astype(np.uint8))
        tiles = [original, copy, hidden_in(entry, secrets), change]
        drawn.append((tiles, [nearest(model, original), nearest(model, copy)]))
    return drawn


if __name__ == "__main__":
    out = Path(sys.argv[1] if len(sys.argv) > 1 else ".") / "backbones.webp"
    with TemporaryDirectory() as temporary:
        drawn = rows(Path(temporary))
    size = len(COLUMNS) * (SIDE + GAP) - GAP, HEAD + len(drawn) * (SIDE + FOOT)
    sheet = Image.new("RGB", size, "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(24)
    for column, title in enumerate(COLUMNS):
        left = column * (SIDE + GAP)
        pen.text((left + SIDE / 2, HEAD / 2), title, fill="black", font=font, anchor="mm")
        for row, (tiles, names) in enumerate(drawn):
            top = HEAD + row * (SIDE + FOOT)
            sheet.paste(tiles[column].resize((SIDE, SIDE)), (left, top))
            if column < len(names):
                words = "\n".join(names[column])
                pen.text((left + SIDE / 2, top + SIDE + FOOT / 2), words, fill="black", font=font, anchor="mm")
    sheet.save(out, quality=80)
    print(f"look at {out}: {out.stat().st_size / 1000:.0f} kB")
