import json
import sys
from types import SimpleNamespace

import pytest
import table as benchmark
import yaml

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
    whole, *parts = [Plan.read(tmp_path / f"{number}.yaml").entries for number in range(len(plans))]
    assert [entry for part in parts for entry in part] == list(whole) and len(parts) == 6
    assert {entry.training.data for entry in whole} == {"cifar10:root=D,split=train,per_class=5"}
    assert {entry.test for entry in whole} == {"cifar10:root=D,split=test,per_class=5"}


def test_the_line(file, tmp_path, monkeypatch, capsys):
    """Of commands that take no time and train nothing: two workers for the whole, one for each cell."""
    asked = []
    monkeypatch.setattr(benchmark, "seconds", lambda content, folder, workers: asked.append(workers) or 6.0 / workers)
    runs = SimpleNamespace(
        cells=SimpleNamespace(all=lambda: [SimpleNamespace(seconds=2.0, device="a processor")] * 2),
        sets=SimpleNamespace(all=lambda: []),
    )
    monkeypatch.setattr(benchmark, "Runs", lambda folder: runs)
    words = ["table.py", "--plan", str(file), "--rows", "LSP", "--out", str(tmp_path / "out.json")]
    monkeypatch.setattr(sys, "argv", words)
    benchmark.main()
    line = json.loads(capsys.readouterr().out)
    assert asked == [2, 1, 1, 1]
    assert (line["seconds_per_cell"], line["one_by_one_seconds_per_cell"], line["ratio"]) == (1.0, 6.0, 6.0)
    assert line["overhead"] == 0.5 and line["device"] == "a processor"  # 2 x 3 s, of which 4 s trained
    assert json.loads((tmp_path / "out.json").read_text()) == line
