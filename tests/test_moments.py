"""Attackers by statistics: second moments, the waves' catalogue, power spectra, random interpolation."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import eigh

from sets import labelled, noisy, smooth
from unlearnable.bench.columns import JPEG_SWEEP, columns
from unlearnable.countermeasures import Knowledge, countermeasure_named
from unlearnable.countermeasures.covariance import CovarianceProjection
from unlearnable.countermeasures.orthogonal import OrthogonalProjection
from unlearnable.countermeasures.spectrum import catalogue, mean_power
from unlearnable.images.imageset import LUMA, ImageSet
from unlearnable.semantics.render import FIELDS, STYLES, WEAVES, slowest_wave

CLASSES = 4
WEIGHTS = torch.tensor(LUMA)


def luma(data: ImageSet) -> torch.Tensor:
    return torch.einsum("nchw,c->nhw", data.images.float(), WEIGHTS).flatten(1)


def signs(count: int) -> torch.Tensor:
    """As many plus as minus in every class, so that nothing is left of its mean."""
    return (torch.arange(count) // CLASSES % 2 * 2 - 1).float()


def patterns(side: int) -> torch.Tensor:
    """One in each class, of plus and minus 10."""
    return (noisy(CLASSES, side, side, seed=9)[:, :1] // 128 * 20.0 - 10).flatten(1)


def random_signs(count: int, side: int = 8) -> ImageSet:
    """Noise without content, and a class's pattern turned around in every other picture."""
    noise = 20 * torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(1))
    added = (signs(count)[:, None] * patterns(side)[torch.arange(count) % CLASSES]).view(-1, 1, side, side)
    return labelled((128 + noise + added).round().clamp(0, 255).to(torch.uint8))


def correlation(one: torch.Tensor, other: torch.Tensor) -> float:
    return abs(np.corrcoef(one.flatten().numpy(), other.flatten().numpy())[0, 1])


@pytest.mark.parametrize("count, side", [(400, 8), (400, 24)], ids=["more pictures than pixels", "fewer"])
def test_covariance_finds_a_pattern_of_random_sign_and_a_linear_classifier_does_not(count, side):
    data = random_signs(count, side)
    rows = OrthogonalProjection().regression(data, 0).view(CLASSES, 3, -1).sum(1)
    found = list(CovarianceProjection(directions=1).class_patterns(data))
    for pattern, of_class, row in zip(patterns(side), found, rows, strict=True):
        assert correlation(of_class.patterns[0], pattern) > 0.9
        assert correlation(row, pattern) < 0.3


def test_covariance_takes_the_pattern_away_and_little_else():
    data, pattern = random_signs(400), patterns(8)
    one = pattern / pattern.norm(dim=1, keepdim=True)
    purified = countermeasure_named("covariance:directions=1").purify(data, Knowledge())
    before, after = (((luma(each) - 128) * one[each.labels]).sum(1) for each in (data, purified))
    assert before.square().mean().sqrt() > 75  # eight by eight pixels of plus and minus 10
    assert after.square().mean().sqrt() < 10
    change = purified.images.float() - data.images.float()
    assert (change - change.mean(1, keepdim=True)).abs().max() <= 1  # luma alone, up to rounding
    assert change.square().mean().sqrt() < 12


@pytest.mark.parametrize("count", [60, 200])
def test_the_generalised_eigenvectors_are_those_of_scipy(count):
    data = labelled(noisy(count, 5, 6))
    pictures = luma(data).double().numpy()
    pooled = np.cov(pictures.T, bias=True) + 64 * np.eye(30)
    for label, found in enumerate(CovarianceProjection(directions=3).class_patterns(data)):
        of_class = pictures[data.labels.numpy() == label]
        values, vectors = eigh(np.cov(of_class.T, bias=True), pooled)
        np.testing.assert_allclose(found.values, values[:-4:-1], rtol=1e-3)
        for pattern, amounts, vector in zip(found.patterns, found.amounts.T, vectors.T[:-4:-1], strict=True):
            sign = np.sign(pattern.numpy() @ pooled @ vector)
            np.testing.assert_allclose(pattern, sign * pooled @ vector, atol=0.02)
            np.testing.assert_allclose(amounts, sign * (of_class - pictures.mean(0)) @ vector, atol=0.01)


def test_fewer_pictures_than_pixels_give_what_the_whole_covariance_gives():
    data = labelled(noisy(40, 7, 8))
    pictures = luma(data).double().numpy()
    pooled = np.cov(pictures.T, bias=True) + 64 * np.eye(56)
    for label, found in enumerate(CovarianceProjection(directions=2).class_patterns(data)):
        values, _ = eigh(np.cov(pictures[data.labels.numpy() == label].T, bias=True), pooled)
        np.testing.assert_allclose(found.values, values[:-3:-1], rtol=2e-3)


def counts(data: ImageSet) -> list[int]:
    return [len(found.values) for found in CovarianceProjection().class_patterns(data)]


@pytest.mark.parametrize("count, side", [(400, 8), (400, 24)], ids=["more pictures than pixels", "fewer"])
def test_the_number_of_directions_is_that_of_the_patterns(count, side):
    data = random_signs(count, side)
    assert counts(data) == [1] * CLASSES
    across = (torch.arange(side) % 2 * 30 - 15).expand(side, side)
    second = signs(count)[torch.randperm(count, generator=torch.Generator().manual_seed(5))]
    second = second * (data.labels == 2)  # of one class a second pattern, whose signs are others
    both = (data.images + second[:, None, None, None] * across).round().clamp(0, 255).to(torch.uint8)
    assert counts(ImageSet(both, data.labels, data.classes)) == [1, 1, 2, 1]


@pytest.mark.parametrize("count, side", [(400, 8), (120, 24)])
def test_noise_has_no_patterns_whatever_its_contrast(count, side):
    contrast = torch.tensor([10.0, 20.0, 30.0, 20.0])[torch.arange(count) % CLASSES, None, None, None]
    noise = contrast * torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(4))
    data = labelled((128 + noise).round().clamp(0, 255).to(torch.uint8))
    assert sum(counts(data)) <= 1


def test_no_more_directions_than_a_class_varies_in():
    data = labelled(noisy(12, 5, 6))
    found = CovarianceProjection(directions=8).class_patterns(data)
    assert [len(of_class.values) for of_class in found] == [2] * CLASSES  # of three pictures


def test_covariance_of_a_class_of_one_picture_leaves_it_alone():
    data = labelled(noisy(1, 8, 8).expand(8, -1, -1, -1).contiguous())
    assert torch.equal(countermeasure_named("covariance").purify(data, Knowledge()).images, data.images)


def test_covariance_says_before_what_it_cannot_serve(monkeypatch):
    with pytest.raises(ValueError, match="at least 4 pictures of a, got 3"):
        countermeasure_named("covariance:directions=3").check_serves(labelled(noisy(12)))
    monkeypatch.setattr("unlearnable.countermeasures.covariance.AT_MOST", 11)
    with pytest.raises(ValueError, match="at most 11 pictures or pixels for covariance, got 12"):
        countermeasure_named("covariance").check_serves(labelled(noisy(12)))


@given(
    st.sampled_from([*FIELDS, *WEAVES]),
    st.floats(0, 2 * math.pi),
    st.floats(0, 2 * math.pi),
    st.sampled_from([(32, 32), (64, 64), (40, 56)]),
    st.sampled_from([*STYLES.values()]),
)
def test_nothing_is_left_of_a_wave_at_any_phase(code, right, below, size, style):
    turn = 2 * math.pi / slowest_wave(*size, style)
    down, across = torch.arange(size[0])[:, None] * turn * code[1], torch.arange(size[1]) * turn * code[0]
    wave = 100 * torch.cos(across + right) * torch.cos(down + below)
    images = (128 + wave).round().to(torch.uint8).expand(1, 3, -1, -1).contiguous()
    left = countermeasure_named("notch").purify(labelled(images, 1), Knowledge()).images.float()
    assert left.sub(images.float().mean()).abs().max() < 1.5  # of 100: both roundings


def test_the_catalogue_is_a_small_part_of_a_picture():
    basis = catalogue(32, 32)
    assert basis.shape == (1024, 72)  # 7 %
    torch.testing.assert_close(basis.T @ basis, torch.eye(72), atol=1e-4, rtol=0)
    assert basis.mean(0).abs().max() < 1e-6


def test_notch_leaves_other_waves_and_treats_the_tested_pictures_when_told():
    checks = ((torch.arange(32)[:, None] + torch.arange(32)) % 2 * 100 + 78).to(torch.uint8)
    images = checks.expand(1, 3, -1, -1).contiguous()
    assert torch.equal(countermeasure_named("notch").purify(labelled(images, 1), Knowledge()).images, images)
    data = smooth(2)
    assert torch.equal(countermeasure_named("notch").deploy(data.images), data.images)
    treated = countermeasure_named("notch:test=true")
    assert torch.equal(treated.deploy(data.images), treated.purify(data, Knowledge()).images)
    assert not torch.equal(treated.deploy(data.images), data.images)


@pytest.mark.parametrize("size", [(16, 16), (15, 18)])
def test_spectrum_gives_every_class_the_pooled_power(size):
    noise = 20 * torch.randn(200, 3, *size, generator=torch.Generator().manual_seed(2))
    wave = 20 * torch.cos(2 * math.pi * torch.arange(size[1]) * 3 / size[1])
    noise[::4] += wave * signs(200)[::4, None, None, None]
    data = labelled((128 + noise).round().clamp(0, 255).to(torch.uint8))
    purified = countermeasure_named("spectrum").purify(data, Knowledge())
    pooled = power(data.images)
    before, after = (
        torch.stack([power(each.images[each.labels == label]) / pooled for label in range(4)])[..., 1:]
        for each in (data, purified)
    )
    assert before.max() > 3  # the wave
    assert (after - 1).abs().max() < 0.1  # rounding to 8 bits, and few values clipped
    assert (purified.images.float().mean((2, 3)) - data.images.float().mean((2, 3))).abs().max() < 0.2


def power(images: torch.Tensor) -> torch.Tensor:
    """By NumPy's whole transform, the half that has no mirror image."""
    half = images.shape[-1] // 2 + 1
    return torch.from_numpy((np.abs(np.fft.fft2(images.numpy())) ** 2).mean(0)[..., :half])


def test_mean_power_is_that_of_numpy():
    images = noisy(300, 6, 7)
    torch.testing.assert_close(mean_power(images).double(), power(images), rtol=1e-4, atol=1)


def coined(images: torch.Tensor, alpha: float = 2) -> torch.Tensor:
    torch.manual_seed(3)
    return countermeasure_named(f"coin:alpha={alpha}").augment(images, torch.ones(len(images), 1))[0]


@pytest.mark.parametrize("along", [-1, -2], ids=["across", "down"])
def test_coin_moves_pixels_by_at_most_alpha_and_none_on_average(along):
    images = torch.arange(24.0).expand(40, 3, 24, 24)
    images = images.transpose(-1, along).contiguous()
    moved = coined(images)
    shift = (moved - images).narrow(along, 2, 20)  # in pixels, away from the border
    assert shift.abs().max() <= 2.001
    assert shift.abs().max() > 1.9
    assert abs(shift.mean()) < 0.02
    assert shift.var().item() == pytest.approx(4 / 3, rel=0.03)  # of the uniform distribution
    assert torch.equal(moved[:, 0], moved[:, 1])
    assert not torch.equal(moved[0], moved[1])
    assert not torch.equal(moved[0, 0, 3] - images[0, 0, 3], moved[0, 0, 4] - images[0, 0, 4])  # of each pixel


@pytest.mark.parametrize("alpha", [0.5, 2, 30])
def test_coin_goes_on_at_the_other_side_where_a_picture_ends(alpha):
    images = torch.zeros(50, 3, 9, 11)
    images[..., 0] = 1  # the first column
    moved = coined(images, alpha)
    assert (moved[..., -1] > 0.1).any() and moved.min() >= 0 and moved.max() <= 1
    whole = moved.mean((0, 1, 2))
    if alpha == 0.5:
        torch.testing.assert_close(whole[[10, 1]], torch.full((2,), 1 / 8), atol=0.02, rtol=0)
        assert (whole[2:10] == 0).all()
    if alpha == 30:
        torch.testing.assert_close(whole, torch.full((11,), 1 / 11), atol=0.03, rtol=0)


def test_coin_leaves_a_flat_picture():
    flat = torch.full((4, 3, 9, 9), 0.3)
    torch.testing.assert_close(coined(flat), flat)
    assert countermeasure_named("coin:alpha=0").changes_nothing


def test_the_sweep_of_jpeg():
    assert columns("jpeg_sweep", "quick") == tuple(f"jpeg:quality={quality}" for quality in range(90, 0, -10))
    assert set(JPEG_SWEEP) <= set(columns("all", "paper"))
