"""How often a single picture that was found is known to be its owner's: as it was written, reduced, framed, cut.

    python benchmarks/found.py PHOTOS --count 12 --out results/found.json

Photographs are protected at the default strength, and each is then looked at alone, by somebody who knows the folder of
copies and the class, as `unlearnable reveal FOUND --key KEY --protected FOLDER` does it. A row says of how many the
p-value was at most 0.01, and the median; a last row does the same with a key that is not the owner's. The last line is
JSON.
"""

import argparse
import io
import json
import shutil
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from unlearnable import protect_folder, reveal_folder
from unlearnable.folder.manifest import read_manifest
from unlearnable.images.scan import scan
from unlearnable.images.visibility import spread_out
from unlearnable.storage.atomic import write

CONVINCING = 0.01


def saved(image: Image.Image, quality: int | None) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG" if quality else "PNG", **({"quality": quality} if quality else {}))
    return buffer.getvalue()


def reduced(image: Image.Image, share: float) -> Image.Image:
    return image.resize((round(image.width * share), round(image.height * share)), Image.Resampling.LANCZOS)


def framed(image: Image.Image) -> Image.Image:
    side = max(image.size) + 20
    frame = Image.new("RGB", (side, side), "white")
    frame.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return frame


def cut(image: Image.Image) -> Image.Image:
    """Nine tenths of each side, from a corner."""
    return image.crop((0, 0, round(image.width * 0.9), round(image.height * 0.9)))


WAYS: dict[str, Callable[[Image.Image], bytes]] = {
    "as written": lambda image: saved(image, None),
    "JPEG 75": lambda image: saved(image, 75),
    "JPEG 50": lambda image: saved(image, 50),
    "half the size, JPEG 85": lambda image: saved(reduced(image, 0.5), 85),
    "a white frame, JPEG 85": lambda image: saved(framed(image), 85),
    "nine tenths of each side, JPEG 90, --parts": lambda image: saved(cut(image), 90),
}
WRONG = "as written, another key"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--out", type=Path, default=Path("results/found.json"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = measured(Path(folder), arguments.photos, arguments.count)
    print(f"{'found':44} p at most {CONVINCING}   median p")
    for way, row in rows.items():
        print(f"{way:44} {row['convincing']} of {row['files']}   {row['median_p']}")
    write(arguments.out, json.dumps(rows, indent=2) + "\n")
    print(json.dumps(rows))


def measured(folder: Path, photos: Path, count: int) -> dict[str, dict[str, float]]:
    """By way, what is said of the pictures; each is looked at alone."""
    source, copies, key, other = (folder / name for name in ("source", "copies", "key", "other"))
    for file in spread_out([found for found in scan(photos) if not found.refused], count):
        (source / file.class_name).mkdir(parents=True, exist_ok=True)
        shutil.copy(photos / file.name, source / file.class_name)
    key.write_bytes(bytes(range(32)))
    other.write_bytes(bytes(32))
    report = protect_folder(source, copies, key=key, visibility=0)
    p_values: dict[str, list[float]] = {way: [] for way in (*WAYS, WRONG)}
    for number, entry in enumerate(entry for entry in read_manifest(copies).values() if entry.output):
        with Image.open(copies / str(entry.output)) as opened:
            image = opened.convert("RGB")
        for way, values in p_values.items():
            found = folder / f"{number}"
            found.write_bytes(WAYS.get(way, WAYS["as written"])(image))
            revelation = reveal_folder(
                found,
                folder / f"revealed {number} {way.replace('/', ' ')}",
                key=other if way == WRONG else key,
                protected=copies,
                secret_number=entry.secret_number,
                parts="--parts" in way,
            )
            assert revelation.key_score is not None
            values.append(revelation.key_score.p_value)
        print(
            f"{number + 1} of {report.summary['protected']}: {[values[-1] for values in p_values.values()]}", flush=True
        )
    return {
        way: {
            "files": len(values),
            "convincing": sum(value <= CONVINCING for value in values),
            "median_p": round(statistics.median(values), 4),
        }
        for way, values in p_values.items()
    }


if __name__ == "__main__":
    main()
