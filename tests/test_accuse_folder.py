"""An accusation from the folder to the page: of a classifier that was trained on the copies, and of an innocent one."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from sample_pictures import sample_pictures
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression

from banks import small_bank
from commands import run, runner
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
from unlearnable.cli import app
from unlearnable.datasets.folder import load_files, picture_files
from unlearnable.victims.features import save_weights

QUERIES = 1000
SIDE = 16


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Digits, their protected copies, other digits, probes, and two trained classifiers."""
    place = tmp_path_factory.mktemp("accusation")
    sample_pictures(place / "samples")
    (place / "samples" / "digits" / "train").rename(place / "photos")
    (place / "samples" / "digits" / "test").rename(place / "others")
    (place / "key").write_bytes(bytes([2]) * 32)
    protect_folder(place / "photos", place / "protected", key=place / "key", strength="full", visibility=0)
    test, recipe = load(f"folder:path={place / 'others'},size={SIDE}"), recipe_named("quick:epochs=12")
    for name in ("protected", "photos"):
        data = load(f"folder:path={place / name},size={SIDE}")
        trained = fit(victim_named("resnet9:width=8"), data, test, countermeasure_named("vanilla"), recipe)
        save_weights(trained.model, place / f"{name}.safetensors", data.classes)
    words = {"originals": place / "photos", "queries": QUERIES, "seed": b"of this test"}
    make_probes(place / "protected", place / "others", place / "key", place / "probes", **words)
    return place


@pytest.fixture(scope="module")
def sealed(place):
    return Sealed.load(place / "probes")


@pytest.fixture(scope="module")
def guilty(place):
    return suspect_named(f"resnet9:width=8@{place / 'protected.safetensors'}", SIDE)


@pytest.fixture(scope="module")
def innocent(place):
    return suspect_named(f"resnet9:width=8@{place / 'photos.safetensors'}", SIDE)


def labels(answers):
    return Answers.of_labels([answers.names[place] for place in answers.scores.argmax(1)])


def renamed(answers, name="n{}".format):
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
    assert len(sealed.classes) == 10
    assert sealed.extent.queries == len(sealed.probes) == len(list((place / "probes" / PICTURES).iterdir()))
    assert sealed.seal == Sealed.load(place / "probes").seal
    assert all(key not in file.read_bytes() for file in (place / "probes").rglob("*") if file.is_file())


def test_pictures_tell_nothing_but_what_they_show(place, sealed):
    pictures = sorted((place / "probes" / PICTURES).iterdir())
    assert [file.name for file in pictures] == sealed.files
    heads = {file.read_bytes()[:33] for file in pictures}  # signature and IHDR
    assert len(heads) == 1
    assert not any(b"tEXt" in file.read_bytes() or b"iTXt" in file.read_bytes() for file in pictures)


def test_other_names_are_found_on_one_half_and_tested_on_the_other(sealed):
    """Of a model that answers to the owner's secrets alone, by names of its own."""
    twice = [replace(probe, turn=1, file=f"again_{probe.file}") for probe in sealed.probes]
    longer = replace(sealed, probes=[*sealed.probes, *twice])
    names = [f"n{number:02}" for number in range(30)]
    said = np.random.default_rng(0).dirichlet(np.ones(30), len(longer.probes))
    for row, probe in zip(said, longer.probes, strict=True):
        row[3 * probe.label] += 0.3 * (probe.key == 0)
    found = judge_answers(longer, Answers.of_numbers(names, said / said.sum(1, keepdims=True)))
    assert (found.verdict, found.mapped, found.comparison.p_value) == ("shown", "found", 0.01)
    assert [finding.answer for finding in found.classes] == names[::3]


def test_a_mapping_that_is_given_is_used(place, sealed, guilty):
    answers = guilty.ask(place / "probes", sealed)
    mapping = {name: f"n{name}" for name in sealed.classes}
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
    flat = judge_answers(sealed, Answers.of_numbers(sealed.classes, np.full((len(sealed.probes), 10), 0.1)))
    assert flat.verdict == "could not be tested"
    nobody = dict.fromkeys(sealed.classes, "elsewhere")
    mistyped = judge_answers(sealed, labels(guilty.ask(place / "probes", sealed)), nobody)
    assert (mistyped.verdict, "--mapping" in mistyped.reason) == ("could not be tested", True)
    unnamed = judge_answers(sealed, renamed(guilty.ask(place / "probes", sealed)))
    assert "--mapping" in unnamed.reason
    with pytest.raises(ValueError, match="expected answers to 1000 probes, got 3"):
        judge_answers(sealed, Answers.of_labels(["a", "b", "c"]))


def test_any_function_is_a_suspect(place, sealed):
    seen = []

    def answer(pictures):
        seen.append(pictures.shape)
        return [1] * len(pictures)

    answers = Suspect(20, answer, ("cross", "disc")).ask(place / "probes", sealed)
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


def test_a_model_of_another_framework_is_accused(place, sealed, tmp_path):
    """A logistic regression of scikit-learn, as ONNX, on the copies' values in a row."""
    data = load(f"folder:path={place / 'protected'},size={SIDE}")
    rows = data.images.flatten(1).numpy().astype(np.float32) / 255
    model = LogisticRegression(C=0.003, max_iter=500).fit(rows, np.array(data.classes)[data.labels])
    onnx = to_onnx(model, rows[:1], options={id(model): {"zipmap": False}})
    (tmp_path / "model.onnx").write_bytes(onnx.SerializeToString())
    answers = suspect_named(str(tmp_path / "model.onnx")).ask(place / "probes", sealed)
    pictures = load_files(place / "probes" / PICTURES, picture_files(place / "probes" / PICTURES), SIDE).images
    expected = model.predict_proba(pictures.flatten(1).numpy().astype(np.float32) / 255)
    assert answers.scores == pytest.approx(expected, abs=1e-4)
    words = ("--protected", place / "protected", "--clean", place / "others", "--originals", place / "photos")
    words = (*words, "--key", place / "key", "--budget-of-queries", QUERIES, "--json")
    asked = ("accuse", "model", tmp_path / "model.onnx", *words)
    assert "--mapping" in run(*asked, "--out", tmp_path / "out", code=2).output  # its answers are numbered
    (tmp_path / "names.csv").write_text("class,answer\n" + "".join(f"{c},{i}\n" for i, c in enumerate(data.classes)))
    mapped = runner.invoke(
        app, [*map(str, asked), "--mapping", str(tmp_path / "names.csv"), "--out", str(tmp_path / "x")]
    )
    judged = json.loads((tmp_path / "x" / "judgement.json").read_text())
    assert mapped.exit_code == {"shown": 0, "not shown": 1}[judged["verdict"]]
    assert (judged["verdict"] == "shown") == (judged["comparison"]["p_value"] <= 0.01)
    assert json.loads(mapped.stdout) == judged


def test_commands_and_exit_codes(place, sealed, tmp_path, guilty, innocent):
    words = ("--clean", place / "others", "--originals", place / "photos", "--key", place / "key")
    asked = (*words, "--budget-of-queries", QUERIES)
    said = run("accuse", "probe", place / "protected", *asked, "--out", tmp_path / "probes").output
    assert Sealed.load(tmp_path / "probes").seal in said
    for suspect, code in ((guilty, 0), (innocent, 1)):
        suspect.ask(place / "probes", sealed).write(tmp_path / "answers.csv", sealed.files)
        out = ("--out", tmp_path / str(code))
        run("accuse", "judge", place / "probes", tmp_path / "answers.csv", *out, code=code)
        assert (tmp_path / str(code) / "judgement.html").is_file()
    template = (tmp_path / "probes" / "answers.csv").read_text()
    assert template.count("\n") == QUERIES + 1
    empty = ("accuse", "judge", tmp_path / "probes", tmp_path / "probes" / "answers.csv")
    assert "got none to" in run(*empty, code=2).output
    again = ("accuse", "probe", place / "protected", *asked, "--out", tmp_path / "probes")
    assert "exists already" in run(*again, code=2).output
    model = ("accuse", "model", f"resnet9:width=8@{place / 'protected.safetensors'}", "--size", SIDE)
    shutil.copytree(place / "probes", tmp_path / "same")
    run(*model, "--protected", place / "protected", *asked, "--out", tmp_path / "same")  # asked with what is there
    assert Sealed.load(tmp_path / "same") == sealed
    (tmp_path / "other").write_bytes(bytes(32))
    other = (*words[:-1], tmp_path / "other", "--out", tmp_path / "same")
    assert "are of the key" in run(*model, "--protected", place / "protected", *other, code=2).output


def test_what_does_not_belong_together_is_refused(place, tmp_path, job, photos):
    def refused(message, protected=place / "protected", clean=place / "others", key=place / "key", **words):
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            make_probes(protected, clean, key, tmp_path / "probes", **{"originals": place / "photos", **words})
        assert not (tmp_path / "probes").exists()

    (tmp_path / "key").write_bytes(bytes(32))
    refused("was protected with the key", key=tmp_path / "key")
    refused("was published, or is the original", clean=place / "photos")
    refused("was published, or is the original", clean=place / "protected")
    refused("expected at least 100 pictures", queries=99)
    refused("expected a folder of clean pictures", clean=tmp_path / "nowhere")
    refused("expected at least 700 clean pictures in", queries=700_000)
    refused("Name it by --originals", originals=None)
    refused("other secrets than were hidden", originals=place / "others")
    refused("expected the weights .* as the report says", weights="first")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.png").write_bytes(b"no picture")
    refused("got 0 that can be read", clean=tmp_path / "broken")
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
        ("classes", [], "expected classes and keys"),
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
    (tmp_path / "key").write_bytes(bytes([2]) * 32)  # key and seed are fixed: chance shows one random key of a hundred
    protect_folder(flat, tmp_path / "protected", key=tmp_path / "key", strength="full", visibility=0)
    where = (tmp_path / "protected", others, tmp_path / "key", tmp_path / "probes")
    sealed = make_probes(*where, queries=200, seed=b"of this test")
    assert (sealed.classes, sealed.extent.turns) == (["."], 2)
    answers = Answers.of_numbers(["mine", "other"], np.random.default_rng(0).random((200, 2)))
    assert judge_answers(sealed, answers, {".": "mine"}).verdict == "not shown"


def test_names_that_are_no_text_clutter_and_one_answer_more(sealed, guilty, place, tmp_path):
    probes = tmp_path / "probes"
    shutil.copytree(place / "probes", probes)
    (probes / PICTURES / ".DS_Store").write_bytes(b"a file manager was here")
    answers = guilty.ask(probes, sealed)
    odd = replace(answers, names=(*answers.names[:-1], "n\udcff"))
    odd.write(tmp_path / "odd.csv", sealed.files)
    assert Answers.read(tmp_path / "odd.csv", sealed.files).names == odd.names
    said = [answers.names[place] for place in answers.scores.argmax(1)]
    more = Answers.of_labels([*said[:-1], "something else"])
    assert judge_answers(sealed, more).mapped == "by name"
    fewer = [name for name in answers.names if name != "digit_3"]
    without = judge_answers(sealed, Answers.of_labels([name if name in fewer else fewer[0] for name in said]))
    assert {one.name: one.answer for one in without.classes}["digit_3"] == "(never given)"


def test_a_bank_whose_classes_no_key_deals_otherwise_is_refused(tmp_path, job, weights, place):
    bank = small_bank(tmp_path / "semantics", classes=2, per_class=1).folder
    shutil.copytree(place / "others" / "digit_0", tmp_path / "two" / "digit_0")
    shutil.copytree(place / "others" / "digit_1", tmp_path / "two" / "digit_1")
    job(tmp_path / "two", secrets=bank, visibility=0)
    words = {"originals": tmp_path / "two", "secrets": bank, "weights": weights, "queries": 200}
    with pytest.raises(ValueError, match="expected keys that differ"):
        make_probes(tmp_path / "out", place / "photos", tmp_path / "key", tmp_path / "probes", **words)
