import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unlearnable.images.imageset import ImageSet
from unlearnable.training.recipes import recipes


def blank(side: int, classes: int) -> ImageSet:
    return ImageSet(
        torch.zeros(1, 3, side, side, dtype=torch.uint8), torch.tensor([0]), tuple(map(str, range(classes)))
    )


def test_the_papers():
    paper = recipes.make("paper")
    assert (paper.epochs, paper.long_epochs, paper.batch_size) == (60, 100, 128)
    assert (paper.learning_rate, paper.momentum, paper.weight_decay) == (0.1, 0.9, 5e-4)
    assert (paper.nesterov, paper.label_smoothing, paper.schedule) == (False, 0, "cosine")


def a_model():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Linear(3, 2))
    model[0].requires_grad_(False)
    return model


@pytest.mark.parametrize("name", list(recipes))
def test_the_optimiser_moves_what_learns(name):
    model, recipe = a_model(), recipes.make(name)
    optimizer = recipe.optimizer(model)
    (group,) = optimizer.param_groups
    assert (group["lr"], group["weight_decay"]) == (recipe.learning_rate, recipe.weight_decay)
    before = [parameter.clone() for parameter in model.parameters()]
    model(torch.ones(5, 4)).square().sum().backward()
    optimizer.step()
    moved = [not torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True)]
    assert moved == [False, False, True, True]


def test_the_transformers_weights_decay_without_a_gradient():
    model, recipe = a_model(), recipes.make("transformer:learning_rate=0.1,weight_decay=0.5")
    before = model[1].weight.detach().clone()
    (0 * model(torch.ones(5, 4)).sum()).backward()
    recipe.optimizer(model).step()
    torch.testing.assert_close(model[1].weight.detach(), 0.95 * before)


def test_cosine():
    rate = recipes.make("paper").rate
    assert [rate(progress) for progress in (0, 1 / 3, 0.5, 1)] == pytest.approx([1, 0.75, 0.5, 0])


def test_onecycle():
    rate = recipes.make("quick").rate
    assert [rate(progress) for progress in (0, 0.1, 0.2, 0.6, 1)] == pytest.approx([0, 0.5, 1, 0.5, 0])


@given(st.sampled_from(list(recipes)), st.lists(st.floats(0, 1), min_size=2, max_size=2))
def test_rates_rise_once_and_fall(name, progress):
    recipe = recipes.make(name)
    before, after = sorted(progress)
    first, second = recipe.rate(before), recipe.rate(after)
    assert min(first, second) >= 0 and max(first, second) <= 1
    if recipe.schedule == "cosine" or before >= 0.2:
        assert first >= second
    elif after <= 0.2:
        assert first <= second


@pytest.mark.parametrize(
    "side, classes, is_long", [(32, 10, False), (64, 10, False), (65, 10, True), (32, 11, True), (224, 100, True)]
)
def test_what_takes_longer(side, classes, is_long):
    for name, usual, long in (("paper", 60, 100), ("quick", 10, 10), ("quick:epochs=3", 3, 3)):
        assert recipes.make(name).suited(blank(side, classes)).epochs == (long if is_long else usual)


@pytest.mark.parametrize(
    "text, message",
    [
        ("quick:momentum=0", "a momentum above 0 with nesterov=true"),
        ("transformer:nesterov=true", "nesterov=false"),
        ("papers", "known: paper, quick, transformer"),
    ],
)
def test_bad_recipes(text, message):
    with pytest.raises(ValueError, match=message):
        recipes.make(text)
