"""Check a manifest as an outsider would: with Pillow, NumPy and hashlib alone, as docs/manifest.md defines it.

    python benchmarks/outsider.py SRC DST

Every figure of every protected file is computed again from the two files; SSIM, which is slow by its formula, of every
``--ssim-every``-th. Nothing of the package is imported. The first disagreement is an error.
"""

import argparse
import hashlib
import json
import math
from pathlib import Path

import numpy as np
from PIL import Image


def check(src: Path, dst: Path, ssim_every: int = 1) -> dict[str, float]:
    published = json.loads((dst / "report.json").read_text())["options"].get("platform")
    protected = skipped = 0
    worst = 0.0
    for line in (dst / "manifest.jsonl").read_text().splitlines():
        entry = json.loads(line)
        if entry["status"] != "protected":
            assert not (dst / entry.get("output", "nothing there")).exists()
            skipped += 1
            continue
        before, after = src / entry["file"], dst / entry["output"]
        assert hashlib.sha256(before.read_bytes()).hexdigest() == entry["sha256_input"], before
        assert hashlib.sha256(after.read_bytes()).hexdigest() == entry["sha256_output"], after
        (x, alpha), (y, _) = pixels(before, published), pixels(after)
        assert y.shape == x.shape == (entry["height"], entry["width"], 3), after
        change = (y - x)[alpha > 0]  # what is seen
        rms = math.sqrt(np.square(change).mean())
        assert np.abs(change).max() == entry["linf"], after
        assert change.any(1).sum() == entry.get("l0", change.any(1).sum()), after
        assert abs(rms - entry["rms"]) <= 1e-4, after
        assert abs(20 * math.log10(255 / rms) - entry["psnr"]) <= 1e-3 if rms else "psnr" not in entry, after
        x, y = (shown(picture, alpha) for picture in (x, y))
        if protected % ssim_every == 0 and 11 <= min(x.shape[:2]) < 384:
            assert abs(ssim(x, y) - entry["ssim"]) <= 1e-4, after
        worst, protected = max(worst, rms), protected + 1
    return {"protected": protected, "skipped": skipped, "worst_rms": round(worst, 4)}


def pixels(file: Path, published: dict | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Colours and alpha, at the size at which a picture is published."""
    with Image.open(file) as opened:
        picture = opened.convert("RGBA" if opened.has_transparency_data else "RGB")
    if published:
        width, height = picture.size
        held = {"width": width, "longest": max(width, height), "area": math.sqrt(width * height)}[published["rule"]]
        if held > published["pixels"]:
            rounded = math.floor if published["rule"] == "area" else round
            size = [max(1, rounded(side * published["pixels"] / held)) for side in (width, height)]
            picture = picture.resize((size[0], size[1]), Image.Resampling.LANCZOS)
    seen = np.asarray(picture).astype(float)
    return seen[..., :3], seen[..., 3] if seen.shape[2] == 4 else np.full(seen.shape[:2], 255.0)


def shown(picture: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Laid on grey, and cut to where anything is seen."""
    rows, columns = (np.flatnonzero((alpha > 0).any(axis)) for axis in (1, 0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return np.rint(128 + (picture[box] - 128) * (alpha[box] / 255)[..., None])


def ssim(x: np.ndarray, y: np.ndarray) -> float:
    """Of pictures that need no averaging first: with the short side from 11 to 383 px."""
    line = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2

    def means(values: np.ndarray) -> np.ndarray:
        return np.einsum("ijckl,kl->ijc", np.lib.stride_tricks.sliding_window_view(values, (11, 11), (0, 1)), window)

    mean_x, mean_y = means(x), means(y)
    var_x, var_y = means(x * x) - mean_x**2, means(y * y) - mean_y**2
    covariance = means(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    scores = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    return float((scores / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))).mean())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("src", type=Path)
    parser.add_argument("dst", type=Path)
    parser.add_argument("--ssim-every", type=int, default=75)
    arguments = parser.parse_args()
    print(json.dumps(check(arguments.src, arguments.dst, arguments.ssim_every)))
