import json
import sys

import pytest
import table as benchmark
import yaml

from plans import TOY
from unlearnable.bench.plan import Plan

PLAN = """
data:
  CIFAR-10: {train: "cifar10:root=D,split=train,per_class=1000", test: "cifar10:root=D,split=test"}
victims: [resnet9]
recipe: quick
seeds: 1
grids:
  - protections: {Clean: clean, LSP: lsp}
  - protections: {Noise: noise}
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "some.yaml").write_text(PLAN)
    return tmp_path / "some.yaml"


def test_the_same_cells_smaller_and_each_alone(file, tmp_path):
    content = benchmark.smaller(file, 5, ["LSP", "Noise"])
    plans = [content, *benchmark.alone(content)]
    for number, one in enumerate(plans):
        (tmp_path / f"{number}.yaml").write_text(yaml.safe_dump(one))
    whole, *parts = [Plan.read(tmp_path / f"{number}.yaml").cells for number in range(len(plans))]
    assert [entry for part in parts for entry in part] == list(whole) and len(parts) == 6
    assert {entry.training.data for entry in whole} == {"cifar10:root=D,split=train,per_class=5"}
    assert {entry.test for entry in whole} == {"cifar10:root=D,split=test,per_class=5"}


def test_the_line(file, tmp_path, monkeypatch, capsys):
    """Of plans that take no time and train nothing: one for the whole, one for each cell."""
    asked = []

    def together(plan, out):
        asked.append(len(Plan.read(plan).cells))
        return {"seconds": 3.0, "training": 4.0, "cell_seconds": 4.2, "steps": 4.8, "device": "a processor"}

    def process(plan, out):
        asked.append(len(Plan.read(plan).cells))
        return {"seconds": 6.0}

    monkeypatch.setattr(benchmark, "together", together)
    monkeypatch.setattr(benchmark, "process", process)
    words = ["table.py", "--plan", file, "--rows", "LSP", "--work", tmp_path / "work", "--out", tmp_path / "out.json"]
    monkeypatch.setattr(sys, "argv", list(map(str, words)))
    benchmark.main()
    line = json.loads(capsys.readouterr().out)
    assert asked == [3, 1, 1, 1]
    assert (line["seconds_per_cell"], line["one_by_one_seconds_per_cell"], line["ratio"]) == (1.0, 6.0, 6.0)
    assert (line["overhead"], line["idle"], line["device"]) == (0.05, 0.2, "a processor")
    assert json.loads((tmp_path / "out.json").read_text()) == line
    benchmark.main()
    assert len(asked) == 4  # what has been measured is not measured again


def test_both_ways_train_the_same_cells(tmp_path):
    content = yaml.safe_load(TOY) | {"protections": {"Noise": "noise"}, "seeds": 2}
    ours = benchmark.measured(benchmark.together, content, tmp_path)
    assert 0 < ours["training"] < ours["cell_seconds"] < ours["steps"] < benchmark.WORKERS * ours["seconds"]
    one, _ = benchmark.alone(content)
    assert benchmark.measured(benchmark.process, one, tmp_path)["seconds"] > 0
    assert [file.name for file in tmp_path.rglob("*.json")] == ["measured.json"] * 2


def test_a_cell_that_fails_is_no_measurement(tmp_path):
    content = yaml.safe_load(TOY) | {"protections": {"Clean": "clean"}, "recipe": "quick:epochs=3,learning_rate=1e30"}
    with pytest.raises(SystemExit, match="finite"):
        benchmark.measured(benchmark.together, content, tmp_path)
    assert not list(tmp_path.rglob("measured.json"))
