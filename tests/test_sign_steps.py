"""What TAP and EntF share: on both of them where that matters, else on made-up objectives."""

import pytest
import torch
from torch.nn import functional as F

from resuming import resumed
from sets import labelled, noisy
from unlearnable.compute.devices import DivergedError
from unlearnable.datasets import load
from unlearnable.protections import protection_named, sign_steps
from unlearnable.protections.optimised import run
from unlearnable.protections.sign_steps import SignSteps, jittered, moved
from unlearnable.protections.surrogate import Surrogate
from unlearnable.training.countermeasure import Vanilla
from unlearnable.training.pgd import PGD
from unlearnable.training.recipes import recipe_named

TINY = "surrogate=resnet9:width=2,recipe=quick:epochs=3"
TAP = f"tap:{TINY},passes=3,restarts=2"  # nine steps
PUSH, PULL = (f"entf:{TINY},passes=3,goal={goal}" for goal in ("push", "pull"))  # six
ALL = [TAP, PUSH, PULL]


@pytest.fixture(scope="module")
def toy():
    return load("toy:count=12,size=8")


def made(data, objective, kind=SignSteps, **settings) -> SignSteps:
    """Steps against a surrogate of one epoch's training."""
    torch.manual_seed(0)
    recipe = recipe_named("quick:epochs=1")
    surrogate = Surrogate.of("resnet9:width=2", recipe, data)
    numbers = {"walk": PGD(8, 1, 1), "passes": 2, "restarts": 1} | settings
    return kind(data, surrogate, recipe, Vanilla(), objective, **numbers)


@pytest.mark.parametrize(
    "spec, killed_at",
    [
        (TAP, 2),  # in the training
        (TAP, 5),  # in the passes
        (TAP, 7),  # between two restarts
        (TAP, 8),  # in the second one
        (PUSH, 3),
        (PUSH, 6),
        (PULL, 5),
    ],
)
def test_resumed_as_if_never_killed(spec, killed_at, toy, tmp_path):
    protection = protection_named(spec)
    change = resumed(protection, toy, tmp_path / "state", killed_at, seed=1)
    assert torch.equal(change, protection.optimised(toy, 1))


@pytest.mark.parametrize("spec", ALL)
def test_inside_the_ball(spec):
    data = labelled(noisy(6, 8, 8), 2)
    assert protection_named(f"{spec},step=1").optimised(data, 0).abs().max() == pytest.approx(8)


@pytest.mark.parametrize("spec", ALL)
@pytest.mark.parametrize("budget, radius", [("rms:3", 3), ("linf:3", 3), ("l0:3", 8)])
def test_the_radius_is_the_budget_s_in_grey_levels(spec, budget, radius, toy):
    steps = protection_named(f"{spec},budget={budget}").optimisation(toy, 0)
    assert steps.walk == PGD(radius, 0.05 * radius, 1)


@pytest.mark.parametrize("spec", ALL)
def test_one_class_is_too_few(spec, toy):
    with pytest.raises(ValueError, match="two classes or more"):
        protection_named(spec)(toy[toy.labels == toy.labels[0]], 0)


@pytest.mark.parametrize("spec", ALL)
@pytest.mark.parametrize("sides", [(8, 8), (8, 12)])
def test_one_picture_a_class_and_no_square(spec, sides):
    data = labelled(noisy(3, *sides), 3)
    assert (protection_named(spec)(data, 0).images != data.images).flatten(1).any(1).all()


@pytest.mark.parametrize("spec", ALL)
def test_a_training_that_diverges(spec, toy):
    with pytest.raises(DivergedError, match="not finite after epoch"):
        protection_named(spec.replace("epochs=3", "epochs=3,learning_rate=1e30")).optimised(toy, 0)


def test_losses_that_are_no_numbers(toy):
    def objective(model, data):
        return lambda images, labels: images.sum((1, 2, 3)) * float("nan")

    with pytest.raises(DivergedError, match="is nan at step 2"):
        run(made(toy, objective), 0, {})


def test_the_surrogate_learns_first_and_is_frozen_then(toy):
    learnt = []

    def objective(model, data):
        assert data is toy and not model.training and not any(p.requires_grad for p in model.parameters())
        learnt.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
        return lambda images, labels: model(images).float().sum(1)

    steps = made(toy, objective)
    fresh = {name: tensor.clone() for name, tensor in steps.surrogate.model.state_dict().items()}
    run(steps, 0, {})
    assert len(learnt) == 1
    after = steps.surrogate.model.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in learnt[0].items())
    assert not any(torch.equal(fresh[name], tensor) for name, tensor in learnt[0].items())


def test_the_best_restart_is_kept(toy):
    told = iter([9.0, 5.0, 0.0, 2.0, 9.0, 3.0])  # two passes each, of which the last counts
    ends: list[torch.Tensor] = []

    class Told(SignSteps):
        def _pass(self) -> float:
            ends.append(self._current)
            return next(told)

    change = run(made(toy, lambda model, data: None, Told, restarts=3), 0, {})
    assert torch.equal(change, 255 * ends[3])
    assert not torch.equal(change, 255 * ends[1]) and not torch.equal(change, 255 * ends[5])


def test_steps_go_down_the_gradients_sign(toy, monkeypatch):
    monkeypatch.setattr(sign_steps, "jittered", lambda images: images)
    weights = torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(0))

    def after(passes: int, step: float) -> torch.Tensor:
        linear = made(toy, lambda model, data: lambda images, labels: (images * weights).sum((1, 2, 3)))
        linear.passes, linear.walk = passes, PGD(8, step, 1)
        linear.steps = 1 + passes
        return run(linear, 0, {})

    start = after(1, 1e-9)
    assert start.abs().max() == pytest.approx(8) and 5 < start.std() < 6  # a normal one of deviation 8, clamped there
    torch.testing.assert_close(after(3, 0.5), (start - 1.5 * weights.sign()).clamp(-8, 8), atol=1e-3, rtol=0)


def test_a_change_meets_the_pictures_as_training_will(toy):
    """Some passes see a change moved, so that a weight on one pixel acts on its neighbours as well."""
    weights = torch.zeros(3, 8, 8)
    weights[:, 4, 4] = 1
    steps = made(toy, lambda model, data: lambda images, labels: (images * weights).sum((1, 2, 3)), passes=20)
    start = made(toy, lambda model, data: lambda images, labels: 0 * images.sum((1, 2, 3)))
    reached = ((run(steps, 0, {}) - run(start, 0, {})).abs() > 0.5).any(0).any(0)
    assert reached[3:6, 3:6].all() and not reached[[0, 1, 7]].any()


def test_the_training_meets_its_countermeasure(toy, monkeypatch):
    found, met = made(toy, lambda model, data: None), []
    epoch = lambda model, optimizer, data, countermeasure, recipe, number: met.append(countermeasure) or (0.0, 0.0)  # noqa: E731
    monkeypatch.setattr(sign_steps, "train_epoch", epoch)
    found.advance()
    assert met == [found.training]


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
