import io

import numpy as np
import pytest
import torch
from PIL import Image

from samples import picture
from unlearnable.images.jpeg import jpeg


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


def test_gradients_pass_the_rounding():
    photos = unit(picture(1, 32, 32)).requires_grad_()
    direction = torch.randn(photos.shape, generator=torch.Generator().manual_seed(0))
    (gradient,) = torch.autograd.grad((jpeg(photos, torch.tensor([10])) * direction).sum(), photos)
    assert gradient.isfinite().all()
    assert gradient.abs().mean() > 0.01


def unit(photo):
    return torch.from_numpy(np.array(photo)).permute(2, 0, 1)[None].float() / 255
