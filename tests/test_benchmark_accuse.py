"""The plans of accusations: what they measure of a suspect, and that every plan can be read."""

import json
import sys
from pathlib import Path

import accuse as benchmark
import pytest

from unlearnable.countermeasures import countermeasure_named
from unlearnable.storage.decode import decode, from_yaml

PLANS = sorted(Path("plans/accuse").glob("*.yaml"))
TOY = """
title: a toy
train: toy:count=60,size=16
test: toy:count=60,size=16,seed=1
protection: deep_hiding
victim: resnet9:width=8
recipe: quick:epochs=1
turns: 2
level: 0.25
queries: [4, 8, 100]
innocent_keys: 2
suspects:
  - {share: 0.5, seeds: 2}
  - {share: 1, classes: 1}
  - {share: 0.3, after: finetuned, part: 0.5}
  - {share: 0.3, after: pruned, part: 0.5}
  - {share: 0.3, after: distilled, part: 0.5}
"""


def read(text):
    return decode(from_yaml(text), benchmark.Plan)


@pytest.mark.parametrize("plan", PLANS, ids=lambda file: file.stem)
def test_a_plan_names_suspects_that_can_be_trained_and_an_innocent(plan):
    suspects = list(read(plan.read_text()).each())
    assert 0 in {suspect.share for suspect in suspects}
    for suspect in suspects:
        countermeasure_named(suspect.countermeasure)
        assert suspect.after in ("", *benchmark.EVASIONS)
    assert f"python benchmarks/accuse.py {plan}" in plan.read_text()


def test_a_plan_is_measured_and_goes_on(tmp_path, monkeypatch, capsys):
    (tmp_path / "toy.yaml").write_text(TOY)
    words = [str(tmp_path / "toy.yaml"), "--out", str(tmp_path / "out.json"), "--runs", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["accuse.py", *words])
    benchmark.main()
    found = json.loads((tmp_path / "out.json").read_text())
    assert [suspect["seed"] for suspect in found["suspects"]] == [0, 1, 0, 0, 0, 0]
    first = found["suspects"][0]
    assert [(one["kind"], one["queries"]) for one in first["judged"][:3]] == [
        ("labels", 4),
        ("labels", 8),
        ("labels", 32),
    ]
    assert all(0.25 <= one["p_value"] <= 1 for suspect in found["suspects"] for one in suspect["judged"])
    assert found["innocent"]["innocent, probabilities"]["pairs"] == 4
    capsys.readouterr()
    monkeypatch.setattr(benchmark, "fit", None)  # nothing is trained again
    few = found | {"suspects": found["suspects"][:5]}
    (tmp_path / "out.json").write_text(json.dumps(few))
    benchmark.main()
    assert json.loads((tmp_path / "out.json").read_text()) == found
