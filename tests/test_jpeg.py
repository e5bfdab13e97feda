import io

import numpy as np
import pytest
import torch
from PIL import Image

from samples import picture
from unlearnable.images.jpeg import KEPT, LUMA_TABLE, WORTH, jpeg, lifted


@pytest.mark.parametrize("quality", [1, 10, 30, 50, 75, 90, 100])
@pytest.mark.parametrize("size", [(32, 32), (40, 57)])
def test_it_does_what_pillow_does(quality, size):
    photo = picture(1, *size)
    expected = compressed(photo, quality).astype(float)
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


def test_what_is_lifted_outlives_jpeg_in_the_blocks_of_an_earlier_one():
    earlier = compressed(picture(1, 40, 57).convert("L"), 75).astype(float)
    weak = torch.randn(1, 1, 57, 40, generator=torch.Generator().manual_seed(0)) * 3
    kept = []
    for change in (weak, lifted(weak, 75)):
        added = change[0, 0].numpy()
        published = Image.fromarray((earlier + added).round().clip(0, 255).astype("uint8"))
        left = compressed(published, 75) - earlier
        kept.append((left * added).mean() / np.square(added).mean())
    assert kept[1] > 2 * kept[0]


def test_lifting_leaves_what_is_too_weak_and_passes_gradients():
    nothing, step = torch.zeros(1, 1, 9, 17), LUMA_TABLE[0][0] / 8  # of a block's mean, at quality 50
    assert torch.equal(lifted(nothing, 50), nothing)
    for part, expected in ((WORTH / 2, WORTH / 2), ((WORTH + KEPT) / 2, KEPT), (2 * KEPT, 2 * KEPT)):
        flat = torch.full((1, 1, 8, 8), step * part)
        assert lifted(-flat, 50).mean().item() == pytest.approx(-step * expected, rel=1e-4)
    change = torch.randn(2, 1, 9, 17, requires_grad=True)
    (gradient,) = torch.autograd.grad(lifted(change, 75).sum(), change)
    assert torch.allclose(gradient, torch.ones_like(change), atol=1e-5)


def compressed(photo, quality):
    stream = io.BytesIO()
    photo.save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream).convert(photo.mode))


def unit(photo):
    return torch.from_numpy(np.array(photo)).permute(2, 0, 1)[None].float() / 255
