import numpy as np
import pytest
import torch

from banks import captioned, contents, killed_after
from samples import picture
from tiny_diffusion import save_diffusion
from unlearnable.semantics.build import build_bank
from unlearnable.semantics.diffusion import Diffusion, canny


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return [str(folder) for folder in save_diffusion(tmp_path_factory.mktemp("diffusion"))]


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="module")
def model(models):
    return Diffusion(*models, steps=2, guidance=7.5, size=64, device="cpu")


def photograph(seed):
    return np.asarray(picture(seed, 64, 64))


def test_a_function_of_prompt_edges_and_seed(model):
    first = model.draw("a dog", photograph(0), 1)
    assert first.shape == (3, 64, 64)
    assert np.array_equal(first, model.draw("a dog", photograph(0), 1))
    edges = photograph(0).copy()
    edges[16:48, 16:48] = 255
    for other in (
        model.draw("a cat", photograph(0), 1),
        model.draw("a dog", edges, 1),
        model.draw("a dog", photograph(0), 2),
    ):
        assert not np.array_equal(first, other)


def test_a_black_picture_is_an_error(models, monkeypatch):
    broken = Diffusion(*models, steps=1, guidance=1.0, size=64, device="cpu")
    decoder = broken._pipeline.vae.decoder
    monkeypatch.setattr(decoder, "forward", lambda latents, *_: torch.full((len(latents), 3, 64, 64), -1.0))
    with pytest.raises(ValueError, match="one single colour for 'a dog' with seed 3"):
        broken.draw("a dog", photograph(0), 3)


def test_size():
    with pytest.raises(ValueError, match="multiple of 8"):
        Diffusion("x", "y", 2, 7.5, 60)


def test_a_bank_resumes_to_the_same_files(models, tmp_path):
    options = captioned(tmp_path) | {"generator": "diffusion", "classes": 2, "per_class": 2, "size": 64, "steps": 2}
    options |= {"diffusion": models[0], "controlnet": models[1], "device": "cpu"}
    whole = build_bank(tmp_path / "whole", **options)
    with pytest.raises(KeyboardInterrupt):
        build_bank(tmp_path / "out", on_image=killed_after(3), **options)
    build_bank(tmp_path / "out", **options)
    assert contents(tmp_path / "out") == contents(whole.folder)
    assert len({image.sha256 for of_class in whole.classes for image in of_class.pictures}) == 4
    assert whole.options["guidance"] == 7.5

    with pytest.raises(OSError, match="missing"):
        build_bank(tmp_path / "new", **options | {"controlnet": str(tmp_path / "missing")})
    assert not (tmp_path / "new").exists()
    with pytest.raises(ValueError, match="other steps"):
        build_bank(tmp_path / "out", **options | {"steps": 3})


def test_pickled_weights_are_refused(tmp_path):
    model, controlnet = save_diffusion(tmp_path)
    weights = controlnet / "diffusion_pytorch_model.safetensors"
    weights.unlink()
    torch.save({}, weights.with_name("diffusion_pytorch_model.bin"))
    with pytest.raises(OSError, match="safetensors"):
        Diffusion(str(model), str(controlnet), 2, 7.5, 64, "cpu").draw("a dog", photograph(0), 1)


def test_edges_of_a_square():
    picture = np.zeros((40, 40, 3), np.uint8)
    picture[10:30, 10:30] = 255
    edges = canny(picture)
    assert edges.shape == (40, 40)
    assert set(np.unique(edges)) == {0, 255}
    ys, xs = np.nonzero(edges)
    border = np.minimum.reduce([abs(ys - 9.5), abs(ys - 29.5), abs(xs - 9.5), abs(xs - 29.5)])
    assert border.max() <= 1
    assert not canny(np.full((20, 20, 3), 99, np.uint8)).any()
    assert not canny(picture // 8).any()  # fainter than the thresholds
