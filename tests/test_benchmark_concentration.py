import json
import sys

import concentration as benchmark

from samples import picture
from unlearnable.hiding.network import Hider
from unlearnable.victims.architectures import ResNet18
from unlearnable.victims.features import save_weights


def test_a_line_for_the_start_and_for_every_weight(tmp_path, monkeypatch, capsys):
    photos, extractor, out = tmp_path / "photos", tmp_path / "extractor.safetensors", tmp_path / "omegas"
    photos.mkdir()
    for index in range(4):
        picture(index, 80, 70).save(photos / f"{index}.png")
    save_weights(ResNet18().build(3, 32), extractor)
    monkeypatch.setattr(benchmark, "CLASSES", 4)
    options = ["--extractor", extractor, "--out", out, "--steps", "1", "--omegas", "0", "0.01"]
    monkeypatch.setattr(sys, "argv", ["concentration.py", *map(str, [photos, photos, *options])])
    benchmark.main()
    lines = json.loads((out / "concentration.json").read_text())
    assert lines == [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["omega_3"] for line in lines] == [None, 0, 0.01]
    assert all(0 <= line["within"] < line["between"] <= 2 and line["rms"] > 0 for line in lines)
    assert Hider.load(out / "0.01").config == Hider.load(out / "0").config
