import json
import sys

import low_frequency as benchmark

from samples import picture


def test_a_line_for_the_start_and_for_every_weight(tmp_path, monkeypatch, capsys):
    photos, out = tmp_path / "photos", tmp_path / "lines.json"
    photos.mkdir()
    for index in range(4):
        picture(index, 80, 70).save(photos / f"{index}.png")
    monkeypatch.setattr(benchmark, "COUNT", 10)
    options = ["--out", out, "--steps", "1", "--omegas", "0", "1"]
    monkeypatch.setattr(sys, "argv", ["low_frequency.py", *map(str, [photos, photos, *options])])
    benchmark.main()
    lines = json.loads(out.read_text())
    assert lines == [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["omega_1"] for line in lines] == [None, 0, 1]
    assert all(0 < line["jpeg:quality=10"] < line["gray"] < 1 and 0 < line["ssim"] < 1 for line in lines)
