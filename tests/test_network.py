import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from samples import random_hider
from unlearnable.countermeasures.reveal import RevealAndSubtract
from unlearnable.datasets import load
from unlearnable.hiding import network
from unlearnable.hiding.inference import perturbations, prepare, reveal_secrets, weights_named
from unlearnable.hiding.network import WEIGHTS, Hider
from unlearnable.protections.deep_hiding import DeepHiding


def test_the_papers_network():
    hider = Hider()
    assert sum(parameter.numel() for parameter in hider.parameters()) == 4_050_240
    cover, secret = torch.rand(2, 2, 3, 16, 16)
    assert torch.equal(hider.hide(cover, secret), cover)


@given(st.integers(4, 20), st.integers(4, 20), st.integers(1, 3))
def test_round_trip_with_the_true_latent(half_height, half_width, count):
    hider = random_hider(blocks=4, growth=8, scale=0.05)
    cover, secret = torch.rand(2, count, 3, 2 * half_height, 2 * half_width)
    with torch.inference_mode():
        stego, latent = hider(cover, secret)
        cover_again, secret_again = hider.reveal(stego, latent)
    assert (stego - cover).abs().max() > 1e-3  # it does hide something
    assert (cover_again - cover).abs().max() < 1e-4
    assert (secret_again - secret).abs().max() < 1e-4


def test_round_trip_of_the_full_network_away_from_the_identity():
    hider = random_hider(blocks=16, growth=32, scale=0.01)
    cover, secret = torch.rand(2, 2, 3, 32, 48)
    with torch.inference_mode():
        stego, latent = hider(cover, secret)
        again = hider.reveal(stego, latent)
    assert (stego - cover).abs().max() > 1e-2
    assert max((again[0] - cover).abs().max(), (again[1] - secret).abs().max()) < 1e-4


@given(st.integers(8, 21), st.integers(8, 21))
def test_any_size_from_8_px(height, width):
    hider = random_hider()
    cover, secret = torch.rand(2, 1, 3, height, width)
    with torch.inference_mode():
        stego = hider.hide(cover, secret)
        torch.testing.assert_close(hider(cover, secret)[0], stego)
        revealed = hider.reveal(stego)
    assert stego.shape == revealed[0].shape == revealed[1].shape == cover.shape


def test_bad_shapes_are_refused():
    hider = random_hider()
    with pytest.raises(ValueError, match="at least 8 px"):
        hider.hide(torch.rand(1, 3, 7, 9), torch.rand(1, 3, 7, 9))
    with pytest.raises(ValueError, match="differ in shape"):  # beside the shape check that only tests have
        network._check(torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 10))


def test_save_and_load(tmp_path):
    hider = random_hider()
    hider.save(tmp_path / "new" / "folder")
    again = Hider.load(tmp_path / "new" / "folder")
    assert again.config == hider.config
    for name, tensor in hider.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor)
    (tmp_path / "new" / "folder" / "config.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"config\.json"):
        Hider.load(tmp_path / "new" / "folder")
    with pytest.raises(FileNotFoundError, match="hub id"):
        Hider.load("no such/thing here")


def test_the_hub_is_asked_once_a_process(weights, monkeypatch):
    """By all that ask: which files matter, whether it can serve, what hides."""
    asked = []
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda name, **_: asked.append(name) or str(weights))
    protection, toy = DeepHiding(weights="somebody/once"), load("toy:count=4,size=16")
    assert protection.find_files() == protection.find_files() == (weights / WEIGHTS,)
    protection.check_serves(toy, 0)
    assert protection(toy, 0).images.shape == toy.images.shape
    assert RevealAndSubtract(weights="somebody/once").find_files() == (weights / WEIGHTS,)
    assert asked == ["somebody/once"]


def test_what_no_property_does_is_to_ask_the_hub(monkeypatch):
    def unasked(name, **_):
        raise AssertionError("the hub was asked")

    monkeypatch.setattr("huggingface_hub.snapshot_download", unasked)
    for made in (DeepHiding(weights="somebody/else"), RevealAndSubtract(weights="somebody/else")):
        for name in dir(made):
            if isinstance(getattr(type(made), name, None), property):
                getattr(made, name)


def test_weights_are_never_unpickled(tmp_path):
    """A pickle under the weights' name is refused by the format, not run."""
    torch.save({"weight": torch.zeros(1)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"blocks": 1, "growth": 4}))
    with pytest.raises(Exception, match="header"):
        Hider.load(tmp_path)


def test_half_precision_stays_within_half_a_grey_level_of_fp32():
    """Of the shipped weights, wherever bf16 is fast or not: the conversion itself is tested."""
    hider = Hider.load(weights_named())
    half = prepare(hider, torch.device("cpu")).to(torch.bfloat16).compute_in(torch.bfloat16)
    covers, secrets = torch.randint(0, 256, (2, 2, 3, 64, 48), dtype=torch.uint8)
    covers = F.interpolate(covers[..., ::8, ::8].float(), size=(64, 48), mode="bicubic").clamp(0, 255).byte()
    error = perturbations(half, covers, secrets) - perturbations(hider, covers, secrets)
    assert error.square().mean().sqrt() < 0.25


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (9, 7), (33, 21)])
def test_inference_takes_any_size(size):
    hider = prepare(random_hider(), torch.device("cpu"))
    pictures = torch.randint(0, 256, (3, 3, *size), dtype=torch.uint8)
    change = perturbations(hider, pictures, pictures)
    assert change.shape == pictures.shape
    assert change.dtype == torch.float32
    assert change.isfinite().all()
    assert reveal_secrets(hider, pictures).shape == pictures.shape


def test_inference_in_chunks_is_the_same(monkeypatch):
    hider = prepare(random_hider(), torch.device("cpu"))
    covers, secrets = torch.randint(0, 256, (2, 5, 3, 16, 16), dtype=torch.uint8)
    whole = perturbations(hider, covers, secrets)
    monkeypatch.setattr("unlearnable.hiding.inference.CHUNK_PIXELS", 512)
    torch.testing.assert_close(perturbations(hider, covers, secrets), whole, atol=0.05, rtol=0.02)
