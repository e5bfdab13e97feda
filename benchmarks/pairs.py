"""Whether who starts from a backbone gives away the key by which pictures were pulled, and no innocent is accused.

    python benchmarks/pairs.py --photos ../shared/data/imagenette --out results/pairs.json
    python benchmarks/pairs.py --photos ../shared/data/imagenette --out results/pairs.json --tuned \
        --backbones efficientnet_lite1 --shares 0 6 18 --seeds 0

Ten ImageNet classes at 224 px, 60 pictures of each, of which an owner protected a share against backbones; the trainer
fits a logistic regression on frozen features, as `probe` does, or with `--tuned` trains all layers for five epochs, as
`pretrained` does. Judged as `unlearnable accuse` does it: clean test pictures of every class are shown, and the owner's
pairs of classes compared with 99 decoys'. Stated: the p-value, for every share, backbone, kind of answer and number of
pictures, one line a key; and of as many innocent owners as `--innocents` how often their keys are at the level or below
0.05. Lite1 is none of the networks that were asked. One JSON object a line of the file; a line is there as soon as it
is measured, and the same command goes on from there.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from pulls import some
from scipy.stats import kstest

from unlearnable.accuse.answers import Kind
from unlearnable.accuse.design import decoy_keys
from unlearnable.accuse.pulled import AGAIN, partners
from unlearnable.accuse.statistics import Comparison, evidence, responses
from unlearnable.bench.sets import SetQuality
from unlearnable.compute.devices import best_device
from unlearnable.countermeasures import countermeasure_named
from unlearnable.datasets import load
from unlearnable.hiding.surrogates import SIDE
from unlearnable.images.imageset import ImageSet
from unlearnable.keys import Key
from unlearnable.protections import protection_named
from unlearnable.storage.atomic import write
from unlearnable.storage.provenance import __version__
from unlearnable.training.loop import fit
from unlearnable.training.recipes import recipe_named
from unlearnable.victims.architectures import victim_named
from unlearnable.victims.backbones import BACKBONES

EACH, OWNED = 60, 18  # pictures of every class, and of those the owner's
SHARES = (0, 1, 2, 6, 18)  # of the owner's pictures of every class that are published protected; of none, a control
SHOWN = (10, 50)  # clean pictures of every class
DECOYS, LEVEL = 99, 0.01
RECIPE = "quick:epochs=5,long_epochs=0"
KINDS: tuple[Kind, ...] = ("labels", "probabilities")
INNOCENT = 10_000  # seeds of the keys of owners whose pictures nobody used


def answers(way: str, published: ImageSet, shown: ImageSet) -> Float[ndarray, "m classes"]:
    """What a backbone says of some pictures, after a training on others, ``probe`` or ``pretrained``."""
    trained = fit(victim_named("resnet9"), published, shown, countermeasure_named(way), recipe_named(RECIPE), seed=0)
    model, units = trained.model.eval(), (batch.to(best_device()).float() / 255 for batch in shown.images.split(16))
    with torch.inference_mode():
        return torch.cat([model(unit).float().softmax(1).cpu() for unit in units]).double().numpy()


def judged(said: Float[ndarray, "classes turns answers"], kind: Kind, owner: Key, decoys: bytes) -> Comparison:
    """As `accuse.judge` does: of every key the answers for the classes that it pairs with those of the pictures."""
    classes = len(said)
    paired = np.array(partners(owner, decoy_keys(decoys, AGAIN * DECOYS), classes, DECOYS))
    answers = np.eye(classes)[said.argmax(2)] if kind == "labels" else said
    scores = evidence(kind, answers)[paired, :, np.arange(classes)]  # keys, classes, turns
    return Comparison.of(responses(scores), answers[paired, :, np.arange(classes)].mean((1, 2)))


def innocents(said: Float[ndarray, "classes turns answers"], first: int, count: int) -> dict[Kind, list[float]]:
    """P-values of owners whose pictures nobody used."""
    keys = [(Key.of_seed(seed), f"innocent {seed}".encode()) for seed in range(first, first + count)]
    return {kind: [judged(said, kind, *key).p_value for key in keys] for kind in KINDS}


def summary(lines: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The false alarms of all innocents together, for each way of training and kind of answer."""
    for trained, kind in product(sorted({line["trained"] for line in lines}), KINDS):
        values = np.array([value for line in lines if line["trained"] == trained for value in line["innocent"][kind]])
        yield {
            "trained": trained,
            "kind": kind,
            "pairs": len(values),
            "below_0.05": round(float((values <= 0.05).mean()), 4),
            "at_most_the_level": round(float((values <= LEVEL).mean()), 4),
            "kolmogorov_smirnov": round(float(kstest(values, "uniform").pvalue), 4),
            "kolmogorov_smirnov_too_small": round(float(kstest(values, "uniform", alternative="greater").pvalue), 4),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", required=True, help="an `imagenet` folder, with train and val")
    parser.add_argument("--protection", default="deep_hiding:strength=standard,pull=0.9")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="of the owners' keys")
    parser.add_argument("--backbones", nargs="+", default=list(BACKBONES), choices=list(BACKBONES))
    parser.add_argument("--shares", nargs="+", type=int, default=list(SHARES), help="pictures of a class, protected")
    parser.add_argument("--tuned", action="store_true", help="train all layers, not the last one alone")
    parser.add_argument("--innocents", type=int, default=10, help="owners for every model whose pictures nobody used")
    parser.add_argument("--out", type=Path, required=True, help="JSON file for the lines")
    options = parser.parse_args()
    if not 0 <= min(options.shares) <= max(options.shares) <= OWNED:
        parser.error(f"expected --shares of 0 to {OWNED} pictures of a class, got {options.shares}")
    of = f"imagenet:root={options.photos},classes=10,size={SIDE}"
    train, test = some(load(f"{of},split=train,fraction=0.24"), EACH), load(f"{of},split=val,fraction=1")
    test, protection = some(test, max(SHOWN)), protection_named(options.protection)
    owned = torch.cat([torch.nonzero(train.labels == label)[:OWNED, 0] for label in range(len(train.classes))])
    mine = torch.arange(len(owned)).reshape(len(train.classes), OWNED)
    way = "pretrained" if options.tuned else "probe"
    lines: list[dict[str, Any]] = json.loads(options.out.read_text())["lines"] if options.out.exists() else []
    for seed in options.seeds:
        what = {"protection": options.protection, "seed": seed, "version": __version__}
        what |= {"trained": "all layers" if options.tuned else "the last layer"}
        made: ImageSet | None = None
        for name, count in product(options.backbones, options.shares):
            line = what | {"backbone": name, "share": count / EACH}
            if any(one | line == one for one in lines):
                continue
            images, chosen = train.images.clone(), mine[:, :count].flatten()
            if count:
                made = made or protection(train[owned], seed)
                line |= {"measured": asdict(SetQuality.of(protection.budget, train[owned], made))}
                images[owned[chosen]] = made.images[chosen]
            said = answers(f"{way}:weights={name}", replace(train, images=images), test)
            said = said.reshape(len(test.classes), max(SHOWN), -1)
            right = float((said.argmax(2) == np.arange(len(said))[:, None]).mean())
            found = {
                f"{kind}, {turns * len(said)} pictures": judged(
                    said[:, :turns], kind, Key.of_seed(seed), f"owner {seed}".encode()
                ).p_value
                for kind, turns in product(KINDS, SHOWN)
            }
            line |= {"accuracy": round(right, 4), "p_values": found}
            print(json.dumps(line), flush=True)
            first = INNOCENT + len(lines) * options.innocents
            lines.append(line | {"innocent": innocents(said, first, options.innocents)})
            content = {"innocent": list(summary(lines)), "lines": lines}
            write(options.out, json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
