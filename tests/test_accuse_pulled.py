"""An accusation by the pairs of classes to which a key pulled features: clean pictures, and nothing hidden in them."""

import hashlib
import json
from dataclasses import replace
from math import factorial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from unlearnable import Suspect, judge_answers, make_probes, protect_folder, victim_named
from unlearnable.accuse.answers import Answers
from unlearnable.accuse.design import decoy_keys
from unlearnable.accuse.page import judgement_page
from unlearnable.accuse.pulled import AGAIN, partners, tells_keys_apart
from unlearnable.accuse.sealed import PICTURES, SEALED, Sealed
from unlearnable.accuse.statistics import Comparison
from unlearnable.accuse.words import headline, sentences
from unlearnable.hiding.targeting import pairs_of
from unlearnable.keys import Key
from unlearnable.victims.features import save_weights

CLASSES, CLEAN = 6, 3
NAMES = [f"kind_{label}" for label in range(CLASSES)]
SIDE = 24


def pictures(folder, each, seed, names=NAMES):
    """Noise of another colour in each class."""
    rng = np.random.default_rng(seed)
    for label, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for number in range(each):
            noise = rng.normal([40 * label, 128, 240 - 40 * label], 30, (SIDE, SIDE, 3)).clip(0, 255)
            Image.fromarray(noise.astype(np.uint8)).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Six classes pulled against a small network of random weights, clean pictures, and what is shown."""
    place = tmp_path_factory.mktemp("pulled")
    torch.manual_seed(0)
    save_weights(victim_named("resnet9:width=4").build(2, 224), place / "weights.safetensors")
    (place / "key").write_bytes(bytes(range(32)))
    method = f"deep_hiding:pull=0.9,surrogates=resnet9:width=4@{place / 'weights.safetensors'}"
    pictures(place / "photos", 2, 0)
    protect_folder(place / "photos", place / "protected", key=place / "key", method=method, visibility=0)
    pictures(place / "others", CLEAN, 1)
    make_probes(place / "protected", place / "others", place / "key", place / "probes", seed=b"of this test")
    return place


@pytest.fixture(scope="module")
def sealed(place):
    return Sealed.load(place / "probes")


def seen(pictures):
    """The class of each picture: what everybody sees."""
    return (pictures[:, 0].float().mean((1, 2)) / 40).round().long().clamp(0, CLASSES - 1)


def knowing(pairs, odds):
    """A model that says what it sees, and a little the class whose pictures were pulled there."""
    own = torch.empty(CLASSES, dtype=torch.int64)
    own[pairs] = torch.arange(CLASSES)

    def answer(pictures):
        scores = torch.zeros(len(pictures), CLASSES)
        scores[range(len(pictures)), seen(pictures)] = 5
        scores[range(len(pictures)), own[seen(pictures)]] += odds
        return scores.numpy()

    return Suspect(SIDE, answer, tuple(NAMES))


def test_clean_pictures_are_shown_as_they_are_and_once(place, sealed):
    files = sorted((place / "probes" / PICTURES).iterdir())
    assert [file.name for file in files] == sealed.files and len(files) == CLASSES * CLEAN
    shown = {np.array(Image.open(file)).tobytes() for file in files}
    assert shown == {np.array(Image.open(file)).tobytes() for file in (place / "others").rglob("*.png")}
    assert (sealed.shown, sealed.extent.decoys, sealed.extent.turns) == ("pairs", 99, CLEAN)
    assert sealed.secret_numbers[0] == pairs_of(Key(bytes(range(32))), CLASSES).tolist()
    shown_of = torch.stack([torch.tensor(np.array(Image.open(file))) for file in files]).permute(0, 3, 1, 2)
    by_class = sealed.arranged(seen(shown_of).double().numpy())
    assert np.array_equal(by_class, np.array(sealed.secret_numbers)[:, None].repeat(CLEAN, 1))


def test_who_takes_paired_classes_for_each_other_is_found_and_nobody_else(place, sealed):
    pairs = pairs_of(Key(bytes(range(32))), CLASSES)
    found = judge_answers(sealed, knowing(pairs, 1).ask(place / "probes", sealed))
    assert (found.verdict, found.mapped, found.queries, found.shown) == ("shown", "by name", CLASSES * CLEAN, "pairs")
    assert headline(found).startswith("Shown: this model was trained on pictures that bear changes that your key chose")
    assert "takes classes for each other as this key pairs them" in " ".join(sentences(found))
    assert "which classes each key pairs" in judgement_page(found)
    for others in (pairs_of(Key.of_seed(1), CLASSES), torch.arange(CLASSES)):
        assert not torch.equal(others, pairs)
        assert judge_answers(sealed, knowing(others, 1).ask(place / "probes", sealed)).verdict == "not shown"


def test_answers_of_other_names_ask_for_a_mapping(place, sealed):
    answers = knowing(pairs_of(Key(bytes(range(32))), CLASSES), 1).ask(place / "probes", sealed)
    renamed = replace(answers, names=tuple(f"n{name}" for name in answers.names))
    unnamed = judge_answers(sealed, renamed)
    assert unnamed.verdict == "could not be tested" and "--mapping" in unnamed.reason
    assert judge_answers(sealed, renamed, {name: f"n{name}" for name in NAMES}).verdict == "shown"
    fewer = [place for place in range(CLASSES) if place != 2]
    lacking = replace(answers, names=tuple(np.array(NAMES)[fewer]), scores=answers.scores[:, fewer])
    assert judge_answers(sealed, lacking).verdict == "shown"  # by the five classes that the model has
    other = replace(lacking, names=tuple(f"n{name}" for name in lacking.names))
    assert judge_answers(sealed, other, {NAMES[place]: f"n{NAMES[place]}" for place in fewer}).verdict == "shown"
    with pytest.raises(ValueError, match="expected an answer for the class"):
        judge_answers(sealed, other, {})
    with pytest.raises(ValueError, match="names the answer elsewhere"):
        judge_answers(sealed, other, {NAMES[0]: "elsewhere"})
    said = Answers.of_labels([NAMES[place] for place in answers.scores.argmax(1)])
    assert judge_answers(sealed, said).verdict == "not shown"  # it names what everybody sees


@given(st.integers(6, 40), st.integers(0, 2**32 - 1))
def test_no_two_keys_pair_alike(classes, seed):
    found = partners(Key.of_seed(seed), decoy_keys(b"decoys", AGAIN * 99), classes, 99)
    assert len({tuple(pairs) for pairs in found}) == len(found) == 100
    assert found[0] == pairs_of(Key.of_seed(seed), classes).tolist()
    assert all(sorted(pairs) == list(range(classes)) for pairs in found)


@given(st.integers(1, 12) | st.sampled_from([171, 172, 1000]), st.sampled_from([0.5, 0.1, 0.05, 0.01, 0.0001]))
def test_few_classes_tell_few_keys_apart(classes, level):
    assert tells_keys_apart(classes, level) == (classes > 1 and factorial(classes - 1) >= round(1 / level))


def test_of_an_innocent_the_owners_rank_is_any():
    """Of six classes, whose 120 ways are nearly all among the keys."""
    rng, p_values = np.random.default_rng(0), []
    for seed in range(300):
        table = rng.normal(size=(6, 6)) + 9 * np.eye(6)  # what it says of pictures of each class
        decoys = decoy_keys(seed.to_bytes(2, "big"), AGAIN * 19)
        responses = [table[pairs, range(6)].mean() for pairs in partners(Key.of_seed(seed), decoys, 6, 19)]
        p_values.append(Comparison.of(np.array(responses), np.array(responses)).p_value)
    counts = np.bincount(np.round(np.array(p_values) * 20).astype(int), minlength=21)[1:]
    assert counts.sum() == 300 and ((counts - 15) ** 2 / 15).sum() < 43.8  # chi-squared of 19, one in a thousand


def test_what_is_missing_is_named(place, tmp_path):
    def refused(message, clean, **words):
        with pytest.raises(ValueError, match=message):
            make_probes(place / "protected", clean, place / "key", tmp_path / "probes", **words)
        assert not (tmp_path / "probes").exists()

    refused(f"expected clean pictures of the class {NAMES[-1]} in", pictures(tmp_path / "few", 1, 2, NAMES[:-1]))
    refused("is the original", place / "photos")
    refused("expected at least 6 pictures, one of every class", place / "others", queries=5)


def test_records_that_do_not_hang_together_are_refused(place, tmp_path, sealed):
    whole = json.loads((place / "probes" / SEALED).read_text())
    (tmp_path / PICTURES).mkdir()
    for name, value in (
        ("secret_numbers", [whole["secret_numbers"][1], *whole["secret_numbers"][1:]]),
        ("secret_numbers", [[0], *whole["secret_numbers"][1:]]),
        ("probes", [dict(probe, file="01.png") for probe in whole["probes"]]),
        ("probes", [dict(probe, file="01.png") if probe["key"] == 0 else probe for probe in whole["probes"]]),
        ("secret_numbers", [[0] * CLASSES, *whole["secret_numbers"][1:]]),
        ("shown", "nothing"),
    ):
        (tmp_path / SEALED).write_text(json.dumps(whole | {name: value}))
        with pytest.raises(ValueError, match="the sealed record of probes"):
            Sealed.load(tmp_path)
    assert hashlib.sha256((place / "probes" / SEALED).read_bytes()).hexdigest() == sealed.seal


@pytest.mark.parametrize(("names", "job"), [(NAMES[:3], {}), (NAMES, {"classes": "auto", "groups": 6})])
def test_few_classes_and_groups_are_tested_by_what_is_hidden(place, tmp_path, names, job):
    few = pictures(tmp_path / "photos", 2, 0, names)
    method = f"deep_hiding:pull=0.9,surrogates=resnet9:width=4@{place / 'weights.safetensors'}"
    protect_folder(few, tmp_path / "protected", key=place / "key", method=method, visibility=0, **job)
    words = {"originals": few, "queries": 100 * len(names), "seed": b"of this test"}
    found = make_probes(tmp_path / "protected", place / "others", place / "key", tmp_path / "probes", **words)
    assert (found.shown, found.extent.classes, len(found.files)) == ("secrets", len(names), 100 * len(names))
