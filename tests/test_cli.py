"""The command line itself, as a user types it."""

import inspect
import json
import sys

import pytest
from typer.main import get_command

from commands import run, runner
from resuming import KilledError, save_every_step
from samples import picture
from unlearnable import protect_folder, reveal_folder
from unlearnable.cli import app, folder, reveal
from unlearnable.folder.options import ProtectOptions
from unlearnable.training import loop as training


@pytest.fixture
def protected(photos, tmp_path, weights):
    run("protect", photos, tmp_path / "out", "--key", tmp_path / "key", "--weights", weights)
    return tmp_path / "out"


def test_protect_verify_reveal(protected, photos, tmp_path, weights, monkeypatch):
    monkeypatch.setattr("unlearnable.folder.found.MOST", 199)
    assert "0 with violations" in run("verify", protected, "--original", photos).output
    verified = json.loads(run("verify", protected, "--original", photos, "--json").stdout)
    assert verified == {"checked": 5, "violations": {}, "ok": True}
    words = ("reveal", protected, "--key", tmp_path / "key", "--weights", weights, "--out")
    assert "of 199" in run(*words, tmp_path / "secrets").output
    revealed = json.loads(run(*words, tmp_path / "again", "--json").stdout)
    assert len(revealed["revealed"]) == 5
    assert revealed["key_score"]["decoys"] == 199


def test_exit_codes(protected, photos, tmp_path, weights):
    again = ("protect", photos, protected, "--key", tmp_path / "key", "--weights", weights)
    (photos / "broken.png").write_bytes(b"no picture")
    assert "skipped broken.png: not a JPEG" in run(*again, code=3).output
    picture(7).save(protected / "stray.png")
    assert (
        "stray.png: a file that is not in the manifest" in run("verify", protected, "--original", photos, code=1).output
    )
    assert "another run" in run(*again, "--budget", "rms:2", code=2).output
    assert "expected a budget" in run(*again, "--budget", "loud", code=2).output
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "a.png").write_bytes(b"no picture")
    words = ("protect", bad, tmp_path / "nothing", "--key", tmp_path / "key", "--weights", weights)
    assert "could be read" in run(*words, code=2).output
    assert "expected a folder of pictures" in run("protect", tmp_path / "missing", tmp_path / "x", code=2).output
    assert "expected" in run("verify", photos, "--original", photos, code=2).output
    assert "expected" in run("reveal", tmp_path / "missing", "--out", tmp_path / "y", code=2).output
    assert "torch device" in run(*words[:2], tmp_path / "z", *words[3:], "--device", "gpu0", code=2).output
    (weights_copy := tmp_path / "weights").mkdir()
    (weights_copy / "config.json").write_text('{"blocks": 2, "growth": 4}')
    (weights_copy / "model.safetensors").write_bytes(b"nonsense")
    broken = (*words[:2], tmp_path / "z", *words[3:5], "--weights", weights_copy)
    assert "the weights of a hider in" in run(*broken, code=2).output
    assert "Error" in run("protect", photos, photos / "cat" / "a.png" / "x", "--key", tmp_path / "key", code=2).output


def test_options_reach_the_job(photos, tmp_path, weights):
    words = ("protect", photos, tmp_path / "out", "--key", tmp_path / "key", "--weights", weights)
    options = ("--budget", "linf:5", "--per", "sample", "--working-size", "20", "--format", "jpeg", "--quality", "70")
    options += ("--deal", "order")
    assert "Warning: JPEG" in run(*words, *options, "--ask", "nothing").output
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["options"] == {
        "budget": "linf:5",
        "per": "sample",
        "deal": "order",
        "working_size": 20,
        "format": "jpeg",
        "metadata": False,
        "ask": "nothing",
        "quality": 70,
        "secrets": "render-2",
        "stamp": 0.0,
    }


def test_names_that_are_not_utf8(photos, tmp_path, weights):
    (photos / "cat" / "a.png").rename(photos / "cat" / "caf\udce9.png")
    (photos / "dog" / "na\udcefve.png").write_bytes(b"no picture")
    words = ("protect", photos, tmp_path / "out", "--key", tmp_path / "key", "--weights", weights)
    assert "na\\xefve.png" in run(*words, code=3).output
    assert (tmp_path / "out" / "cat" / "caf\udce9.png").exists()
    run("verify", tmp_path / "out", "--original", photos)


def test_list():
    names = json.loads(run("list", "--json").stdout)
    assert list(names["protections"]["deep_hiding"]) == [
        "per",
        "budget",
        "weights",
        "secrets",
        "deal",
        "stamp",
        "strength",
        "pull",
        "surrogates",
    ]
    quality = {"type": "integer", "description": "a whole number from 1 to 100", "minimum": 1, "maximum": 100}
    assert names["countermeasures"]["jpeg"]["quality"] == quality | {"default": 10}
    assert names["protections"]["deep_hiding"]["per"]["enum"] == ["class", "sample"]
    assert "default" not in names["datasets"]["cifar10"]["root"]
    rows = [" ".join(line.split()) for line in run("list").stdout.splitlines()]
    for row in (
        "COUNTERMEASURES default takes",
        "quality 10 a whole number from 1 to 100",
        "weights (empty) text",
        "root (must be given) text",
    ):
        assert row in rows


def test_secrets_draws_a_sheet_and_never_prints_the_key(tmp_path):
    output = run("secrets", tmp_path / "sheet.png", "--key", tmp_path / "key", "--classes", 2, "--variations", 3).output
    assert (tmp_path / "sheet.png").stat().st_size > 1000
    assert (tmp_path / "key").read_bytes().hex() not in output


def test_hider_train(photos, tmp_path):
    words = ("hider", "train", "--covers", photos, "--out", tmp_path / "w", "--set", "steps=2")
    plan = tmp_path / "plan.yaml"
    plan.write_text("blocks: 1\ngrowth: 2\nsteps: 9\nsizes: [16]\npixels: 1024\n")
    run(*words, "--plan", plan)
    assert {path.name for path in (tmp_path / "w").iterdir()} == {
        *("config.json", "model.safetensors", "checkpoint.safetensors", "training.png")
    }
    (tmp_path / "empty").mkdir()
    assert "unknown name: stepps" in run(*words, "--set", "stepps=3", code=2).output
    empty = ("hider", "train", "--covers", tmp_path / "empty", "--out", tmp_path / "v")
    assert "expected pictures" in run(*empty, code=2).output


def test_defaults_are_those_of_python():
    """Every option of `protect` and `reveal` has the default of what it calls, and all that decides a copy is one."""
    decides = inspect.signature(ProtectOptions).parameters
    for command, parameters in [
        (folder.protect, decides),
        (folder.protect, inspect.signature(protect_folder).parameters),
        (reveal.reveal, inspect.signature(reveal_folder).parameters),
    ]:
        options = inspect.signature(command).parameters
        shared = set(options) & set(parameters) - {"src", "dst", "out", "path", "visibility"}  # the last one is a word
        assert len(shared) >= 3
        assert {name: options[name].default for name in shared} == {name: parameters[name].default for name in shared}
    assert set(decides) <= set(inspect.signature(folder.protect).parameters)


def commands(command, words=()):
    """Every command below ``command``, itself included, with the words that call it."""
    yield words, command
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, (*words, name))


def test_help_shows_what_is_written():
    """Square brackets are markup there, and whatever stands in them is lost unless they are escaped."""
    found = list(commands(get_command(app)))
    assert {" ".join(words) for words, _ in found} >= {"", "protect", "hider train", "semantics build"}
    for words, command in found:
        shown = " ".join(runner.invoke(app, [*words, "--help"], env={"COLUMNS": "1000"}).output.split())
        for text in [command.help, *(getattr(parameter, "help", None) for parameter in command.params)]:
            assert text and " ".join(text.replace("\\[", "[").split()) in shown, (words, text)


def test_version():
    from unlearnable import __version__

    assert __version__ in run("--version").output


def test_audit_export_and_fit(tmp_path, weights, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/usr/bin/unlearnable", "audit", "these", "words"])
    for name, data in {"train": "toy:count=48", "test": "toy:count=40,seed=1"}.items():
        run("export", data, tmp_path / name)
    run("protect", tmp_path / "train", tmp_path / "out", "--key", tmp_path / "key", "--weights", weights)
    sets = ("--clean-train", tmp_path / "train", "--clean-test", tmp_path / "test", "--out", tmp_path / "audit")
    words = ("audit", tmp_path / "out", *sets, "--victim", "resnet9:width=2", "--recipe", "quick:epochs=1")
    shown = run(*words, "--countermeasures", "vanilla").output
    assert "does not stop" in shown and "look at" in shown
    page = (tmp_path / "audit" / "audit.html").read_text()
    assert "unlearnable audit these words" in page
    shown = run(*words, "--countermeasures", "vanilla,mix:per_class=99", code=3).output
    assert "not measured: mix:per_class=99: expected at least 99 pictures" in shown
    assert "unknown among the countermeasures" in run(*words, "--countermeasures", "blur", code=2).output
    assert "expected a folder of pictures or a data set" in run(*words, "--clean-test", tmp_path / "x", code=2).output

    sets = ("toy:count=48", "toy:count=40,seed=1")
    backbone = tmp_path / "backbone.safetensors"
    shown = run("fit", *sets, "--victim", "resnet9:width=2", "--recipe", "quick:epochs=1", "--out", backbone).output
    assert "epoch 1/1" in shown and backbone.exists()
    assert not list(tmp_path.glob("*.training"))
    run(*words, "--countermeasures", "vanilla", "--backbone", backbone)
    assert "frozen=true" in (tmp_path / "audit" / "audit.md").read_text()
    robust = f"at+pretrained:weights={backbone},frozen=true"
    assert "that learns in all layers" in run(*words, "--countermeasures", robust, code=2).output
    assert "expected a new folder" in run("export", "toy", tmp_path / "train", code=2).output


@pytest.mark.parametrize(
    "where", [("--victim", "resnet9:pretrained=none"), ("--countermeasure", "pretrained:weights=none")]
)
def test_fit_says_which_weights_are_not_there(tmp_path, where):
    shown = run("fit", "toy:count=48", "toy:count=40,seed=1", *where, "--out", tmp_path / "out", code=2).output
    assert "expected a file of weights, found none at none" in shown


def test_fit_goes_on_where_it_was_killed(tmp_path, monkeypatch):
    how = ("toy:count=48", "toy:count=40,seed=1", "--victim", "resnet9:width=2", "--recipe", "quick:epochs=3")
    epoch = training.train_epoch
    run("fit", *how, "--out", tmp_path / "whole.safetensors")

    def kill(*arguments):
        if arguments[-1] == 2:
            raise KilledError
        return epoch(*arguments)

    save_every_step(monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(training, "train_epoch", kill)
        with pytest.raises(KilledError):
            runner.invoke(app, ["fit", *how, "--out", str(tmp_path / "killed.safetensors")])
    assert not (tmp_path / "killed.safetensors").exists()
    other = run("fit", *how, "--seed", 1, "--out", tmp_path / "other.safetensors").output
    assert "epoch 1/3" in other
    assert len(list(tmp_path.glob("*.training"))) == 1
    shown = run("fit", *how, "--out", tmp_path / "killed.safetensors").output
    assert "epoch 3/3" in shown and "epoch 2/3" not in shown
    assert (tmp_path / "killed.safetensors").read_bytes() == (tmp_path / "whole.safetensors").read_bytes()
    assert not list(tmp_path.glob("*.training"))
