import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F
from torchvision.transforms import v2

from sets import batch, labelled, linear, noisy
from unlearnable.countermeasures import Countermeasure, countermeasure_named
from unlearnable.countermeasures.ueraser import UEraser


def augmented(spec: str, images: torch.Tensor, targets: torch.Tensor | None = None, seed: int = 0):
    torch.manual_seed(seed)
    targets = torch.ones(len(images), 1) if targets is None else targets
    return countermeasure_named(spec).augment(images, targets)


def holes(count: int, height: int, width: int, spec: str = "cutout") -> torch.Tensor:
    """Where white pictures turn black."""
    images, _ = augmented(spec, torch.ones(count, 3, height, width))
    assert set(images.unique().tolist()) <= {0.0, 1.0}
    assert torch.equal(images[:, 0], images[:, 1]) and torch.equal(images[:, 0], images[:, 2])
    return images[:, 0] == 0


def spans(side: int, length: int) -> list[torch.Tensor]:
    """Which of ``side`` positions are covered, for every centre."""
    return [
        torch.tensor([centre - length // 2 <= place < centre - length // 2 + length for place in range(side)])
        for centre in range(side)
    ]


def test_cutout_is_a_square_around_some_pixel():
    possible = {tuple((row[:, None] & column).flatten().tolist()) for row in spans(12, 6) for column in spans(12, 6)}
    found = {tuple(hole.flatten().tolist()) for hole in holes(3000, 12, 12)}
    assert found == possible  # 144 centres, each drawn about 20 times


def test_cutout_covers_pixels_as_often_as_it_should():
    covered = holes(2000, 32, 32)
    of_row = torch.stack(spans(32, 16)).float().mean(0)
    expected = of_row[:, None] * of_row
    assert (covered.float().mean(0) - expected).abs().max() < 0.06  # five standard deviations
    areas = covered.flatten(1).sum(1)
    assert areas.max() == 256 and areas.min() == 64  # it may overhang, by half at most
    assert ((areas == 256).float().mean() - (17 / 32) ** 2).abs() < 0.06


@settings(max_examples=20)
@given(st.integers(1, 20), st.integers(1, 20), st.sampled_from([0.0, 0.25, 0.5, 1.0]))
def test_cutout_of_any_size(height, width, length):
    for hole in holes(4, height, width, f"cutout:length={length}"):
        rows, columns = hole.any(1), hole.any(0)
        assert torch.equal(hole, rows[:, None] & columns)
        assert rows.sum() <= round(height * length) and columns.sum() <= round(width * length)


def test_cutout_keeps_the_rest():
    images, targets = batch(labelled(noisy()))
    cut, same = augmented("cutout", images, targets)
    assert torch.equal(same, targets)
    assert torch.equal(cut[cut != 0], images[cut != 0])


@pytest.mark.parametrize("name", ["cutmix", "mixup"])
def test_mixed_targets_are_the_shares_of_the_pictures(name):
    values = torch.linspace(0, 1, 8)
    images = values[:, None, None, None].expand(-1, 3, 16, 20).contiguous()
    shares = []
    for seed in range(10):
        mixed, targets = augmented(name, images, torch.eye(8), seed)
        torch.testing.assert_close(mixed.mean((1, 2, 3)), targets @ values)
        assert ((targets > 0).sum(1) <= 2).all()
        if name == "cutmix":
            assert set(mixed.unique().tolist()) <= set(values.tolist())
            own = (mixed == images).float().mean((1, 2, 3))
            torch.testing.assert_close(own, targets.diagonal())
        else:
            assert (mixed - mixed[:, :1, :1, :1]).abs().max() == 0
        shares.append(targets[0, 0].item())
    assert len(set(shares)) > 5 and min(shares) < 0.5 and max(shares) > 0.6


@pytest.mark.parametrize("name", ["cutmix", "mixup"])
def test_nothing_to_mix(name):
    images = torch.rand(1, 3, 8, 8)
    assert torch.equal(augmented(name, images, torch.eye(4)[:1])[0], images)
    assert torch.equal(augmented(name, images.repeat(3, 1, 1, 1))[0], images.repeat(3, 1, 1, 1))


@pytest.mark.parametrize("sigma", [0.05, 0.1])
def test_gaussn(sigma):
    grey = torch.full((4, 3, 64, 64), 0.5)
    noise = augmented(f"gaussn:sigma={sigma}", grey)[0] - grey
    assert noise.std() == pytest.approx(sigma, rel=0.02)
    assert noise.mean() == pytest.approx(0, abs=0.003)
    assert (noise[0] - noise[1]).std() == pytest.approx(sigma * 2**0.5, rel=0.03)  # to every picture its own
    black = augmented(f"gaussn:sigma={sigma}", torch.zeros(4, 3, 64, 64))[0]
    assert black.min() == 0 and (black == 0).float().mean() == pytest.approx(0.5, abs=0.02)


def test_gaussn_is_fresh_at_every_step():
    images, targets = batch(labelled(noisy()))
    gaussn = countermeasure_named("gaussn")
    assert not torch.equal(gaussn.augment(images, targets)[0], gaussn.augment(images, targets)[0])


@pytest.mark.parametrize("operations, magnitude", [(2, 9), (1, 20)])
def test_randaugment_is_torchvisions(operations, magnitude):
    pictures = noisy()
    images, _ = augmented(f"randaugment:operations={operations},magnitude={magnitude}", pictures.float() / 255)
    torch.manual_seed(0)
    transform = v2.RandAugment(operations, magnitude)
    assert torch.equal((images * 255).round().to(torch.uint8), torch.stack([transform(one) for one in pictures]))
    assert not torch.equal(images, pictures.float() / 255)


def test_ueraser_trains_on_the_hardest_draw_of_each_picture(monkeypatch):
    images, targets = batch(labelled(noisy()))
    draws = iter(torch.rand(5, *images.shape).unbind())
    kept = []

    def drawn(self, pictures):
        assert torch.equal(pictures, images)
        kept.append(next(draws))
        return kept[-1]

    monkeypatch.setattr(UEraser, "drawn", drawn)
    model = linear(images[0].numel(), 4)
    loss, logits = countermeasure_named("ueraser:repeats=5").loss(model, images, targets, 0.0)
    losses = torch.stack([F.cross_entropy(model(draw), targets, reduction="none") for draw in kept])
    assert len(kept) == 5
    torch.testing.assert_close(loss, losses.max(0).values.mean())
    torch.testing.assert_close(logits, torch.stack([model(kept[d])[i] for i, d in enumerate(losses.argmax(0))]))
    assert len(losses.argmax(0).unique()) > 1


def test_ueraser_lite_trains_on_its_only_draw(monkeypatch):
    images, targets = batch(labelled(noisy()))
    monkeypatch.setattr(UEraser, "drawn", lambda self, pictures: pictures.flip(3))
    model = linear(images[0].numel(), 4)
    loss, _ = countermeasure_named("ueraser:repeats=1").loss(model, images, targets, 0.1)
    torch.testing.assert_close(loss, Countermeasure().loss(model, images.flip(3), targets, 0.1)[0])


def test_ueraser_draws_for_every_picture():
    images = (noisy(1).float() / 255).repeat(6, 1, 1, 1)
    torch.manual_seed(0)
    drawn = countermeasure_named("ueraser").drawn(images)
    assert drawn.shape == images.shape and drawn.min() >= 0 and drawn.max() <= 1
    assert len(drawn.flatten(1).unique(dim=0)) == 6


def test_ueraser_does_the_first_three_with_a_probability(monkeypatch):
    monkeypatch.setattr("unlearnable.countermeasures.ueraser.each_picture", lambda transform, images: images)
    images = noisy(40).float() / 255
    torch.manual_seed(0)
    assert torch.equal(countermeasure_named("ueraser:probability=0").drawn(images), images)
    kept = (countermeasure_named("ueraser").drawn(images) == images).flatten(1).all(1)
    assert 0 < kept.sum() < 16  # an eighth, beside a shuffle that leaves the channels where they are
    assert not (countermeasure_named("ueraser:probability=1").drawn(images) == images).flatten(1).all(1).any()
