"""The commands about secrets, as a user types them."""

import inspect
import json

import pytest

from banks import captioned
from commands import run
from tiny_diffusion import save_diffusion
from unlearnable.cli import semantics
from unlearnable.semantics.build import build_bank
from unlearnable.semantics.options import BankOptions


@pytest.fixture
def words(tmp_path):
    options = captioned(tmp_path)
    (options["images"] / "3.jpg").unlink()
    return ("semantics", "build", "--captions", options["captions"], "--images", options["images"], "--size", "64")


def test_build_protect_reveal(words, photos, tmp_path, weights):
    bank = tmp_path / "bank"
    build = (*words, "--generator", "stylise", "--classes", 4, "--per-class", 2, "--out", bank)
    shown = run(*build).output
    assert "1 captions could serve no class" in shown
    assert "4 classes, 2 pictures of each; distances: captions" in shown
    assert "another build" in run(*build, "--seed", 1, code=2).output
    run("secrets", tmp_path / "sheet.png", "--key", tmp_path / "key", "--secrets", bank)
    assert (tmp_path / "sheet.png").stat().st_size > 1000

    given = ("--key", tmp_path / "key", "--weights", weights)
    run("protect", photos, tmp_path / "out", *given, "--secrets", bank)
    assert json.loads((tmp_path / "out" / "report.json").read_text())["options"]["secrets"].startswith("bank:")
    assert "name --secrets" in run("reveal", tmp_path / "out", "--out", tmp_path / "x", *given, code=2).output
    shown = run("reveal", tmp_path / "out", "--out", tmp_path / "x", *given, "--secrets", bank).output
    assert "keys" in shown
    (bank / "bank.json").write_text("{")
    assert "is not a bank" in run("protect", photos, tmp_path / "out", *given, "--secrets", bank, code=2).output


def test_build_by_diffusion(words, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    model, controlnet = save_diffusion(tmp_path / "models")
    options = ("--generator", "diffusion", "--classes", 2, "--per-class", 1, "--steps", 2, "--device", "cpu")
    shown = run(*words, *options, "--diffusion", model, "--controlnet", controlnet, "--out", tmp_path / "bank").output
    assert "2 classes, 1 pictures of each" in shown
    assert "name the two models" in run(*words, *options, "--out", tmp_path / "other", code=2).output


def test_defaults_are_those_of_python():
    options = inspect.signature(semantics.build).parameters
    decides, function = (inspect.signature(called).parameters for called in (BankOptions, build_bank))
    assert set(options) == set(decides) | {"out", "device"}
    parameters = {**function, **decides}
    assert {name: o.default for name, o in options.items()} == {name: parameters[name].default for name in options}
