"""The waves of `benchmarks/carriers.py`, and that a run of it goes on where it stopped."""

import json
import sys

import carriers as benchmark
import pytest
import torch

from unlearnable.datasets import load
from unlearnable.hiding.surrogates import Surrogate
from unlearnable.hiding.targeting import pairs_of
from unlearnable.keys import Key

WEIGHTS = torch.tensor([0.299, 0.587, 0.114])


@pytest.fixture(scope="module")
def pictures():
    return load("toy:size=64,count=200")


@pytest.mark.parametrize("colour", benchmark.COLOURS)
def test_a_wave_has_the_luma_that_its_colour_says_and_rms_of_one(pictures, colour):
    change = benchmark.CARRIERS.make(f"wave:colour={colour}").changes(pictures)
    assert change.square().mean((1, 2, 3)).sqrt().tolist() == pytest.approx([1.0] * len(pictures), abs=1e-3)
    share = torch.einsum("nchw,c->nhw", change, WEIGHTS).square().mean() / change.square().mean()
    if "-" in colour:
        assert share < 1e-4
    else:
        assert share > 0.01


def test_what_is_hidden_and_what_pulls_are_carriers(monkeypatch):
    few = load("toy:size=64,count=8")
    hidden = benchmark.CARRIERS.make("hidden").changes(few)
    assert float(hidden.square().mean().sqrt()) == pytest.approx(1, abs=1e-3)
    looked = []

    class Simple(Surrogate):
        """One that sees how light a picture is."""

        @classmethod
        def of(cls, name, *rest):
            looked.append(name)
            return cls(torch.nn.Identity(), torch.zeros(1), torch.ones(1), torch.arange(len(few.classes))[:, None] / 10)

        def directions(self, pictures):
            return pictures.mean((1, 2, 3))[:, None]

    monkeypatch.setattr(benchmark, "Surrogate", Simple)
    change = benchmark.CARRIERS.make("features:steps=1,times=0.5").changes(few)
    assert change.square().mean((1, 2, 3)).sqrt().tolist() == pytest.approx([0.5] * 8, abs=1e-3)
    lighter = pairs_of(Key.of_seed(0), len(few.classes))[few.labels] > few.labels
    assert torch.equal(change.mean((1, 2, 3)) > 0, lighter)
    assert looked == ["efficientnet_lite0", "efficientnet_lite2"]


def test_what_a_network_has_learnt_of_the_pictures_is_a_carrier():
    few = load("toy:size=64,count=8")
    change = benchmark.CARRIERS.make("scratch:network=resnet9:width=1,steps=1,times=2").changes(few)
    assert change.square().mean((1, 2, 3)).sqrt().tolist() == pytest.approx([2.0] * 8, abs=1e-3)
    assert torch.equal(change[:, 0], change[:, 1]) and torch.equal(change[:, 0], change[:, 2])


def test_random_signs_leave_a_class_no_mean_and_fixed_ones_all_of_it(pictures):
    left = {}
    for sign in ("fixed", "random"):
        change = benchmark.CARRIERS.make(f"wave:sign={sign},power=0").changes(pictures)
        of_class = change[pictures.labels == 0]
        left[sign] = float(of_class.mean(0).square().mean().sqrt())
    assert left["fixed"] == pytest.approx(1, abs=0.01) and left["random"] < 0.25


def test_a_run_goes_on_where_it_stopped(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(benchmark, "load", lambda spec: load("toy:size=32,count=20"))
    monkeypatch.setattr(benchmark, "LOOKED_AT", 2)
    out = tmp_path / "lines.json"

    def run(*carriers: str) -> list[dict]:
        words = ["--photos", "x", "--out", out, "--epochs", "1", "--ways", "vanilla", "--carriers", *carriers]
        monkeypatch.setattr(sys, "argv", ["carriers.py", *map(str, words)])
        benchmark.main()
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    first = run("wave:period=8,colour=blue")
    assert [line["carrier"] for line in first] == ["", "wave:period=8,colour=blue"]
    assert first[1]["visibility"]["ssimulacra2_mean"] >= 77.5 and first[1]["rms"] > first[1]["rms_trained"] > 0
    second = run("wave:period=8,colour=blue", "wave:period=6")
    assert [line["carrier"] for line in second] == ["wave:period=6"]
    assert json.loads(out.read_text()) == first + second
