import io

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from samples import picture
from unlearnable.images.jpeg import jpeg, last_quality


@pytest.mark.parametrize("quality", [1, 10, 30, 50, 75, 90, 100])
@pytest.mark.parametrize("size", [(32, 32), (40, 57)])
def test_it_does_what_pillow_does(quality, size):
    photo = picture(1, *size)
    stream = io.BytesIO()
    photo.save(stream, "JPEG", quality=quality)
    expected = np.asarray(Image.open(stream).convert("RGB")).astype(float)
    ours = jpeg(unit(photo), torch.tensor([quality]))[0].permute(1, 2, 0).numpy() * 255
    assert np.abs(ours - expected).mean() < 2.5
    if quality <= 50:
        assert np.abs(expected - np.asarray(photo)).mean() > 2 * np.abs(ours - expected).mean()


def test_every_picture_has_its_own_quality():
    photos = unit(picture(1, 32, 32)).repeat(2, 1, 1, 1)
    low, high = jpeg(photos, torch.tensor([10, 95]))
    assert torch.equal(low, jpeg(photos[:1], torch.tensor([10]))[0])
    assert (low - photos[0]).abs().mean() > 2 * (high - photos[0]).abs().mean()


@given(st.integers(30, 92), st.integers(0, 20), st.integers(64, 100), st.integers(64, 100))
def test_a_picture_shows_the_quality_of_the_jpeg_that_it_came_out_of(quality, seed, height, width):
    stream = io.BytesIO()
    picture(seed, height, width).save(stream, "JPEG", quality=quality)
    with Image.open(stream) as opened:
        photo = unit(opened.convert("RGB"))
    assert last_quality(photo).tolist() == [pytest.approx(quality, abs=2)]  # whose tables have most steps in common


def test_compressed_again_at_that_quality_a_small_change_is_gone():
    grey = unit(picture(1, 64, 64)).mean(1, keepdim=True).expand(-1, 3, -1, -1)
    photo = jpeg(grey, torch.tensor([75]))
    change = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0)) / 255

    def left(quality):
        after, before = (jpeg(some, torch.tensor([quality])) for some in (photo + change, photo))
        return (after - before).square().mean()

    assert all(left(75) < left(other) / 4 for other in (60, 70, 80, 90))


@pytest.mark.parametrize("size", [(1, 1), (7, 64), (64, 64), (101, 99)])
def test_a_picture_that_was_never_compressed_shows_no_quality(size):
    photos = torch.stack([unit(picture(seed, *size))[0] for seed in range(3)])
    assert last_quality(photos).tolist() == [0, 0, 0]


def test_gradients_pass_the_rounding():
    photos = unit(picture(1, 32, 32)).requires_grad_()
    direction = torch.randn(photos.shape, generator=torch.Generator().manual_seed(0))
    (gradient,) = torch.autograd.grad((jpeg(photos, torch.tensor([10])) * direction).sum(), photos)
    assert gradient.isfinite().all()
    assert gradient.abs().mean() > 0.01


def unit(photo):
    return torch.from_numpy(np.array(photo)).permute(2, 0, 1)[None].float() / 255
