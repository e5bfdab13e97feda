"""How far pulled features move in a network that was not asked, for ways of pulling that are seen alike.

    python benchmarks/pulls.py --photos ../shared/data/imagenette --out results/pulls.json --ways "" steps=36 power=1.2

Each way changes the same photographs against one network, EfficientNet-Lite0, and is judged by another, Lite2: how much
nearer than to their own class's centre their features are to the other's (cosine of standardised features: below zero
the own one is nearer, and a clean picture's stands in the first line), the share of pictures for which that is so, and
what a linear probe that was fitted on them gets of clean test pictures; as published, and after JPEG 80, 75, 70 and
50. All ways get the strength at which SSIMULACRA2 of each picture is `--ssimulacra2`; with `--hidden` a picture is
hidden first, up to that score. Lite1, which tests the carrier, is not looked at: what is chosen here is chosen without
it. One JSON object a line of the file; a line is there as soon as it is measured, and the same command goes on from
there.
"""

import argparse
import time
from dataclasses import asdict
from pathlib import Path

import torch
import yaml
from carriers import HALVINGS, STRONGEST, WEAKEST, published, seen, whole
from jaxtyping import Float
from lines import Lines
from torch import Tensor

from unlearnable.compute.devices import best_device
from unlearnable.countermeasures import countermeasure_named
from unlearnable.datasets import load
from unlearnable.hiding.surrogates import SURROGATES, Surrogate, features_of_all
from unlearnable.hiding.targeting import Targeting, pairs_of, scaled
from unlearnable.images.imageset import ImageSet
from unlearnable.images.ssimulacra2 import Ssimulacra2
from unlearnable.keys import Key
from unlearnable.protections.base import protection_named
from unlearnable.storage.provenance import __version__
from unlearnable.training.countermeasure import Knowledge
from unlearnable.training.loop import fit
from unlearnable.training.recipes import recipe_named
from unlearnable.victims.architectures import victim_named

ASKED, JUDGE = SURROGATES
LOOKED_AT = 32  # pictures of each class, by which networks know where it lies
TARGET = 78.0  # SSIMULACRA2 of each copy
QUALITIES = (80, 75, 70, 50)  # of JPEG
TESTED = 20  # clean pictures of each class on which a probe is tested


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


def judged(judge: Surrogate, made: ImageSet, test: ImageSet, pairs: Tensor) -> dict[str, dict[str, float]]:
    """Mean margin, share of pictures beyond the middle, and what a probe gets, by what happened to the pictures."""
    found = {}
    for handling in ("vanilla", *(f"jpeg:quality={quality}" for quality in QUALITIES)):
        way = countermeasure_named(f"{handling}+probe:weights={JUDGE}")
        handled = way.purify(made, Knowledge())
        directions = judge.standardised(features_of_all(judge.model, handled.images, judge.centres.device)).cpu()
        centres, labels = judge.centres.cpu(), made.labels
        margins = (directions * (centres[pairs[labels]] - centres[labels])).sum(1)
        trained = fit(victim_named("resnet9"), made, test, way, recipe_named("quick"), seed=0)
        found[handling] = {
            "margin": round(float(margins.mean()), 4),
            "beyond": round(float((margins > 0).float().mean()), 3),
            "probe": round(trained.final, 4),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", required=True, help="an `imagenet` folder, with train")
    parser.add_argument("--ways", nargs="+", default=[""], help="fields of `Targeting`, such as steps=18,power=1")
    parser.add_argument("--each", type=int, default=8, help="photographs of every class")
    parser.add_argument("--ssimulacra2", type=float, default=TARGET, help="of each copy")
    parser.add_argument("--hidden", type=float, default=0, help="SSIMULACRA2 after hiding a picture first; 0: none")
    parser.add_argument("--out", type=Path, required=True, help="JSON file for the lines")
    options = parser.parse_args()
    train = load(f"imagenet:root={options.photos},classes=10,size=224,split=train,fraction=0.3")
    known, few = some(train, LOOKED_AT), some(train, options.each, LOOKED_AT)
    classes, device = len(train.classes), best_device()
    asked, judge = (Surrogate.of(name, known.images, known.labels, classes, device) for name in (ASKED, JUDGE))
    test = some(load(f"imagenet:root={options.photos},classes=10,size=224,split=val,fraction=1"), TESTED)
    pairs = pairs_of(Key.of_seed(0), classes)
    hidden = torch.zeros(few.images.shape)
    if options.hidden:
        hidden = scaled(protection_named("deep_hiding").changes(few, 0), 1)
        hidden *= strengths(few, hidden, options.hidden, torch.zeros(()))[:, None, None, None]
    lines = Lines(options.out)
    for way in (None, *options.ways):
        what = {"way": way, "each": options.each, "target": options.ssimulacra2, "hidden": options.hidden}
        what |= {"version": __version__}
        if lines.has(what):
            continue
        start, made = time.perf_counter(), few
        if way is not None:
            fields = yaml.safe_load("{" + way.replace("=", ": ") + "}")
            pull = Targeting([asked], pairs.to(device), 0, **fields)
            change: Float[Tensor, "n 3 h w"] = scaled(pull(few.images, hidden, few.labels), 1)
            what |= {"seconds": round((time.perf_counter() - start) / len(few), 2)}
            times = strengths(few, change, options.ssimulacra2, hidden)
            made = published(few, change * times[:, None, None, None] + hidden, 1)
            what |= {"rms": round(float(times.mean()), 2), "visibility": asdict(seen(few, made))}
        lines.add(what | judged(judge, made, test, pairs))


if __name__ == "__main__":
    main()
