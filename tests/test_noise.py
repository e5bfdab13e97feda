import pytest
import torch

from sets import labelled, noisy
from unlearnable.protections import protection_named


@pytest.fixture
def data():
    return labelled((noisy(12, 20, 24) // 2 + 64).to(torch.uint8))  # no clipping at black or white


def changes(data, spec, seed=0):
    return protection_named(spec)(data, seed).images.int() - data.images.int()


def test_the_whole_budget_is_used(data):
    for radius in (2, 8, 16):
        rms = changes(data, f"noise:budget=rms:{radius}").float().square().mean((1, 2, 3)).sqrt()
        assert (rms <= radius).all() and (rms > 0.98 * radius).all()
    linf = changes(data, "noise:budget=linf:8").abs().amax((1, 2, 3))
    assert (linf == 8).all()


def test_pixels_say_nothing_about_grey_levels(data):
    native, few = (protection_named(spec).perturb(data, 0) for spec in ("noise", "noise:budget=l0:3"))
    assert torch.equal(native, few)


def test_one_noise_a_class_or_one_a_picture(data):
    of_class, of_sample = (changes(data, f"noise:per={per}").float() for per in ("class", "sample"))
    correlation = torch.corrcoef(of_class.flatten(1))
    same = data.labels[:, None] == data.labels
    assert correlation[same].min() > 0.99 and correlation[~same].abs().max() < 0.15
    apart = torch.corrcoef(of_sample.flatten(1)) - torch.eye(len(data))
    assert apart.abs().max() < 0.15


def test_white(data):
    noise = changes(data, "noise:per=sample").float()
    assert noise.mean().abs() < 0.5
    assert (noise[..., 1:] * noise[..., :-1]).mean() / noise.square().mean() < 0.05
