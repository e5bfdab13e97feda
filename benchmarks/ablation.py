"""What each part of Deep Hiding does: Table 4 of the paper, and the controls that its reviewers asked for.

Protections by name, all on the same pictures, each trained on with the same countermeasures; resumes what --out holds.

    python benchmarks/ablation.py --out results/ablation \
        --row "class-wise=deep_hiding" --row "sample-wise=deep_hiding:per=sample" --row "noise=noise"
"""

import argparse
import json
import time
from pathlib import Path
from statistics import mean

from unlearnable import protection_named
from unlearnable.budget import difference
from unlearnable.cells import Cell, Result, Store, fingerprint
from unlearnable.countermeasures import countermeasure_named
from unlearnable.datasets import load
from unlearnable.images import ImageSet
from unlearnable.recipes import recipe_named
from unlearnable.training import fit
from unlearnable.victims import victim_named

VICTIM, RECIPE = "resnet9", "quick"


def rms(clean: ImageSet, published: ImageSet) -> float:
    """The mean over pictures, of the 8-bit ones."""
    pairs = zip(clean.images.permute(0, 2, 3, 1).numpy(), published.images.permute(0, 2, 3, 1).numpy(), strict=True)
    return mean(difference(original, after)[1] for original, after in pairs)


def trained(store: Store, published: ImageSet, test: ImageSet, countermeasure: str, seed: int) -> Result:
    """The cell's result, from the store or from a training."""
    cell = Cell(
        train=fingerprint(published),
        test=fingerprint(test),
        clean="",
        weights="",
        size=published.images.shape[-1],
        victim=VICTIM,
        countermeasure=countermeasure,
        recipe=RECIPE,
        seed=seed,
    )
    if known := store.load(cell):
        return known
    parts = victim_named(VICTIM), published, test, countermeasure_named(countermeasure), recipe_named(RECIPE)
    result = Result.of(cell, fit(*parts, seed=seed), "cpu")
    store.save(result)
    return result


def table(rows: list[dict[str, object]], countermeasures: list[str]) -> str:
    """Markdown: final, and peak in brackets, in %."""
    lines = [
        "| row | protection | RMS | " + " | ".join(countermeasures) + " |",
        "|---" * (3 + len(countermeasures)) + "|",
    ]
    for row in rows:
        cells = row["cells"]
        assert isinstance(cells, dict)
        shown = [f"{cells[name][0]:.1f} ({cells[name][1]:.1f})" if name in cells else "" for name in countermeasures]
        lines.append(f"| {row['row']} | `{row['protection']}` | {row['rms']:.2f} | " + " | ".join(shown) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", default="cifar10:root=../shared/data/cifar10,split=train,per_class=1000")
    parser.add_argument("--test", default="cifar10:root=../shared/data/cifar10,split=test")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--row", action="append", required=True, help="NAME=PROTECTION, or NAME= for clean pictures")
    parser.add_argument("--countermeasures", default="vanilla,median,jpeg:quality=50,jpeg:quality=10")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--key", type=int, default=0, help="seed of the secrets")
    parser.add_argument("--minutes", type=float, default=1e9)
    options = parser.parse_args()
    end = time.monotonic() + 60 * options.minutes
    clean, test, store = load(options.train), load(options.test), Store(options.out / "cells")
    countermeasures = options.countermeasures.split(",")
    rows: list[dict[str, object]] = []
    for name, _, protection in (row.partition("=") for row in options.row):
        published = protection_named(protection)(clean, options.key) if protection else clean
        cells: dict[str, tuple[float, float]] = {}
        for countermeasure in countermeasures:
            if time.monotonic() < end:
                results = [trained(store, published, test, countermeasure, seed) for seed in range(options.seeds)]
                cells[countermeasure] = tuple(
                    100 * mean(kind) for kind in zip(*((r.final(), r.peak()) for r in results), strict=True)
                )
                print(name, countermeasure, cells[countermeasure], flush=True)
        rows.append({"row": name, "protection": protection, "rms": rms(clean, published), "cells": cells})
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "ablation.json").write_text(json.dumps(rows, indent=1) + "\n")
    (options.out / "ablation.md").write_text(table(rows, countermeasures))


if __name__ == "__main__":
    main()
