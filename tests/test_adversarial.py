import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from sets import batch, labelled, linear, noisy
from unlearnable.countermeasures import countermeasure_named
from unlearnable.training.recipes import recipes


@pytest.fixture
def attacked_batch():
    return batch(labelled(noisy(), 2))


def small_network() -> nn.Module:
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.LazyLinear(2)
    model = nn.Sequential(*layers)
    model(torch.rand(2, 3, 20, 24))
    return model


@pytest.mark.parametrize("radius", [4.0, 8.0])
def test_a_linear_model_is_attacked_in_closed_form(attacked_batch, radius):
    images, targets = attacked_batch
    model = linear(images[0].numel(), 2)
    uphill = model[1].weight[1] - model[1].weight[0]  # away from class 0
    signs = torch.where(targets[:, :1] == 1, 1, -1) * uphill.sign()
    at = countermeasure_named(f"at:radius={radius}")
    expected = (images + radius / 255 * signs.view_as(images)).clamp(0, 1)
    torch.testing.assert_close(at.attacked(model, images, targets), expected, atol=1e-6, rtol=0)


@settings(max_examples=20)
@given(st.sampled_from([0.0, 1.0, 8.0, 64.0]), st.sampled_from([0.5, 2.0, 100.0]), st.integers(0, 3))
def test_in_the_ball_and_in_range(radius, step, steps):
    images, targets = batch(labelled(noisy(), 2))
    at = countermeasure_named(f"at:radius={radius},step={step},steps={steps}")
    attacked = at.attacked(small_network(), images, targets)
    assert (attacked - images).abs().max() <= radius / 255 + 1e-6
    assert attacked.min() >= 0 and attacked.max() <= 1
    assert not attacked.requires_grad


@pytest.mark.parametrize("training", [True, False])
def test_the_attack_leaves_the_network_alone(attacked_batch, training):
    model = small_network().train(training)
    model[2].train(not training)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    countermeasure_named("at").attacked(model.train(training), *attacked_batch)
    assert all(module.training is training for module in model.modules())
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_the_attack_sees_evaluation_mode(attacked_batch):
    seen = []
    model = small_network().train()
    model.register_forward_hook(lambda module, *_: seen.append(module.training))
    countermeasure_named("at:steps=3").loss(model, *attacked_batch, 0.0)
    assert seen == [False, False, False, True]


def test_the_attack_raises_the_loss(attacked_batch):
    images, targets = attacked_batch
    model = small_network().eval()
    at = countermeasure_named("at")

    def losses(pictures):
        return F.cross_entropy(model(pictures), targets, reduction="none")

    attacked, random = (at.attacked(model, images, targets), images + 8 / 255 * torch.randn_like(images).sign())
    assert (losses(attacked) > losses(images)).all()
    assert (losses(attacked) > losses(random.clamp(0, 1))).all()
    assert at.loss(model, images, targets, 0.0)[0] > losses(images).mean()


def test_starts_anywhere(attacked_batch):
    images, targets = attacked_batch
    grey = torch.full_like(images, 0.5)
    change = (countermeasure_named("at:steps=0").attacked(small_network(), grey, targets) - grey) * 255
    assert change.std() == pytest.approx(16 / 12**0.5, rel=0.03)  # uniform in the ball


def test_soft_targets(attacked_batch):
    images, _ = attacked_batch
    loss, logits = countermeasure_named("at:steps=1").loss(small_network(), images, torch.full((6, 2), 0.5), 0.0)
    assert loss.isfinite() and logits.shape == (6, 2)


def test_takes_the_long_epochs():
    paper = recipes.make("paper")
    assert countermeasure_named("at").adjust_recipe(paper) == recipes.make("paper:epochs=100")
    assert countermeasure_named("at+early:part=0.5").adjust_recipe(paper).epochs == 50
