"""How far pulled features move in a network that was not asked, for ways of pulling that are seen alike.

    python benchmarks/pulls.py --photos ../shared/data/imagenette --out results/pulls.json --ways "" steps=36 power=1.2

Each way changes the same photographs against one network, EfficientNet-Lite0, and is judged by another, Lite2: how much
nearer than to their own class's centre their features are to the other's (cosine of standardised features: below zero
the own one is nearer, and a clean picture's stands in the first line), and the share of pictures for which that is so;
as published, after JPEG 75, and reduced to 160 px. All ways get the strength at which SSIMULACRA2 of each picture is
`--ssimulacra2`; with `--hidden` a picture is hidden first, up to that score. Lite1, which tests the carrier, is not
looked at: what is chosen here is chosen without it. One JSON object a line of the file; a line is there as soon as it
is measured, and the same command goes on from there.
"""

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path

import torch
import yaml
from carriers import HALVINGS, STRONGEST, WEAKEST, published, seen, whole
from jaxtyping import Float
from torch import Tensor

from unlearnable.compute.devices import best_device
from unlearnable.datasets import load
from unlearnable.hiding.surrogates import SIDE, SURROGATES, Surrogate, resized
from unlearnable.hiding.targeting import Targeting, pairs_of, scaled
from unlearnable.images.imageset import Images8, ImageSet
from unlearnable.images.jpeg import jpeg
from unlearnable.images.ssimulacra2 import Ssimulacra2
from unlearnable.keys import Key
from unlearnable.protections.base import protection_named
from unlearnable.storage.atomic import write
from unlearnable.storage.provenance import __version__

ASKED, JUDGE = SURROGATES
LOOKED_AT = 32  # pictures of each class, by which networks know where it lies


def some(data: ImageSet, each: int, skipped: int = 0) -> ImageSet:
    """So many pictures of every class, after so many others."""
    places = [torch.nonzero(data.labels == label)[skipped : skipped + each, 0] for label in data.labels.unique()]
    return data[torch.cat(places)]


def strengths(data: ImageSet, change: Float[Tensor, "n 3 h w"], target: float, beside: Tensor) -> Float[Tensor, " n"]:
    """How many times each picture's change makes its SSIMULACRA2 ``target``, beside what is hidden."""
    originals = Ssimulacra2(whole(data))
    low, high = torch.full((len(data),), WEAKEST), torch.full((len(data),), STRONGEST)
    for _ in range(HALVINGS):
        middle = (low * high).sqrt()
        enough = originals(whole(published(data, change * middle[:, None, None, None] + beside, 1))) > target
        low, high = torch.where(enough, middle, low), torch.where(enough, high, middle)
    return low


def margins(judge: Surrogate, pictures: Images8, labels: Tensor, pairs: Tensor) -> dict[str, list[float]]:
    """Mean margin and share of pictures beyond the middle, by what happened to them."""
    squares = resized(pictures.float() / 255, SIDE)
    handled = {
        "plain": squares,
        "jpeg75": jpeg(squares, torch.full((len(squares),), 75)),
        "size160": resized(squares, 160),
    }
    found = {}
    with torch.inference_mode():
        for name, handed in handled.items():
            directions = torch.cat(
                [judge.directions(batch.to(judge.centres.device)).cpu() for batch in handed.split(10)]
            )
            nearer = (directions * (judge.centres[pairs[labels]] - judge.centres[labels])).sum(1)
            found[name] = [round(float(nearer.mean()), 4), round(float((nearer > 0).float().mean()), 3)]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", required=True, help="an `imagenet` folder, with train")
    parser.add_argument("--ways", nargs="+", default=[""], help="fields of `Targeting`, such as steps=18,power=1")
    parser.add_argument("--each", type=int, default=3, help="photographs of every class")
    parser.add_argument("--ssimulacra2", type=float, default=78.0, help="of each copy")
    parser.add_argument("--hidden", type=float, default=0, help="SSIMULACRA2 after hiding a picture first; 0: none")
    parser.add_argument("--out", type=Path, required=True, help="JSON file for the lines")
    options = parser.parse_args()
    train = load(f"imagenet:root={options.photos},classes=10,size=224,split=train,fraction=0.3")
    known, few = some(train, LOOKED_AT), some(train, options.each, LOOKED_AT)
    classes, device = len(train.classes), best_device()
    asked, judge = (Surrogate.of(name, known.images, known.labels, classes, device) for name in (ASKED, JUDGE))
    pairs = pairs_of(Key.of_seed(0), classes).to(device)
    hidden = torch.zeros(few.images.shape)
    if options.hidden:
        hidden = scaled(protection_named("deep_hiding").changes(few, 0), 1)
        hidden *= strengths(few, hidden, options.hidden, torch.zeros(()))[:, None, None, None]
    lines = json.loads(options.out.read_text()) if options.out.exists() else []
    for way in (None, *options.ways):
        what = {"way": way, "each": options.each, "target": options.ssimulacra2, "hidden": options.hidden}
        what |= {"version": __version__}
        if any(line | what == line for line in lines):
            continue
        start, made = time.perf_counter(), few
        if way is not None:
            fields = yaml.safe_load("{" + way.replace("=", ": ") + "}")
            pull = Targeting([asked], pairs, 0, **fields)
            change: Float[Tensor, "n 3 h w"] = scaled(pull(few.images, hidden, few.labels), 1)
            what |= {"seconds": round((time.perf_counter() - start) / len(few), 2)}
            times = strengths(few, change, options.ssimulacra2, hidden)
            made = published(few, change * times[:, None, None, None] + hidden, 1)
            what |= {"rms": round(float(times.mean()), 2), "visibility": asdict(seen(few, made))}
        lines.append(what | margins(judge, made.images, few.labels, pairs))
        print(json.dumps(lines[-1]), flush=True)
        write(options.out, json.dumps(lines, indent=1) + "\n")


if __name__ == "__main__":
    main()
