"""The folder job on real photographs: memory on many files, and time on large ones.

    python benchmarks/folder.py PHOTOS

Memory: peak resident set of `protect` on 300 and on 3,000 files (PHOTOS, or as many as it has, linked again under
other names), and of `verify` on the latter, which must find nothing. Time: photos of 24 megapixels through the whole
job, against opening each with Pillow and saving it as PNG, which any tool that writes lossless copies must do. What
people see is not measured: it is of eight files, however many there are. The last line is one JSON object.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

from PIL import Image
from sklearn.datasets import load_sample_images

from unlearnable.images.scan import scan

LARGE = (6000, 4000)


PROTECT = "protect_folder(*sys.argv[1:3], key=sys.argv[3], visibility=0)"
VERIFY = "assert verify_folder(sys.argv[2], sys.argv[1]).ok"


def run(what: str, source: Path, work: Path) -> tuple[float, float]:
    """Seconds and peak resident set in MiB of what is done to a folder, in a process of its own."""
    program = (
        f"import resource, sys; from unlearnable import protect_folder, verify_folder; {what};"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    command = [sys.executable, "-c", program, source, work / f"{source.name}.out", work / "key"]
    start = time.perf_counter()
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True)
    return time.perf_counter() - start, int(done.stdout) / 1024


def protect(source: Path, work: Path) -> tuple[float, float]:
    return run(PROTECT, source, work)


def linked(photos: Path, folder: Path, count: int) -> Path:
    """A folder of ``count`` photos: hard links or copies, so that they are files of the tree."""
    names = [found.name for found in scan(photos) if Path(found.name).suffix.lower() in (".jpg", ".jpeg", ".png")]
    for index, name in enumerate(islice(cycle(names), count)):
        target = folder / Path(name).parent / f"{index}{Path(name).suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(photos / name, target)
        except OSError:
            target.write_bytes((photos / name).read_bytes())
    return folder


def large_photos(folder: Path, count: int) -> Path:
    folder.mkdir()
    photo = Image.fromarray(load_sample_images().images[0]).resize(LARGE, Image.Resampling.BICUBIC)
    grain = Image.effect_noise(LARGE, 12).convert("RGB")  # a sensor's: without it PNG would have it too easy
    photo = Image.blend(photo, grain, 0.1)
    for index in range(count):
        photo.save(folder / f"{index}.jpg", quality=92)
    return folder


def plain_copies(source: Path) -> float:
    start = time.perf_counter()
    for file in source.iterdir():
        with Image.open(file) as photo:
            photo.save(source.parent / "copy.png")
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--large", type=int, default=8, help="number of 24-megapixel photos")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        start_up, _ = protect(linked(arguments.photos, work / "one", 1), work)
        few_seconds, few = protect(linked(arguments.photos, work / "few", 300), work)
        many_seconds, many = protect(linked(arguments.photos, work / "many", 3000), work)
        _, verifying = run(VERIFY, work / "many", work)
        large = large_photos(work / "large", arguments.large)
        plain = plain_copies(large)
        large_seconds, large_rss = protect(large, work)
    result = {
        "rss_300_mib": round(few),
        "rss_3000_mib": round(many),
        "rss_ratio": round(many / few, 3),
        "rss_verify_3000_mib": round(verifying),
        "files_per_second": round(2700 / (many_seconds - few_seconds), 1),
        "large_seconds_each": round((large_seconds - start_up) / arguments.large, 2),
        "large_plain_seconds_each": round(plain / arguments.large, 2),
        "large_ratio_to_plain": round((large_seconds - start_up) / plain, 2),
        "large_rss_mib": round(large_rss),
        "cpus": os.cpu_count(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
