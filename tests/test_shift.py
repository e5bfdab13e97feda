import pytest
import torch
from torch.nn import functional as F

from unlearnable.protections.sign_steps import jittered, moved


@pytest.fixture
def pictures():
    return torch.rand(4, 3, 9, 13, generator=torch.Generator().manual_seed(0))


def still(count: int) -> torch.Tensor:
    return torch.zeros(count, dtype=torch.bool)


def test_whole_pixels_are_moved_exactly(pictures):
    offsets = torch.tensor([[0.0, 0], [2, 0], [0, -3], [-1, 4]])
    after = moved(pictures, offsets, still(4))
    assert torch.equal(after[0], pictures[0])
    assert torch.equal(after[1, :, 2:], pictures[1, :, :-2]) and not after[1, :, :2].any()
    assert torch.equal(after[2, :, :, :-3], pictures[2, :, :, 3:]) and not after[2, :, :, -3:].any()
    assert torch.equal(after[3, :, :-1, 4:], pictures[3, :, 1:, :-4])


def test_mirrored_where_told_and_before_the_move(pictures):
    offsets = torch.tensor([[0.0, 0], [0, 0], [0, 1], [0, 1]])
    after = moved(pictures, offsets, torch.tensor([True, False, True, False]))
    assert torch.equal(after[0], pictures[0].flip(2))
    assert torch.equal(after[1], pictures[1])
    assert torch.equal(after[2, :, :, 1:], pictures[2].flip(2)[:, :, :-1])
    assert torch.equal(after[3, :, :, 1:], pictures[3, :, :, :-1])


def test_parts_of_a_pixel_are_bilinear(pictures):
    offsets = torch.tensor([[0.5, 0], [-1.25, 2.75], [3.4, -0.1], [0.01, -4]])
    affine = torch.eye(2, 3).repeat(4, 1, 1)
    affine[:, :, 2] = -2 * offsets.flip(1) / torch.tensor([13, 9])
    grid = F.affine_grid(affine, list(pictures.shape), align_corners=False)
    expected = F.grid_sample(pictures, grid, padding_mode="zeros", align_corners=False)
    torch.testing.assert_close(moved(pictures, offsets, still(4)), expected, atol=1e-5, rtol=1e-5)


def test_differentiable(pictures):
    images = pictures.double()[:2, :, :4, :5].requires_grad_()
    offsets = torch.tensor([[0.3, -1.2], [2.0, 0.5]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: moved(x, offsets, torch.tensor([False, True])), images)


def test_draws_reach_an_eighth_of_the_side_both_ways():
    dots = torch.zeros(400, 3, 16, 32)
    dots[:, :, 8, 16] = 1
    torch.manual_seed(0)
    after = jittered(dots)[:, 0]
    down = (after.sum(2) * torch.arange(16)).sum(1) - 8
    right = (after.sum(1) * torch.arange(32)).sum(1) - 16
    assert 1.8 < down.max() <= 2 and -2 <= down.min() < -1.8
    assert 3.8 < right.max() <= 4 and -5 <= right.min() < -4.8  # mirrored, the dot is at 15
    assert len(right.unique()) > 390
