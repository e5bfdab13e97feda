import pytest
import torch

from unlearnable.hiding.masking import FULL, LARGEST, PLANES, SMALL, activity, coloured, luma, masked
from unlearnable.hiding.network import Hider
from unlearnable.images.imageset import LUMA


def test_a_busy_half_takes_most():
    def shares(side):
        cover = torch.full((1, 3, side, side), 0.5)
        cover[..., side // 2 :] += 0.3 * torch.rand(1, 3, side, side // 2, generator=torch.Generator().manual_seed(0))
        weights = activity(cover)
        assert weights.shape == (1, 1, side, side)
        assert weights.min() > 0 and weights.max() <= LARGEST
        return weights[..., side * 3 // 4 :].mean() / weights[..., : side // 4].mean()

    assert shares(224) > 5
    assert 1 < shares(32) < 2  # small pictures are hardly masked


def test_what_is_masked_has_no_colour_cast():
    cover, change = torch.rand(2, 2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    weighted = activity(cover) * change
    torch.testing.assert_close(masked(change, cover), weighted - weighted.mean((2, 3), keepdim=True))
    assert masked(change + 5, cover).mean((2, 3)).abs().max() < 1e-5


def test_an_even_picture_is_changed_evenly():
    weights = activity(torch.rand(2, 1, 1, 1).expand(2, 3, 24, 24))
    torch.testing.assert_close(weights, torch.ones(2, 1, 24, 24), atol=0.05, rtol=0)


def test_gradients_are_finite_on_flat_pictures():
    cover = torch.full((1, 3, 16, 16), 0.5, requires_grad=True)
    (gradient,) = torch.autograd.grad(activity(cover).square().sum(), cover)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("mask", [False, True])
def test_a_hider_that_masks_says_so_in_its_config(mask, tmp_path):
    hider = Hider(2, 4, mask=mask)
    torch.nn.init.normal_(hider.blocks[-1].phi.convs[4].weight, std=0.1)
    hider.save(tmp_path)
    loaded = Hider.load(tmp_path)
    cover, secret = torch.rand(2, 1, 3, 16, 16)
    change = loaded.perturbation(cover, secret)
    assert torch.equal(loaded.hide(cover, secret), cover + change)
    plain = Hider(2, 4)
    plain.load_state_dict(hider.state_dict())
    expected = plain.perturbation(cover, secret)
    torch.testing.assert_close(change, masked(expected, cover) if mask else expected)


def test_the_planes_are_equally_strong_and_light_has_the_most_luma_and_colour_none():
    planes = torch.tensor(PLANES)
    torch.testing.assert_close(planes.square().mean(1), torch.ones(3), atol=2e-3, rtol=0)
    assert luma(planes[1:, :, None, None]).abs().max() < 2e-3
    torch.testing.assert_close(
        planes[0] / planes[0].norm(), torch.nn.functional.normalize(torch.tensor(LUMA), dim=0), atol=1e-3, rtol=0
    )


@pytest.mark.parametrize("side", [16, SMALL, 64, FULL, 512])
def test_light_leads_on_small_pictures_and_colour_on_large_ones(side):
    def strength(plane):
        planes = torch.zeros(1, 3, side, side)
        planes[:, plane] = 1
        return coloured(planes).square().mean().sqrt().item()

    light, yellow_blue, red_green = (strength(plane) for plane in range(3))
    assert light == pytest.approx(min(1, SMALL / side), abs=2e-3)
    assert (light > yellow_blue) == (side <= SMALL)
    assert red_green == pytest.approx(0.2, abs=1e-3)


def test_a_hider_of_planes_changes_large_pictures_in_colour(tmp_path):
    from samples import random_hider

    hider = random_hider(planes=True, mask=True, drawings=3)
    cover, secret = torch.rand(2, 1, 3, FULL, FULL, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        change = hider.perturbation(cover, secret)
    assert luma(change).square().mean() < 0.3 * change.square().mean()
    hider.save(tmp_path)
    again = Hider.load(tmp_path)
    assert (again.planes, again.drawings) == (True, 3)
