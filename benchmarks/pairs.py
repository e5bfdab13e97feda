"""What a probe of a frozen backbone gives away of the classes to which a key pulled features.

    python benchmarks/pairs.py --photos ../shared/data/imagenette --pushes 1 2 4 8 --out results/pairs.json

A share of the pictures of ten ImageNet classes at 224 px is pulled against EfficientNet-Lite0, each to the class with
which the key pairs its own; a probe of Lite2, which was not asked, is fitted on them and on the clean rest. Whoever
pairs church with truck, and shows the probe clean trucks, finds it a little readier to say church than nobody's keys
do. Stated for every weight of the push away from the own class, and for every share: the key's response (mean log-odds
of a class for clean pictures of the one that it was pulled to), the highest of 99 decoy keys, and the rank as a
p-value. SSIMULACRA2 of each pulled picture is 78. Lite1 is not looked at. One JSON object a line of the file; a line is
there as soon as it is measured, and the same command goes on from there.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from carriers import published
from jaxtyping import Float
from numpy import ndarray
from pulls import ASKED, JUDGE, LOOKED_AT, TARGET, some, strengths

from unlearnable.accuse.statistics import Comparison
from unlearnable.compute.devices import best_device
from unlearnable.countermeasures import countermeasure_named
from unlearnable.datasets import load
from unlearnable.hiding.surrogates import Surrogate
from unlearnable.hiding.targeting import Pairs, Targeting, pairs_of, scaled
from unlearnable.images.imageset import ImageSet
from unlearnable.keys import Key
from unlearnable.storage.atomic import write
from unlearnable.storage.provenance import __version__
from unlearnable.training.loop import fit
from unlearnable.training.recipes import recipe_named
from unlearnable.victims.architectures import victim_named

EACH = 60  # pictures of every class that are published
DECOYS = 99
SHARES = (0, 0.1, 0.3)


def told(published: ImageSet, test: ImageSet, judge: str) -> Float[ndarray, "shown said"]:
    """Mean log-odds that a probe gives each class, for clean pictures of each class."""
    way = countermeasure_named(f"probe:weights={judge}")
    model = fit(victim_named("resnet9"), published, test, way, recipe_named("quick"), seed=0).model.eval()
    with torch.inference_mode():
        batches = (model(batch.float() / 255).double() for batch in test.images.split(20))
        said = torch.cat([logits.log_softmax(1) for logits in batches])
    odds = said - torch.log1p(-said.exp().clamp_max(1 - 1e-12))
    return np.stack([odds[test.labels == label].mean(0).numpy() for label in range(len(test.classes))])


def response(table: Float[ndarray, "shown said"], pairs: Pairs) -> float:
    """Of a key: the mean over the classes, each shown the pictures of the one that it is paired with."""
    return float(np.mean([table[int(other), label] for label, other in enumerate(pairs)]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", required=True, help="an `imagenet` folder, with train and val")
    parser.add_argument("--pushes", nargs="+", type=float, required=True, help="see `Targeting`")
    parser.add_argument("--out", type=Path, required=True, help="JSON file for the lines")
    options = parser.parse_args()
    of = f"imagenet:root={options.photos},classes=10,size=224"
    train, test = load(f"{of},split=train,fraction=0.4"), load(f"{of},split=val,fraction=1")
    known, all_of_them = some(train, LOOKED_AT), some(train, EACH, LOOKED_AT)
    classes, device = len(train.classes), best_device()
    asked = Surrogate.of(ASKED, known.images, known.labels, classes, device)
    pairs, *others = (pairs_of(Key.of_seed(seed), classes) for seed in range(1 + DECOYS))
    lines = json.loads(options.out.read_text()) if options.out.exists() else []
    for push in options.pushes:
        what = {"push": push, "version": __version__}
        if any(line | what == line for line in lines):
            continue
        few = some(all_of_them, round(max(SHARES) * EACH))
        pull = Targeting([asked], pairs.to(device), 0, push=push)
        change = scaled(pull(few.images, torch.zeros(few.images.shape), few.labels), 1)
        times = strengths(few, change, TARGET, torch.zeros(()))
        pulled = published(few, change * times[:, None, None, None], 1)
        for share in SHARES:
            count, images = round(share * EACH), all_of_them.images.clone()
            for label in range(classes):
                places = torch.nonzero(all_of_them.labels == label)[:count, 0]
                images[places] = pulled.images[pulled.labels == label][:count]
            table = told(replace(all_of_them, images=images), test, JUDGE)
            responses = np.array([response(table, one) for one in (pairs, *others)])
            found = Comparison.of(responses, responses)
            line = {"owner": found.owner, "highest_decoy": found.highest_decoy, "p_value": found.p_value}
            lines.append(what | {"share": share} | {name: round(value, 4) for name, value in line.items()})
            print(json.dumps(lines[-1]), flush=True)
        write(options.out, json.dumps(lines, indent=1) + "\n")


if __name__ == "__main__":
    main()
