"""Weights of HiNet's own code, from the command line."""

import pytest
import torch
from torch.nn import functional as F

from commands import run
from unlearnable.hiding.network import Hider
from unlearnable.hiding.wavelet import haar, inverse_haar

BLOCKS, GROWTH = 3, 8


@pytest.fixture
def state():
    """Random weights under HiNet's names and in its shapes."""
    torch.manual_seed(0)
    state = {}
    for block in range(1, BLOCKS + 1):
        for letter in "fry":
            for layer in range(1, 6):
                out = 12 if layer == 5 else GROWTH
                name = f"inv{block}.{letter}.conv{layer}"
                state[f"{name}.weight"] = 0.05 * torch.randn(out, 12 + GROWTH * (layer - 1), 3, 3)
                state[f"{name}.bias"] = 0.05 * torch.randn(out)
    return state


def hinet_formulas(state, blocks, cover, secret):
    """HiNet's forward pass, from the formulas alone, over its own parameter names."""

    def dense(prefix, x):
        features = [x]
        for layer in range(1, 6):
            weight, bias = state[f"{prefix}.conv{layer}.weight"], state[f"{prefix}.conv{layer}.bias"]
            out = F.conv2d(torch.cat(features, 1), weight, bias, stride=1, padding=1)
            features.append(F.leaky_relu(out, 0.01) if layer < 5 else out)
        return features[-1]

    x1, x2 = haar(cover), haar(secret)
    for block in range(1, blocks + 1):
        y1 = x1 + dense(f"inv{block}.f", x2)
        scale = torch.exp(2.0 * 2 * (torch.sigmoid(dense(f"inv{block}.r", y1)) - 0.5))
        x1, x2 = y1, x2 * scale + dense(f"inv{block}.y", y1)
    return inverse_haar(x1), x2


@pytest.mark.parametrize("published", [True, False])
def test_imported_weights_compute_what_hinet_computes(state, published, tmp_path):
    """A published checkpoint has prefixes, an optimiser's state, and counters that its own code passes over."""
    stored = {f"module.model.{name}": tensor for name, tensor in state.items()} | {"module.tmp_var": torch.zeros(1)}
    torch.save({"opt": {"lr": 1e-4}, "net": stored} if published else state, tmp_path / "model.pt")
    run("hider", "import", tmp_path / "model.pt", "--out", tmp_path / "weights")
    hider = Hider.load(tmp_path / "weights").double().compute_in(torch.float64)
    state = {name: tensor.double() for name, tensor in state.items()}
    cover, secret = torch.rand(2, 2, 3, 12, 10, dtype=torch.float64)
    stego, latent = hinet_formulas(state, BLOCKS, cover, secret)
    with torch.inference_mode():
        ours, our_latent = hider(cover, secret)
    torch.testing.assert_close(ours, stego)
    torch.testing.assert_close(our_latent, latent)


def refused(content, tmp_path) -> str:
    file = tmp_path / "model.pt"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        torch.save(content, file)
    output = run("hider", "import", file, "--out", tmp_path / "weights", code=2).output
    assert not (tmp_path / "weights").exists()
    return output.replace("\n", " ")


class Foreign:
    """What only an unpickler that runs code would read."""


@pytest.mark.parametrize(
    "content, message",
    [
        (None, "found none at"),
        (b"", "expected tensors alone"),
        (b"no weights", "expected tensors alone"),
        ({"net": Foreign()}, "expected tensors alone"),
        ([torch.zeros(1)], "expected a state dict"),
        ({}, "expected a state dict"),
        ({"inv1.r.conv1.weight": "text"}, "expected a state dict"),
        ({"layer1.0.conv1.weight": torch.zeros(1)}, "expected names such as inv1.r.conv1.weight, got 'layer1.0"),
        ({"inv1.f.conv1.weight": torch.zeros(())}, "expected 1 whole blocks"),
    ],
)
def test_what_is_no_such_checkpoint_is_refused(content, message, tmp_path):
    assert message in refused(content, tmp_path)


def test_other_shapes_and_missing_weights_are_named(state, tmp_path):
    wide = state | {"inv2.y.conv3.bias": torch.zeros(GROWTH + 1)}
    assert "(8,) at blocks.1.eta.convs.2.bias, got (9,)" in refused(wide, tmp_path)
    del state["inv3.f.conv5.bias"]
    assert "(12,) at blocks.2.phi.convs.4.bias, got nothing" in refused(state, tmp_path)


def test_weights_are_not_overwritten(state, tmp_path):
    torch.save(state, tmp_path / "model.pt")
    run("hider", "import", tmp_path / "model.pt", "--out", tmp_path / "weights")
    assert (
        "expected a new folder"
        in run("hider", "import", tmp_path / "model.pt", "--out", tmp_path / "weights", code=2).output
    )
