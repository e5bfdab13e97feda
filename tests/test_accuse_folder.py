"""An accusation from the folder to the page: of a classifier that was trained on the copies, and of an innocent one."""

import json
import shutil
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression

from commands import run
from unlearnable import (
    Suspect,
    countermeasure_named,
    fit,
    judge_answers,
    load,
    make_probes,
    protect_folder,
    recipe_named,
    suspect_named,
    victim_named,
)
from unlearnable.accuse.answers import Answers
from unlearnable.accuse.page import judgement_page
from unlearnable.accuse.sealed import PICTURES, SEALED, Sealed
from unlearnable.accuse.words import headline, sentences
from unlearnable.victims.features import save_weights

QUERIES = 400


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Photos, protected copies, other photos, probes, and two trained classifiers."""
    place = tmp_path_factory.mktemp("accusation")
    test = load("toy:count=200,seed=1")
    load("toy:count=800").save(place / "photos")
    test.save(place / "others")
    protect_folder(place / "photos", place / "protected", key=place / "key", strength="full", visibility=0)
    recipe = recipe_named("quick:epochs=6")
    for name in ("protected", "photos"):
        data = load(f"folder:path={place / name},size=16")
        tested = test.relabelled(data.classes)
        trained = fit(victim_named("resnet9:width=8"), data, tested, countermeasure_named("vanilla"), recipe)
        save_weights(trained.model, place / f"{name}.safetensors", data.classes)
    words = {"originals": place / "photos", "queries": QUERIES, "seed": b"of this test"}
    make_probes(place / "protected", place / "others", place / "key", place / "probes", **words)
    return place


@pytest.fixture(scope="module")
def sealed(place):
    return Sealed.load(place / "probes")


@pytest.fixture(scope="module")
def guilty(place):
    return suspect_named(f"resnet9:width=8@{place / 'protected.safetensors'}", 16)


@pytest.fixture(scope="module")
def innocent(place):
    return suspect_named(f"resnet9:width=8@{place / 'photos.safetensors'}", 16)


def labels(answers):
    return Answers.of_labels([answers.names[place] for place in answers.scores.argmax(1)])


def renamed(answers, name=lambda answer: f"n{len(answer)}{answer[:2]}"):
    return replace(answers, names=tuple(map(name, answers.names)))


def test_who_trained_on_the_copies_is_found_and_who_did_not_is_not(place, sealed, guilty, innocent):
    for answers in (guilty.ask(place / "probes", sealed), labels(guilty.ask(place / "probes", sealed))):
        found = judge_answers(sealed, answers)
        assert (found.verdict, found.mapped, found.queries) == ("shown", "by name", QUERIES)
        assert found.comparison.beaten == found.decoys == 99
        assert len(found.responses) == 100
        assert headline(found).startswith("Shown")
    cleared = judge_answers(sealed, innocent.ask(place / "probes", sealed))
    assert cleared.verdict == "not shown"
    assert "does not mean" in " ".join(sentences(cleared))


def test_a_record_says_what_was_fixed_and_nothing_of_the_key(place, sealed):
    text = (place / "probes" / SEALED).read_text()
    key = (place / "key").read_bytes()
    assert key.hex() not in text
    assert sealed.dealt_again == len(sealed.classes) == 4
    assert sealed.extent.queries == len(sealed.probes) == len(list((place / "probes" / PICTURES).iterdir()))
    assert sealed.seal == Sealed.load(place / "probes").seal
    assert all(key not in file.read_bytes() for file in (place / "probes").rglob("*") if file.is_file())


def test_pictures_tell_nothing_but_what_they_show(place, sealed):
    pictures = sorted((place / "probes" / PICTURES).iterdir())
    assert [file.name for file in pictures] == sealed.files
    heads = {file.read_bytes()[:33] for file in pictures}  # signature and IHDR
    assert len(heads) == 1
    assert not any(b"tEXt" in file.read_bytes() or b"iTXt" in file.read_bytes() for file in pictures)


def test_other_names_are_found_on_one_half_and_tested_on_the_other(place, guilty, tmp_path):
    words = {"originals": place / "photos", "queries": 1600, "seed": b"more"}
    sealed = make_probes(place / "protected", place / "others", place / "key", tmp_path / "probes", **words)
    found = judge_answers(sealed, renamed(guilty.ask(tmp_path / "probes", sealed)))
    assert (found.verdict, found.mapped) == ("shown", "found")
    assert [finding.answer[2:] for finding in found.classes] == [name[:2] for name in sealed.classes]


def test_a_mapping_that_is_given_is_used(place, sealed, guilty):
    answers = guilty.ask(place / "probes", sealed)
    mapping = {name: f"n{len(name)}{name[:2]}" for name in sealed.classes}
    named, given = judge_answers(sealed, answers), judge_answers(sealed, renamed(answers), mapping)
    assert (given.mapped, given.comparison) == ("given", named.comparison)
    with pytest.raises(ValueError, match="expected an answer for the class"):
        judge_answers(sealed, renamed(answers), {})
    with pytest.raises(ValueError, match="names the answer elsewhere"):
        judge_answers(sealed, answers, dict.fromkeys(sealed.classes, "elsewhere"))


def test_what_cannot_be_tested_is_said(place, sealed, guilty):
    one = judge_answers(sealed, Answers.of_labels(["cat"] * len(sealed.probes)))
    assert (one.verdict, one.comparison) == ("could not be tested", None)
    assert "one answer to everything: cat" in headline(one)
    flat = judge_answers(sealed, Answers.of_numbers(sealed.classes, np.full((len(sealed.probes), 4), 0.25)))
    assert flat.verdict == "could not be tested"
    unnamed = judge_answers(sealed, renamed(guilty.ask(place / "probes", sealed)))
    assert "--mapping" in unnamed.reason
    with pytest.raises(ValueError, match="expected answers to 400 probes, got 3"):
        judge_answers(sealed, Answers.of_labels(["a", "b", "c"]))


def test_any_function_is_a_suspect(place, sealed):
    seen = []

    def answer(pictures):
        seen.append(pictures.shape)
        return [len(sealed.classes) % 3, *[1] * (len(pictures) - 1)]

    answers = Suspect(20, answer, ("cross", "disc", "square", "triangle")).ask(place / "probes", sealed)
    assert (answers.kind, answers.names) == ("labels", ("disc",))
    assert sum(shape[0] for shape in seen) == QUERIES
    assert {shape[1:] for shape in seen} == {(3, 20, 20)}
    with pytest.raises(ValueError, match="expected an answer to each"):
        Suspect(16, lambda pictures: [0]).ask(place / "probes", sealed)
    with pytest.raises(ValueError, match="expected 2 numbers"):
        Suspect(16, lambda pictures: np.zeros((len(pictures), 3)), ("a", "b")).ask(place / "probes", sealed)


def test_a_page_needs_nothing_else(place, sealed, guilty):
    answers = guilty.ask(place / "probes", sealed)
    for judged in (judge_answers(sealed, answers), judge_answers(sealed, Answers.of_labels(["a"] * QUERIES))):
        page = judgement_page(judged)
        assert page == judgement_page(judged)
        assert "http" not in page.replace("http-equiv", "")
        assert judged.seal in page


def test_a_model_of_another_framework_is_accused(place, tmp_path):
    """A logistic regression of scikit-learn, as ONNX, on the copies' values in a row."""
    data = load(f"folder:path={place / 'protected'},size=16")
    rows = data.images.flatten(1).numpy().astype(np.float32) / 255
    names = np.array(data.classes)
    model = LogisticRegression(C=0.003, max_iter=500).fit(rows, names[data.labels])
    (tmp_path / "model.onnx").write_bytes(
        to_onnx(model, rows[:1], options={id(model): {"zipmap": False}}).SerializeToString()
    )
    words = ("--protected", place / "protected", "--clean", place / "others", "--originals", place / "photos")
    words = (*words, "--key", place / "key", "--budget-of-queries", QUERIES, "--json")
    result = run("accuse", "model", tmp_path / "model.onnx", *words, "--out", tmp_path / "out", code=2)
    assert "expected" in result.output or "not named" in result.output
    (tmp_path / "names.csv").write_text("class,answer\n" + "".join(f"{name},{i}\n" for i, name in enumerate(names)))
    mapped = ("--mapping", tmp_path / "names.csv", "--out", tmp_path / "again")
    result = run("accuse", "model", tmp_path / "model.onnx", *words, *mapped, code=1)
    judged = json.loads((tmp_path / "again" / "judgement.json").read_text())
    assert judged["kind"] == "probabilities"
    assert judged["comparison"]["p_value"] > 0.01  # it is linear, and secrets change their sign: it learns none
    assert (tmp_path / "again" / "judgement.html").is_file()
    assert onnxruntime.__version__


def test_commands_and_exit_codes(place, tmp_path, guilty, innocent):
    words = ("--clean", place / "others", "--originals", place / "photos", "--key", place / "key")
    asked = (*words, "--budget-of-queries", QUERIES)
    said = run("accuse", "probe", place / "protected", *asked, "--out", tmp_path / "probes").output
    sealed = Sealed.load(tmp_path / "probes")
    assert sealed.seal in said
    for suspect, code in ((guilty, 0), (innocent, 1)):
        suspect.ask(tmp_path / "probes", sealed).write(tmp_path / "answers.csv", sealed.files)
        run("accuse", "judge", tmp_path / "probes", tmp_path / "answers.csv", "--out", tmp_path / str(code), code=code)
        assert (tmp_path / str(code) / "judgement.html").is_file()
    template = (tmp_path / "probes" / "answers.csv").read_text()
    assert template.count("\n") == QUERIES + 1
    empty = ("accuse", "judge", tmp_path / "probes", tmp_path / "probes" / "answers.csv")
    assert "got none to" in run(*empty, code=2).output
    both = ("accuse", "model", f"resnet9:width=8@{place / 'protected.safetensors'}", "--size", 16)
    both = (*both, "--protected", place / "protected", *asked, "--out", tmp_path / "model")
    run(*both)
    assert "exists already" in run(*both, code=2).output


def test_what_does_not_belong_together_is_refused(place, tmp_path, job, photos):
    def refused(message, protected=place / "protected", clean=place / "others", key=place / "key", **words):
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            make_probes(protected, clean, key, tmp_path / "probes", **{"originals": place / "photos", **words})
        assert not (tmp_path / "probes").exists()

    (tmp_path / "key").write_bytes(bytes(32))
    refused("was protected with the key", key=tmp_path / "key")
    refused("is the original of a published picture", clean=place / "photos")
    refused("expected at least 100 pictures", queries=99)
    refused("expected a folder of clean pictures", clean=tmp_path / "nowhere")
    refused("expected at least 300 clean pictures", queries=120_000)
    refused("Name the folder that was protected", originals=photos)
    refused("with other weights", weights="first")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.png").write_bytes(b"no picture")
    refused("take it out of the clean pictures", clean=tmp_path / "broken", queries=400)
    noise = tmp_path / "noise"
    protect_folder(photos, noise, key=place / "key", method="noise", visibility=0)
    refused("nothing is hidden", protected=noise)


def test_a_record_that_was_changed_is_refused(place, tmp_path, guilty):
    probes = tmp_path / "probes"
    shutil.copytree(place / "probes", probes)
    sealed = Sealed.load(probes)
    (probes / PICTURES / sealed.files[0]).write_bytes((probes / PICTURES / sealed.files[1]).read_bytes())
    with pytest.raises(ValueError, match="is not the picture of the sealed record"):
        guilty.ask(probes, sealed)
    for name, value, message in (
        ("version", "0.0.1", "made by version 0.0.1"),
        ("probes", [], "equally often"),
        ("classes", ["cat"], "equally often"),
        ("level", "low", "a number"),
    ):
        changed = json.loads((place / "probes" / SEALED).read_text()) | {name: value}
        (probes / SEALED).write_text(json.dumps(changed))
        with pytest.raises(ValueError, match=message):
            Sealed.load(probes)
    with pytest.raises(FileNotFoundError, match="accuse probe"):
        Sealed.load(tmp_path)


def test_one_flat_folder_is_one_class_and_needs_no_originals(tmp_path, job):
    flat, others = tmp_path / "flat", tmp_path / "others"
    for folder, seed in ((flat, 0), (others, 5)):
        load(f"toy:count=4,seed={seed}").save(tmp_path / f"by_class_{seed}")
        folder.mkdir()
        for number, file in enumerate(sorted((tmp_path / f"by_class_{seed}").rglob("*.png"))):
            shutil.copy(file, folder / f"{number}.png")
    protect_folder(flat, tmp_path / "protected", key=tmp_path / "key", strength="full", visibility=0)
    sealed = make_probes(tmp_path / "protected", others, tmp_path / "key", tmp_path / "probes", queries=200)
    assert (sealed.classes, sealed.dealt_again, sealed.extent.turns) == (["."], None, 2)
    answers = Answers.of_numbers(["mine", "other"], np.random.default_rng(0).random((200, 2)))
    assert judge_answers(sealed, answers, {".": "mine"}).verdict == "not shown"
