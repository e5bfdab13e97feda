"""What TAP and EntF share: on both of them where that matters, else on made-up objectives."""

import pytest
import torch

from sets import labelled, noisy
from unlearnable.countermeasures.base import Vanilla
from unlearnable.images import load
from unlearnable.protections import protection_named, sign_steps
from unlearnable.protections.optimised import Step, run
from unlearnable.protections.sign_steps import SignSteps
from unlearnable.protections.surrogate import Surrogate
from unlearnable.recipes import recipe_named
from unlearnable.training import DivergedError

TINY = "surrogate=resnet9:width=2,recipe=quick:epochs=3"
TAP = f"tap:{TINY},passes=3,restarts=2"  # nine steps
PUSH, PULL = (f"entf:{TINY},passes=3,goal={goal}" for goal in ("push", "pull"))  # six
ALL = [TAP, PUSH, PULL]


class Killed(Exception):  # noqa: N818
    """The process ended here."""


@pytest.fixture(scope="module")
def toy():
    return load("toy:count=12,size=8")


def made(data, objective, kind=SignSteps, **settings) -> SignSteps:
    """Steps against a surrogate of one epoch's training."""
    torch.manual_seed(0)
    recipe = recipe_named("quick:epochs=1")
    surrogate = Surrogate.of("resnet9:width=2", recipe, data)
    numbers = {"radius": 8.0, "step": 1.0, "passes": 2, "restarts": 1} | settings
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
def test_resumed_is_uninterrupted(spec, killed_at, toy, tmp_path, monkeypatch):
    monkeypatch.setattr("unlearnable.protections.optimised.CHECKPOINT_SECONDS", 0)
    protection, file = protection_named(spec), tmp_path / "state.safetensors"
    resumed_at: list[int] = []

    def kill(step: Step):
        if step.done == killed_at:
            raise Killed

    with pytest.raises(Killed):
        protection.optimised(toy, 1, checkpoint=file, on_step=kill)
    resumed = protection.optimised(toy, 1, checkpoint=file, on_step=lambda step: resumed_at.append(step.done))
    assert resumed_at == list(range(killed_at, (9 if spec == TAP else 6) + 1))
    assert torch.equal(resumed, protection.optimised(toy, 1))
    assert torch.equal(resumed, protection.optimised(toy, 1, checkpoint=file))  # nothing is left to do


@pytest.mark.parametrize("spec", ALL)
def test_inside_the_box_and_the_pictures(spec):
    data = labelled(noisy(6, 8, 8), 2)
    change = protection_named(f"{spec},step=1").optimised(data, 0)
    assert change.abs().max() == 8
    assert (data.images + change).min() == 0 and (data.images + change).max() == 255


@pytest.mark.parametrize("spec", ALL)
def test_the_radius_is_the_budgets_whatever_its_norm(spec, toy):
    assert protection_named(f"{spec},budget=rms:3").optimised(toy, 0).abs().max() == 3


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
        run(made(toy, objective), 0, "")


def test_the_surrogate_learns_first_and_is_frozen_then(toy):
    learnt = []

    def objective(model, data):
        assert data is toy and not model.training and not any(p.requires_grad for p in model.parameters())
        learnt.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
        return lambda images, labels: model(images).float().sum(1)

    steps = made(toy, objective)
    fresh = {name: tensor.clone() for name, tensor in steps.surrogate.model.state_dict().items()}
    run(steps, 0, "")
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

    change = run(made(toy, lambda model, data: None, Told, restarts=3), 0, "")
    assert torch.equal(change, ends[3])
    assert not torch.equal(change, ends[1]) and not torch.equal(change, ends[5])


def test_steps_go_down_the_gradients_sign(toy, monkeypatch):
    monkeypatch.setattr(sign_steps, "jittered", lambda images: images)
    weights = torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(0))

    def after(passes: int, step: float) -> torch.Tensor:
        linear = made(toy, lambda model, data: lambda images, labels: (images * weights).sum((1, 2, 3)))
        linear.passes, linear.step = passes, step
        linear.steps = 1 + passes
        return run(linear, 0, "")

    start = after(1, 1e-9)
    assert start.abs().max() == 8 and 5 < start.std() < 6  # a normal one of deviation 8, clamped there
    torch.testing.assert_close(after(3, 0.5), (start - 1.5 * weights.sign()).clamp(-8, 8))


def test_a_change_meets_the_pictures_as_training_will(toy):
    """Some passes see a change moved, so that a weight on one pixel acts on its neighbours as well."""
    weights = torch.zeros(3, 8, 8)
    weights[:, 4, 4] = 1
    steps = made(toy, lambda model, data: lambda images, labels: (images * weights).sum((1, 2, 3)), passes=20)
    start = made(toy, lambda model, data: lambda images, labels: 0 * images.sum((1, 2, 3)))
    moved = (run(steps, 0, "") != run(start, 0, "")).any(0).any(0)
    assert moved[3:6, 3:6].all() and not moved[[0, 1, 7]].any()


@pytest.mark.parametrize("spec", ["tap:passes=0", "tap:restarts=0", "tap:step=0", "entf:passes=0"])
def test_numbers_are_checked(spec, toy):
    with pytest.raises(ValueError, match="at least one pass and one restart, and a step above 0"):
        protection_named(f"{spec},surrogate=resnet9:width=2").optimised(toy, 0)
