from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sets import labelled, linear, noisy
from unlearnable.protections import protection_named
from unlearnable.protections.surrogate import Surrogate
from unlearnable.training.recipes import recipe_named, recipes


@pytest.fixture
def data():
    return labelled(noisy(6, 12, 12), 3)


def surrogate(data, seed=0, recipe="paper"):
    torch.manual_seed(seed)
    return Surrogate.of("resnet9:width=4", recipe_named(recipe), data)


@pytest.mark.parametrize("recipe", list(recipes))
def test_restored_it_learns_on_as_it_would_have(data, recipe):
    images, first, second = data.images / 255, surrogate(data, 0, recipe), surrogate(data, 1, recipe)
    first.learn(images, data.labels)
    kept = {name: tensor.clone() for name, tensor in first.state().items()}
    first.learn(images, data.labels)
    second.learn(images, data.labels)
    second.restore({**kept, "of somebody else": torch.zeros(1)})
    assert second.state().keys() == kept.keys()
    assert all(torch.equal(kept[name], tensor) for name, tensor in second.state().items())
    second.learn(images, data.labels)
    after = first.state()
    assert all(torch.equal(after[name], tensor) for name, tensor in second.state().items())


def test_a_state_before_the_first_step(data):
    fresh, other = surrogate(data), surrogate(data, seed=1)
    other.restore(fresh.state())
    assert [other.learn(data.images / 255, data.labels)] == [fresh.learn(data.images / 255, data.labels)]


def test_learning_lowers_the_loss(data):
    model = surrogate(data)
    losses = [model.learn(data.images / 255, data.labels) for _ in range(8)]
    assert losses[-1] < losses[0] / 2


def test_gradients_are_clipped_to_a_norm(data):
    model = surrogate(data)
    before = [parameter.detach().clone() for parameter in model.model.parameters()]
    for group in model.optimizer.param_groups:
        group.update(lr=1.0, weight_decay=0.0)
    model.learn(data.images / 255, data.labels, clip=0.01)
    moved = [(old - new.detach()).square().sum() for old, new in zip(before, model.model.parameters(), strict=True)]
    assert torch.stack(moved).sum().sqrt() == pytest.approx(0.01, rel=1e-2)


def test_the_gradient_is_that_of_the_pictures_in_evaluation_mode(data):
    model = surrogate(data)
    model.learn(data.images / 255, data.labels)
    model.optimizer.zero_grad()
    before = {name: tensor.clone() for name, tensor in model.state().items()}
    modes = []
    model.model.register_forward_hook(lambda module, *_: modes.append(module.training))
    model.gradient(data.images / 255, data.labels)
    assert modes == [False]
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state().items())
    assert all(parameter.grad is None for parameter in model.model.parameters())


def test_gradient_and_errors_of_a_linear_model(data):
    model = surrogate(data)
    model.model = linear(3 * 12 * 12, 3)
    images = data.images / 255
    logits = model.model(images).detach()
    expected = (logits.softmax(1) - F.one_hot(data.labels, 3)) @ model.model[1].weight.detach() / len(data)
    found = model.gradient(images, data.labels).flatten(1)
    torch.testing.assert_close(found, expected, atol=expected.abs().max().item() / 50, rtol=0.05)  # bf16
    model.model[1].weight.data.zero_()
    model.model[1].bias.data.copy_(torch.tensor([0.0, 1.0, 0.0]))
    loss, wrong = model.test(images, data.labels)
    assert wrong == 4 and loss == pytest.approx(
        float(F.cross_entropy(model.model(images), data.labels).detach()), rel=1e-2
    )
    assert isinstance(model.model, nn.Sequential) and not model.model.training


def test_the_surrogate_s_weights_are_among_the_files():
    for name in ("em", "rem", "sem", "tap", "entf"):
        assert protection_named(f"{name}:surrogate=resnet9:pretrained=w.safetensors").find_files() == (
            Path("w.safetensors"),
        )
        assert protection_named(name).find_files() == ()


def test_one_class_is_nothing_to_learn(data):
    with pytest.raises(ValueError, match="2 of 'b' alone"):
        Surrogate.of("resnet9:width=4", recipe_named("paper"), data[data.labels == 1])
