import pytest
import torch
from torch.nn import functional as F

from sets import labelled, noisy
from unlearnable.protections import protection_named


@pytest.fixture
def data():
    return labelled(noisy(12, 20, 24))


def kernels(spec="cuda", classes=4, seed=0):
    """Read off what becomes of one white pixel."""
    point = torch.zeros(classes, 3, 9, 7, dtype=torch.uint8)
    point[:, :, 4, 3] = 255
    labels = torch.arange(classes)
    filtered = point + protection_named(spec).perturber(classes, seed)(point, labels, labels)
    assert (filtered == filtered[:, :1]).all()  # the same for all colours
    seen = filtered[:, 0, 3:6, 2:5] / 255
    assert torch.allclose(seen.sum((1, 2)) * 3, filtered.sum((1, 2, 3)) / 255)  # and nothing elsewhere
    return seen.flip(1, 2)


def test_the_kernels_are_as_the_authors_draw_them():
    found = kernels(classes=400).flatten(1)
    assert (found.amax(1) == 1).all()
    rest = found[found < 1]
    assert len(rest) == 400 * 8 and rest.min() >= 0 and rest.max() <= 0.3
    assert rest.mean() == pytest.approx(0.15, abs=0.01)
    assert torch.bincount(found.argmax(1), minlength=9).min() > 20  # the one is anywhere
    assert kernels("cuda:blur=0.9", classes=400).flatten(1).kthvalue(8).values.max() > 0.8


def test_published_is_the_convolution_scaled_to_white(data):
    published = protection_named("cuda")(data, seed=0).images.float()
    found = kernels()
    for picture, label, after in zip(data.images, data.labels, published, strict=True):
        expected = F.conv2d(picture[:, None].float(), found[label][None, None], padding=1)[:, 0]
        assert (after - 255 * expected / expected.max()).abs().max() <= 0.51
        assert after.max() == 255


def test_classes_have_different_kernels_and_keep_them():
    few, many = kernels(classes=4), kernels(classes=30)
    assert torch.equal(few, many[:4])
    assert many.flatten(1).unique(dim=0).shape == (30, 9)
    assert not torch.equal(few, kernels(seed=1))


def test_black_stays_black():
    black = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
    zero = torch.zeros(1, dtype=torch.int64)
    assert protection_named("cuda").perturber(1, 0)(black, zero, zero).abs().max() == 0


def test_another_budget_bounds_it(data):
    for budget, largest in (("linf:8", 8), ("linf:255", 255)):
        change = protection_named(f"cuda:budget={budget}")(data).images.int() - data.images.int()
        assert largest // 2 < change.abs().max() <= largest
