"""How surely an accusation finds who trained on protected pictures, and how often it accuses somebody who did not.

    python benchmarks/accuse.py plans/accuse/cifar10.yaml --out results/accuse_cifar10.json

A plan names suspects: classifiers trained on sets of which a share is protected by an owner's key. Each is shown probes
of the owner and of decoys (`unlearnable.accuse`) and judged by its labels alone and by its probabilities, with all
pictures and with fewer; and, as an innocent, by the keys of owners whose pictures it never saw. One JSON object in the
file, a line a suspect on the way; a trained suspect is kept below `--runs`, and the same command goes on from both.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from evasions import EVASIONS
from scipy.stats import kstest
from torch import nn

from unlearnable.accuse.answers import Kind
from unlearnable.accuse.design import Extent, Probe, drawn
from unlearnable.accuse.probes import KeySecrets, probe_pictures
from unlearnable.accuse.statistics import Comparison, evidence, paired, responses
from unlearnable.compute.devices import fast
from unlearnable.countermeasures import countermeasure_named
from unlearnable.datasets import load
from unlearnable.hiding.inference import prepare, weights_named
from unlearnable.hiding.network import Hider
from unlearnable.images.imageset import Images8, ImageSet
from unlearnable.keys import Key
from unlearnable.protections import protection_named
from unlearnable.protections.deep_hiding import SAMPLE
from unlearnable.semantics.assignment import contrary, evenly, mean_spectrum, spectrum
from unlearnable.semantics.secrets import secrets_named
from unlearnable.storage.atomic import write
from unlearnable.storage.decode import decode, from_yaml
from unlearnable.storage.provenance import versions
from unlearnable.training.loop import fit
from unlearnable.training.recipes import recipe_named
from unlearnable.victims.architectures import victim_named
from unlearnable.victims.features import save_weights
from unlearnable.victims.trained import load_trained

INNOCENT = 1000  # seed of the first key whose pictures nobody saw; those of decoys are a million and more
DECOYS = 1_000_000


@dataclass(frozen=True)
class Suspect:
    """A classifier that was trained on a set of which a part is protected.

    Attributes:
        share: of the pictures that are protected; 0 for an innocent.
        seed: of the owner's key and of the training.
        countermeasure: of the trainer.
        classes: how many are protected, of all; 0 for all.
        after: what the trainer does with the model afterwards, ``pruned``, ``finetuned`` or ``distilled``.
        part: of the weights that go, or of the clean pictures that the trainer has.
    """

    share: float
    seed: int = 0
    countermeasure: str = "vanilla"
    classes: int = 0
    after: str = ""
    part: float = 0.0

    @property
    def name(self) -> str:
        """Of its file."""
        return "_".join(str(value).replace(":", "-").replace("=", "-") for value in asdict(self).values())


@dataclass(frozen=True)
class Plan:
    """What is measured.

    Attributes:
        title: of it all.
        train: pictures of which a share is protected.
        test: clean pictures, for accuracy and as covers.
        protection: with its parameters.
        victim: of all suspects.
        recipe: of their training.
        turns: pictures of every key and class that the suspects of an owner are shown; of fewer classes as many in all.
        level: that a p-value is to reach.
        queries: fewer pictures, down to which the same is judged.
        innocent_keys: by which every suspect is judged as an innocent, with one picture of every key and class.
        suspects: groups of them, each of ``seeds`` alike.
    """

    title: str
    train: str
    test: str
    protection: str
    victim: str
    recipe: str
    turns: int
    level: float
    queries: tuple[int, ...]
    innocent_keys: int
    suspects: tuple[dict[str, Any], ...]

    def each(self) -> Iterator[Suspect]:
        """Every suspect, seed by seed."""
        for group in self.suspects:
            seeds = range(group.get("seeds", 1))
            yield from (decode({"seed": seed} | _without_seeds(group), Suspect) for seed in seeds)


class Court:
    """The pictures, and what is shown to suspects."""

    def __init__(self, plan: Plan, runs: Path) -> None:
        self.plan, self.runs = plan, runs
        self.train, self.test = load(plan.train), load(plan.test)
        self.protection: Any = protection_named(plan.protection)
        hider = Hider.load(weights_named(self.protection.weights))
        self.hider, self.drawings = prepare(hider), hider.drawings
        self.protected: dict[int, ImageSet] = {}
        self.shown: dict[tuple[int, ...], tuple[list[Probe], Images8]] = {}

    @cached_property
    def spectra(self) -> list[Any]:
        """Of the classes' pictures, to which secrets are dealt contrarily."""
        places = [(self.train.labels == label).nonzero().flatten().tolist() for label in range(len(self.train.classes))]
        chosen = ([self.train.images[place].numpy() for place in evenly(own, SAMPLE)] for own in places)
        return [mean_spectrum(map(spectrum, of_class)) for of_class in chosen]

    def key_secrets(self, seed: int) -> KeySecrets:
        """What the key of a seed hides in each class."""
        secrets = secrets_named(self.protection.secrets, Key.of_seed(seed), self.drawings)
        if self.protection.deal == "order":
            return KeySecrets(secrets, range(len(self.train.classes)))
        return KeySecrets(secrets, contrary(self.spectra, secrets, *self.train.images.shape[-2:]))

    def training_set(self, suspect: Suspect) -> ImageSet:
        """The published pictures, of which a share is protected."""
        if not suspect.share:
            return self.train
        if suspect.seed not in self.protected:
            self.protected[suspect.seed] = self._protected(suspect.seed)
        order = torch.rand(len(self.train), generator=torch.Generator().manual_seed(suspect.seed)).argsort().argsort()
        chosen = order < round(suspect.share * len(self.train))
        chosen &= self.train.labels < (suspect.classes or len(self.train.classes))
        images = torch.where(chosen[:, None, None, None], self.protected[suspect.seed].images, self.train.images)
        return replace(self.train, images=images)

    def _protected(self, seed: int) -> ImageSet:
        file = self.runs / f"protected_{seed}.pt"
        if not file.is_file():
            torch.save(self.protection(self.train, seed).images, file)
        return replace(self.train, images=torch.load(file, weights_only=True))

    def trained(self, suspect: Suspect) -> tuple[nn.Module, float]:
        """The suspect's model, and its accuracy on clean pictures."""
        victim, recipe = victim_named(self.plan.victim), recipe_named(self.plan.recipe)
        countermeasure = countermeasure_named(suspect.countermeasure)
        kept = self.runs / f"{suspect.name}.safetensors"
        said = kept.with_suffix(".json")
        built = countermeasure.victim_to_train(victim)
        if not said.is_file():
            published = self.training_set(suspect)
            result = fit(victim, published, self.test, countermeasure, recipe, suspect.seed, clean=self.train)
            model = result.model
            if suspect.after:
                evade = EVASIONS[suspect.after]
                model = evade(result, victim, self.train, self.test, recipe, suspect.part)
            save_weights(model, kept, self.train.classes)
            accuracy = _accuracy(model, replace(self.test, images=countermeasure.deploy(self.test.images)))
            write(said, json.dumps({"accuracy": accuracy}))
        side = countermeasure.deploy(self.test.images[:1]).shape[-1]
        return load_trained(built, kept, side)[0].eval(), json.loads(said.read_text())["accuracy"]

    def probes(self, keys: Sequence[int], turns: int, classes: int) -> tuple[list[Probe], Images8]:
        """Pictures that show every key's secrets of the first classes on the same covers."""
        wanted = (*keys, turns, classes)
        if wanted not in self.shown:
            rng = np.random.default_rng(keys[0])
            places = []
            for label in range(classes):
                others = (self.test.labels != label).nonzero().flatten().tolist()
                places.append([others[place] for place in rng.permutation(len(others))[:turns]])
            probes = drawn(Extent(len(keys) - 1, classes, turns), places, rng)
            secrets = [self.key_secrets(key) for key in keys]
            pictures = probe_pictures(self.hider, self.test.images, secrets, probes, self.protection.per)
            self.shown[wanted] = probes, torch.cat(list(pictures))
        return self.shown[wanted]

    def scores(self, model: nn.Module, suspect: Suspect, keys: Sequence[int], turns: int) -> dict[Kind, np.ndarray]:
        """What a model says of the class whose secret it is shown, (keys, classes, turns), by the kind of answer."""
        classes = suspect.classes or len(self.train.classes)
        turns = turns * len(self.train.classes) // classes
        probes, pictures = self.probes(keys, turns, classes)
        answers = _probabilities(model, countermeasure_named(suspect.countermeasure).deploy(pictures))
        labels = torch.tensor([probe.label for probe in probes])
        said = {"labels": (answers.argmax(1) == labels).double(), "probabilities": answers[range(len(labels)), labels]}
        scores = {kind: np.empty((len(keys), classes, turns)) for kind in said}
        for place, probe in enumerate(probes):
            for kind, values in said.items():
                scores[kind][probe.key, probe.label, probe.turn] = values[place]
        return scores

    def verdicts(self, suspect: Suspect, number: int) -> dict[str, Any]:
        """Everything that is measured of one suspect; its number decides which keys it is an innocent to."""
        plan, decoys = self.plan, Extent.within(10**9, self.plan.level, 1).decoys
        model, accuracy = self.trained(suspect)
        found: dict[str, Any] = asdict(suspect) | {"accuracy": round(accuracy, 4)}
        if suspect.share:
            keys = [suspect.seed, *range(DECOYS, DECOYS + decoys)]
            scores = self.scores(model, suspect, keys, plan.turns)
            asked = product(scores.items(), plan.queries)
            found["judged"] = [_judged(kind, of_kind, queries, plan.level) for (kind, of_kind), queries in asked]
        innocent: dict[str, list[float]] = {"labels": [], "probabilities": []}
        crossed: dict[str, list[float]] = {"labels": [], "probabilities": []}
        for owner in range(plan.innocent_keys if not (suspect.after or suspect.classes) else 0):
            place = number * plan.innocent_keys + owner
            first = DECOYS * (2 + place)
            scores = self.scores(model, suspect, [INNOCENT + place, *range(first, first + decoys)], 1)
            self.shown.popitem()  # nobody else is shown them
            for kind, of_kind in scores.items():
                compared = evidence(kind, of_kind)
                innocent[kind].append(Comparison.of(responses(compared), of_kind.mean((1, 2))).p_value)
                crossed[kind].append(paired(compared, owner))
        return found | {"innocent": innocent, "innocent_paired": crossed}


def _judged(kind: Kind, scores: np.ndarray, queries: int, level: float) -> dict[str, Any]:
    """With the first classes and turns of the probes that so many pictures allow."""
    extent = Extent.within(queries, level, scores.shape[1])
    part = scores[:, : extent.classes, : min(extent.turns, scores.shape[2])]
    compared = evidence(kind, part)
    comparison = Comparison.of(responses(compared), part.mean((1, 2)))
    rounded = {name: round(value, 4) for name, value in asdict(comparison).items()}
    return {"kind": kind, "queries": part.size} | rounded | {"paired": round(paired(compared, queries), 4)}


def summary(found: Sequence[dict[str, Any]], level: float) -> dict[str, Any]:
    """The false alarms of all innocent pairs, for each kind of answer."""
    of_kinds = {}
    for test in ("innocent", "innocent_paired"):
        for kind in ("labels", "probabilities"):
            values = np.array([value for one in found for value in one[test][kind]])
            if len(values):
                of_kinds[f"{test}, {kind}"] = {
                    "pairs": len(values),
                    "below_0.05": round(float((values <= 0.05).mean()), 4),
                    "at_most_the_level": round(float((values <= level).mean()), 4),
                    "mean": round(float(values.mean()), 3),
                    "kolmogorov_smirnov": _uniform(values, "two-sided"),
                    "kolmogorov_smirnov_too_small": _uniform(values, "greater"),
                }
    return of_kinds


def _uniform(values: np.ndarray, alternative: str) -> float:
    """The p-value of their being uniform; ``greater`` looks at too many small ones alone, as ties make large ones."""
    return round(float(kstest(values, "uniform", alternative=alternative).pvalue), 4)


@torch.inference_mode()
def _probabilities(model: nn.Module, pictures: Images8) -> torch.Tensor:
    units = ((batch.float() / 255).contiguous(memory_format=torch.channels_last) for batch in pictures.split(64))
    with fast(pictures.device):
        return torch.cat([model(unit).float().softmax(1) for unit in units]).double()


def _accuracy(model: nn.Module, test: ImageSet) -> float:
    return float((_probabilities(model.eval(), test.images).argmax(1) == test.labels).double().mean())


def _earlier(out: Path) -> dict[Suspect, dict[str, Any]]:
    """What a run that was stopped has measured."""
    names = {field.name for field in fields(Suspect)}
    found = json.loads(out.read_text())["suspects"] if out.is_file() else []
    return {Suspect(**{name: one[name] for name in names}): one for one in found}


def _without_seeds(group: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in group.items() if name != "seeds"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plan", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs/accuse"))
    arguments = parser.parse_args()
    plan: Plan = decode(from_yaml(arguments.plan.read_text(), str(arguments.plan)), Plan)
    runs = arguments.runs / arguments.plan.stem
    runs.mkdir(parents=True, exist_ok=True)
    court, found, earlier = Court(plan, runs), [], _earlier(arguments.out)
    for number, suspect in enumerate(plan.each()):
        found.append(earlier.get(suspect) or court.verdicts(suspect, number))
        print(json.dumps(found[-1]), flush=True)
        words = {"title": plan.title, "versions": versions(), "innocent": summary(found, plan.level)}
        write(arguments.out, json.dumps(words | {"suspects": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
