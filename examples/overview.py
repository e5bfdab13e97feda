"""Draw the picture at the top of the README: two photographs, their copies, what is hidden in them, and what is read.

Made by ``python examples/overview.py docs``. Every tile is a crop at 100 %, so nothing is smoothed away.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image, ImageDraw, ImageFont
from sample_pictures import sample_pictures

from unlearnable import Hider, Key, protect_folder, reveal_folder
from unlearnable.folder.manifest import ManifestEntry, read_manifest
from unlearnable.hiding.inference import weights_named
from unlearnable.semantics.secrets import Secrets, secrets_named

WIDTH, HEIGHT, HEAD, GAP = 540, 420, 44, 10  # px: of a tile, of the line above the tiles, between tiles
COLUMNS = ("original", "protected copy", "what is hidden in it", "what reveal reads in it")


def crop(picture: Image.Image) -> Image.Image:
    """The middle of a picture."""
    left, top = (picture.width - WIDTH) // 2, (picture.height - HEIGHT) // 2
    return picture.crop((left, top, left + WIDTH, top + HEIGHT))


def hidden_in(entry: ManifestEntry, secrets: Secrets) -> Image.Image:
    """What was hidden in a copy, at its size."""
    index = secrets.index(entry.variation, entry.file)
    secret = secrets.draw(entry.secret_number, index, entry.working_height, entry.working_width)
    return Image.fromarray(secret.transpose(1, 2, 0)).resize((entry.width, entry.height))


def rows(folder: Path) -> list[list[Image.Image]]:
    """Original, copy, secret and what is read of every photograph that needs no download; the key is no secret."""
    photos, copies, key, read = folder / "samples" / "photos", folder / "copies", folder / "key", folder / "read"
    sample_pictures(folder / "samples")
    key.write_bytes(Key.of_seed(7).secret)
    protect_folder(photos, copies, key=key)
    reveal_folder(copies, read)
    secrets = secrets_named("render", Key.read(key), Hider.load(weights_named()).drawings)
    drawn = []
    for entry in read_manifest(copies).values():
        original, copy = Image.open(photos / entry.file), Image.open(copies / entry.output)
        found = Image.open(read / entry.output).resize(copy.size)
        pictures = original, copy, hidden_in(entry, secrets), found
        drawn.append([crop(picture.convert("RGB")) for picture in pictures])
    return drawn


if __name__ == "__main__":
    out = Path(sys.argv[1] if len(sys.argv) > 1 else ".") / "overview.webp"
    with TemporaryDirectory() as temporary:
        tiles = rows(Path(temporary))
    size = len(COLUMNS) * (WIDTH + GAP) - GAP, HEAD + len(tiles) * (HEIGHT + GAP) - GAP
    sheet = Image.new("RGB", size, "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(28)
    for column, title in enumerate(COLUMNS):
        left = column * (WIDTH + GAP)
        pen.text((left + WIDTH / 2, HEAD / 2), title, fill="black", font=font, anchor="mm")
        for row, pictures in enumerate(tiles):
            sheet.paste(pictures[column], (left, HEAD + row * (HEIGHT + GAP)))
    sheet.save(out, quality=88)
    print(f"look at {out}: {out.stat().st_size / 1000:.0f} kB")
