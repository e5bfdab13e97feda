"""The mixtures of `benchmarks/second_carrier.py`, and that a run of it goes on where it stopped."""

import json
import sys
from dataclasses import replace

import pytest
import second_carrier as benchmark

from unlearnable.datasets import load
from unlearnable.protections import protection_named
from unlearnable.training.recipes import recipe_named


@pytest.fixture(scope="module")
def pictures():
    return load("toy:size=32,count=12")


def changed(pictures, name):
    change = benchmark.published(pictures, name).images.float() - pictures.images.float()
    return change - change.mean((2, 3), keepdim=True)


def test_the_second_has_its_share_of_the_energy(pictures):
    hidden, mixed, other = (changed(pictures, name) for name in ("lsp", "lsp+noise@0.3", "lsp+noise@0.9"))
    rms = mixed.square().mean((1, 2, 3)).sqrt()
    assert ((rms > 5.5) & (rms <= 6)).all()  # of LSP's budget

    def likeness(change):
        return (change * hidden).sum() / (change.square().sum() * hidden.square().sum()).sqrt()

    assert likeness(mixed).item() == pytest.approx(0.7**0.5, abs=0.1)
    assert likeness(other).item() == pytest.approx(0.1**0.5, abs=0.1)


def test_one_alone_is_the_protection_itself(pictures):
    assert benchmark.published(pictures, "lsp").images.equal(protection_named("lsp")(pictures).images)


def test_a_run_goes_on_where_it_stopped(tmp_path, monkeypatch, capsys):
    short = replace(recipe_named("quick"), epochs=1, long_epochs=0)
    monkeypatch.setattr(benchmark, "load", lambda spec: load("toy:size=32,count=40"))
    monkeypatch.setattr(benchmark, "recipe_named", lambda name: short)
    out = tmp_path / "lines.json"

    def run(*sets):
        words = ["second_carrier", "--sets", *sets, "--countermeasures", "vanilla", "--out", str(out)]
        monkeypatch.setattr(sys, "argv", words)
        benchmark.main()
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert [line["set"] for line in run("lsp")] == ["lsp"]
    assert [line["set"] for line in run("lsp", "noise")] == ["noise"]
    assert [line["set"] for line in json.loads(out.read_text())] == ["lsp", "noise"]
