import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unlearnable.hider_training.losses import (
    concentration_loss,
    hiding_loss,
    low_frequency_loss,
    revealing_loss,
    surviving_loss,
    waves_in_planes,
)
from unlearnable.hider_training.publication import Publication
from unlearnable.hiding.masking import luma


def test_hiding_loss_is_the_hinge_of_eq_5():
    cover = torch.full((2, 3, 8, 8), 0.5)
    inside, outside = cover + 4 / 255, cover + 16 / 255
    assert hiding_loss(inside, cover, 8.0).item() == pytest.approx((8 / 255) ** 2)
    assert hiding_loss(outside, cover, 8.0).item() == pytest.approx((16 / 255) ** 2)
    mixed = torch.stack([inside[0], outside[0]])
    assert hiding_loss(mixed, cover, 8.0).item() == pytest.approx(((8 / 255) ** 2 + (16 / 255) ** 2) / 2)
    stego = inside.clone().requires_grad_()
    hiding_loss(stego, cover, 8.0).backward()
    assert stego.grad is not None
    assert not stego.grad.any()


def test_low_frequency_loss_sees_means_and_not_checkerboards():
    cover = torch.rand(1, 3, 8, 8)
    checkerboard = (torch.arange(8)[:, None] + torch.arange(8)) % 2 * 0.2 - 0.1
    assert low_frequency_loss(cover + checkerboard, cover).item() == pytest.approx(0, abs=1e-10)
    assert low_frequency_loss(cover + 0.1, cover).item() == pytest.approx(0.2**2, rel=1e-4)


@given(labels=st.lists(st.integers(0, 4), min_size=1, max_size=12), seed=st.integers(0, 9))
def test_concentration_is_eq_7_pair_by_pair(labels, seed):
    features = torch.randn(len(labels), 7, generator=torch.Generator().manual_seed(seed))
    pairs = [(i, j) for i, a in enumerate(labels) for j, b in enumerate(labels) if a == b and i != j]
    distances = [1 - torch.cosine_similarity(features[i], features[j], dim=0).item() for i, j in pairs]
    assert concentration_loss(features, torch.tensor(labels)).item() == pytest.approx(sum(distances), abs=1e-4)


def test_concentration_pulls_a_class_together():
    labels = torch.tensor([0, 0, 1, 1])
    features = torch.randn(4, 5, generator=torch.Generator().manual_seed(0)).requires_grad_()
    loss = concentration_loss(features, labels)
    (gradient,) = torch.autograd.grad(loss, features)
    assert concentration_loss(features - 0.1 * gradient, labels) < loss
    assert concentration_loss(features[[0, 0, 2, 2]], labels).item() == pytest.approx(0, abs=1e-5)


def test_concentration_scatters_nothing():
    """What scatters adds up in any order on CUDA, and so with other digits at every repetition."""
    features = torch.randn(6, 5, generator=torch.Generator().manual_seed(0)).requires_grad_()
    torch.use_deterministic_algorithms(True)
    try:
        loss = concentration_loss(features, torch.tensor([3, 1, 3, 0, 1, 3]))
        loss.backward()
    finally:
        torch.use_deterministic_algorithms(False)
    assert features.grad.isfinite().all()
    waiting, steps = [loss.grad_fn], set()
    while waiting:
        step = waiting.pop()
        steps.add(step.name())
        waiting += [before for before, _ in step.next_functions if before]
    assert not any(word in name for name in steps for word in ("Index", "Scatter", "Gather"))


def test_surviving_asks_for_the_secret_at_the_size_of_the_budget():
    secret = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    shape = secret - secret.mean((2, 3), keepdim=True)
    shape = shape / shape.square().mean((1, 2, 3), keepdim=True).sqrt() * 8 / 255
    assert surviving_loss(shape, secret, 8.0).item() == pytest.approx(0, abs=1e-5)
    assert surviving_loss(shape / 2, secret, 8.0).item() == pytest.approx(0.5, abs=1e-5)
    assert surviving_loss(shape.flip(0).flip(-1), secret, 8.0).item() > 0.8
    assert surviving_loss(torch.zeros_like(shape), torch.zeros_like(secret), 8.0).item() == 1


def test_in_planes_the_waves_of_a_secret_survive_in_its_colours_and_its_long_shades_do_not_count():
    generator = torch.Generator().manual_seed(0)
    waves = torch.rand(1, 1, 64, 64, generator=generator).expand(-1, 3, -1, -1)
    shade = torch.linspace(-1, 1, 64)[:, None]
    wanted = waves_in_planes(waves, 9)
    torch.testing.assert_close(waves_in_planes(waves + shade, 9)[..., 8:-8, :], wanted[..., 8:-8, :], atol=1e-5, rtol=0)
    change = wanted / wanted.square().mean().sqrt() * 8 / 255
    change = change - change.mean((2, 3), keepdim=True)
    assert surviving_loss(change, wanted, 8.0).item() == pytest.approx(0, abs=1e-2)
    assert luma(change).square().mean() < 0.5 * change.square().mean()  # at 64 px yellow and blue lead


def test_larger_pictures_are_published_with_less_down_to_the_weakest():
    generator = torch.Generator().manual_seed(0)
    publish = Publication(8.0, enlarge=0.0, grey=0.0, weakest=0.35)
    for side, least in ((32, 1.0), (224, 0.35)):
        cover = torch.full((1, 3, side, side), 0.5)
        stego = cover + 8 / 255 * (2 * torch.randint(0, 2, cover.shape, generator=generator) - 1)
        sizes = [(publish(stego, cover, generator) - cover).square().mean().sqrt().item() * 255 for _ in range(30)]
        assert 8 * least - 0.5 <= min(sizes) <= max(sizes) <= 8.05
        assert side == 32 or min(sizes) < 4


def test_revealing_loss():
    assert revealing_loss(torch.ones(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)).item() == 1


@pytest.mark.parametrize(
    "publication", [Publication(enlarge=0.0, grey=0.0), Publication(enlarge=1.0), Publication(grey=1.0)]
)
def test_publishing_keeps_budget_and_range_and_passes_gradients(publication):
    generator = torch.Generator().manual_seed(0)
    cover = torch.rand(2, 3, 16, 16)
    stego = (cover + 0.2 * torch.randn(2, 3, 16, 16)).requires_grad_()
    published = publication(stego, cover, generator)
    grey_levels = published.detach() * 255
    torch.testing.assert_close(grey_levels, grey_levels.round(), atol=1e-3, rtol=0)
    assert 0 <= published.min() <= published.max() <= 1
    assert (published.detach() - cover).square().mean().sqrt() * 255 < 8.1
    published.sum().backward()
    assert stego.grad is not None
    assert stego.grad.isfinite().all()


def test_publishing_the_cover_itself_has_finite_gradients():
    """At initialisation nothing is hidden; the RMS of zero must not make the gradient infinite."""
    cover = torch.rand(1, 3, 8, 8)
    stego = cover.clone().requires_grad_()
    Publication()(stego, cover, torch.Generator().manual_seed(0)).square().sum().backward()
    assert stego.grad is not None
    assert stego.grad.isfinite().all()
