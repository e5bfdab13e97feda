"""SSIMULACRA2 in torch, held to the package that everybody has."""

import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_sample_image
from ssimulacra2 import compute_ssimulacra2

from unlearnable.images.ssimulacra2 import Ssimulacra2


def planes(*pictures: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255


def by_package(before: np.ndarray, after: np.ndarray) -> float:
    files = [io.BytesIO(), io.BytesIO()]
    for file, pixels in zip(files, (before, after), strict=True):
        Image.fromarray(pixels).save(file, "BMP")
        file.seek(0)
    return float(compute_ssimulacra2(*files))


def changed(kind: str, pixels: np.ndarray) -> np.ndarray:
    rng, rows = np.random.default_rng(0), np.arange(len(pixels))[:, None, None]
    change = {
        "noise": rng.normal(0, 6, pixels.shape),
        "waves": 10 * np.sin(rows * 0.4) * np.ones(pixels.shape),
        "blue": 20 * np.sin(rows * 0.4) * [0, 0, 1.0] * np.ones(pixels.shape),
        "lighter": np.full(pixels.shape, 12.0),
    }[kind]
    return (pixels + change).round().clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("kind", ["noise", "waves", "blue", "lighter"])
@pytest.mark.parametrize("shape", [(256, 256), (230, 301), (64, 90), (8, 11)])
def test_it_scores_as_the_package_does(kind, shape):
    pixels = np.ascontiguousarray(load_sample_image("china.jpg")[60 : 60 + shape[0], 200 : 200 + shape[1]])
    published = changed(kind, pixels)
    (score,) = Ssimulacra2(planes(pixels))(planes(published)).tolist()
    assert score == pytest.approx(by_package(pixels, published), abs=0.1)


def test_a_batch_scores_as_its_pictures_do_alone():
    pixels = np.ascontiguousarray(load_sample_image("flower.jpg")[100:356, 200:456])
    copies = [changed(kind, pixels) for kind in ("noise", "waves", "blue")]
    together = Ssimulacra2(planes(pixels, pixels, pixels))(planes(*copies))
    alone = [float(Ssimulacra2(planes(pixels))(planes(copy))) for copy in copies]
    assert together.tolist() == pytest.approx(alone, abs=1e-3)


@settings(max_examples=10)
@given(strength=st.floats(0.002, 0.1), seed=st.integers(0, 100))
def test_its_gradient_is_the_slope(strength, seed):
    generator = torch.Generator().manual_seed(seed)
    original = torch.rand((1, 3, 32, 32), generator=generator, dtype=torch.float64)
    change = strength * torch.randn(original.shape, generator=generator, dtype=torch.float64)
    measure, published = Ssimulacra2(original), (original + change).clamp(0.05, 1).requires_grad_()
    measure(published).sum().backward()
    gradient, step = published.grad, 1e-7
    assert gradient is not None
    way = gradient / gradient.norm()
    ahead, behind = (float(measure((published + sign * step * way).detach())) for sign in (1, -1))
    assert (ahead - behind) / (2 * step) == pytest.approx(float(gradient.norm()), rel=0.02)


def test_where_nothing_differs_the_score_is_full_and_the_gradient_finite():
    original = torch.rand((1, 3, 64, 64), generator=torch.Generator().manual_seed(0))
    published = original.clone().requires_grad_()
    score = Ssimulacra2(original)(published)
    score.sum().backward()
    assert score.item() == pytest.approx(100, abs=0.05)
    assert published.grad is not None and published.grad.isfinite().all()


def test_who_scored_without_gradients_first_can_ask_for_them_later():
    original = torch.rand((1, 3, 37, 41), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        Ssimulacra2(original)(original)
    published = (original * 0.9).requires_grad_()
    Ssimulacra2(original)(published).sum().backward()
    assert published.grad is not None and published.grad.abs().sum() > 0
