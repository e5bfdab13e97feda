import numpy as np
import pytest

from unlearnable.images.budget import Budget
from unlearnable.images.quality import Quality, measure, ssim


def slow_ssim(x, y):
    """Wang et al. 2004 by its formula, one window at a time, in one colour."""
    offsets = np.arange(11) - 5
    line = np.exp(-(offsets**2) / 4.5)
    window = np.outer(line, line) / line.sum() ** 2
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    scores = []
    for top in range(x.shape[0] - 10):
        for left in range(x.shape[1] - 10):
            a, b = (v[top : top + 11, left : left + 11].astype(float) for v in (x, y))
            mean_a, mean_b = (window * a).sum(), (window * b).sum()
            var_a, var_b = (window * (a - mean_a) ** 2).sum(), (window * (b - mean_b) ** 2).sum()
            covariance = (window * (a - mean_a) * (b - mean_b)).sum()
            scores.append(
                (2 * mean_a * mean_b + c1)
                * (2 * covariance + c2)
                / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
            )
    return np.mean(scores)


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    original = rng.integers(0, 256, (20, 24, 3), dtype=np.uint8)
    return original, np.clip(original + rng.normal(0, 8, original.shape), 0, 255).astype(np.uint8)


def test_ssim_by_its_formula(pair):
    expected = np.mean([slow_ssim(pair[0][..., colour], pair[1][..., colour]) for colour in range(3)])
    assert ssim(*pair) == pytest.approx(expected, abs=1e-9)
    assert ssim(pair[0], pair[0]) == pytest.approx(1)


def test_large_pictures_are_averaged_first_and_tiny_ones_have_smaller_windows():
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (256, 260, 1), dtype=np.uint8)
    other = np.clip(small + rng.normal(0, 8, small.shape), 0, 255).astype(np.uint8)
    large, large_other = (np.kron(picture, np.ones((3, 3, 1), np.uint8)) for picture in (small, other))
    assert ssim(large, large_other) == pytest.approx(ssim(small, other))
    assert 0 < ssim(small[:3, :5], other[:3, :5]) < 1


def test_ssim_in_bands_is_the_same(pair, monkeypatch):
    whole = ssim(*pair)
    assert ssim(*(picture.swapaxes(0, 1) for picture in pair)) == pytest.approx(whole)
    monkeypatch.setattr("unlearnable.images.quality.BAND_ROWS", 3)
    assert ssim(*pair) == pytest.approx(whole)


def test_measures(pair):
    gap = pair[1].astype(float) - pair[0]
    quality = measure(*pair)
    assert quality.linf == np.abs(gap).max()
    assert quality.rms == pytest.approx(np.sqrt((gap**2).mean()), abs=1e-4)
    assert quality.psnr == pytest.approx(10 * np.log10(255**2 / (gap**2).mean()), abs=1e-3)
    assert measure(pair[0], pair[0]).psnr is None


@pytest.mark.parametrize(("budget", "outside"), [("rms:4.60076", False), ("rms:4.6007", True), ("rms:4.6008", False)])
def test_a_rounded_rms_exceeds_no_radius_that_it_is_rounded_from(budget, outside):
    quality = Quality(linf=9, rms=round(4.600759, 4), psnr=34.9, ssim=0.98, l0=3)
    assert quality.exceeds(Budget.parse(budget)) == outside


@pytest.mark.parametrize(("budget", "outside"), [("linf:9", False), ("linf:8", True), ("l0:3", False), ("l0:2", True)])
def test_counts_exceed_a_radius_as_they_are(budget, outside):
    assert Quality(linf=9, rms=4.6, psnr=34.9, ssim=0.98, l0=3).exceeds(Budget.parse(budget)) == outside
