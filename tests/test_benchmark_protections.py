import json
import sys

import numpy as np
import protections as benchmark
import pytest

from sets import labelled, noisy
from unlearnable.protections import protection_named, protections
from unlearnable.protections.ar import processes


def test_every_protection_has_a_case_that_can_be_made():
    assert set(benchmark.CASES) == set(protections)
    for name, case in benchmark.CASES.items():
        made, protection = benchmark.case_of(name, "resnet9:width=4")
        assert made is case and isinstance(protection, protections._classes[name])


def test_brute_force_finds_what_ops_finds():
    data = labelled(noisy(12, 6, 6), 1)
    colour, row, column = benchmark.brute_force(data.images.numpy() / 255)
    published = protection_named("ops")(data).images[:, :, row, column] / 255
    assert (published.numpy() == benchmark.COLOURS[colour]).all()


def test_textbook_noise_is_the_process():
    windows = processes(1, 0)[0]
    noise = benchmark.autoregressive(windows, 8, 9, np.random.default_rng(0))
    assert np.linalg.norm(noise) == pytest.approx(1)
    for row, column in np.ndindex(6, 7):
        seen = noise[:, row : row + 3, column : column + 3]
        np.testing.assert_allclose((seen * windows).sum((1, 2)), seen[:, 2, 2], atol=1e-12)


def test_textbook_blocks_have_the_strength():
    changes = benchmark.linearly_separable(labelled(noisy(8, 16, 16), 2))
    np.testing.assert_allclose(np.square(changes).mean((1, 2, 3)), 36, rtol=1e-4)


def test_lines_and_file(tmp_path, monkeypatch, capsys):
    size = ["--data", "toy:count=24,size=16", "--count", "16", "--surrogate", "resnet9:width=4"]
    what = ["--methods", "ops,lsp,em,tap", "--out", str(tmp_path / "out.json")]
    monkeypatch.setattr(sys, "argv", ["protections.py", *size, *what])
    benchmark.main()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["method"].partition(":")[0] for line in lines] == ["ops", "lsp", "em", "tap"]
    for line in lines:
        plain = line["baseline_images_per_second"]
        assert line["ratio"] == pytest.approx(line["images_per_second"] / plain, rel=0.01, abs=0.006)  # as rounded
        assert line["baseline_pictures"] and line["baseline"]
    assert json.loads((tmp_path / "out.json").read_text())["methods"] == lines
