import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sets import labelled, noisy, tinted
from unlearnable.countermeasures import countermeasure_named
from unlearnable.images.imageset import ImageSet
from unlearnable.protections import protection_named
from unlearnable.protections.entf import mean_features, nearest_other
from unlearnable.protections.optimised import run
from unlearnable.training.pgd import input_gradient
from unlearnable.victims.features import penultimate

TINY = "surrogate=resnet9:width=8,recipe=quick:epochs=8,batch_size=8,passes=10,budget=linf:32"


class Linear(nn.Module):
    """A network whose features are a linear map of the picture."""

    def __init__(self, weights: torch.Tensor) -> None:
        super().__init__()
        self.weights = weights

    def forward_features(self, images):
        return (images.flatten(1)[:, None] * self.weights).sum(2)  # a product would be rounded to bf16

    def forward_head(self, features, pre_logits):
        assert pre_logits
        return features


def optimised(spec: str):
    """The surrogate, the data, their changes."""
    data = tinted()
    torch.manual_seed(0)
    steps = protection_named(spec).optimisation(data, 0)
    return steps.surrogate.model, data, run(steps, 0, {})


def distances(model, data, change) -> torch.Tensor:
    """Mean squared distances from every picture's features to every class's mean of the clean ones."""
    means = mean_features(model, data, torch.arange(len(data.classes)))
    with torch.inference_mode():
        features = penultimate(model, (data.images + change) / 255)
    return (features[:, None] - means).square().mean(2)


def test_push_leaves_the_own_class():
    model, data, change = optimised(f"entf:{TINY}")
    noise = 32 * torch.randn(change.shape, generator=torch.Generator().manual_seed(0)).sign()
    pushed, shaken = (distances(model, data, add)[range(64), data.labels].mean() for add in (change, noise))
    assert pushed > 3 * shaken


def test_pull_approaches_another_class():
    model, data, change = optimised(f"entf:{TINY},goal=pull")
    own = F.one_hot(data.labels).bool()
    before, after = (distances(model, data, add).masked_fill(own, torch.inf).amin(1).mean() for add in (0, change))
    assert after < before / 2


@pytest.mark.parametrize("goal", ["push", "pull"])
def test_two_classes_told_apart_by_a_line(goal):
    """One feature, w.x: pictures go on away from their own mean, or over to the other one."""
    weights = torch.tensor([1.0, -2, 3, -4, 5, -6, 7, -8, 9, -10, 11, -12])
    model = Linear(weights[None])
    dark, light = (torch.full((3, 2, 2), grey, dtype=torch.uint8) for grey in (100, 150))
    dark[weights.view(3, 2, 2) > 0] += 20
    light[weights.view(3, 2, 2) > 0] += 60
    data = ImageSet(torch.stack([dark, light, dark + 5, light + 5]), torch.tensor([0, 1, 0, 1]), ("dark", "light"))
    features = penultimate(model, data.images / 255)[:, 0]
    low, high = features[[0, 2]].mean(), features[[1, 3]].mean()
    assert low < high
    losses = protection_named(f"entf:goal={goal}").objective(model, data)
    images = (data.images / 255).requires_grad_()
    answers = losses(images, data.labels)
    own, other = torch.stack([low, high, low, high]), torch.stack([high, low, high, low])
    torch.testing.assert_close(answers, -(features - own).square() if goal == "push" else (features - other).square())
    down = -input_gradient(answers.sum(), images).flatten(1).sign()
    above = (features > own) if goal == "push" else (features < other)
    expected = torch.where(above[:, None], weights.sign(), -weights.sign())
    assert torch.equal(down, expected)


def test_the_own_class_is_never_the_nearest_other():
    """Whatever the scale: a constant in place of the own distance would win where all others are larger."""
    for scale in (1e-3, 1.0, 1e3):
        means = scale * torch.randn(100, 5, generator=torch.Generator().manual_seed(0))
        own = torch.arange(100)
        nearest = nearest_other(means, means, own)
        assert (nearest != own).all()
        apart = (means[:, None] - means).square().mean(2)
        torch.testing.assert_close(apart[own, nearest], apart.fill_diagonal_(torch.inf).amin(1))


def test_means_of_the_classes_that_there_are():
    data = labelled(noisy(40, 4, 4), 10)
    data = data[(data.labels == 2) | (data.labels == 7)]
    model = Linear(torch.eye(48))
    means = mean_features(model, data, data.labels.unique())
    expected = torch.stack([(data.images / 255)[data.labels == label].mean(0).flatten() for label in (2, 7)])
    torch.testing.assert_close(means, expected)
    losses = protection_named("entf:goal=pull").objective(model, data)(data.images / 255, data.labels)
    other = expected.flip(0)[(data.labels == 7).long()]
    torch.testing.assert_close(losses, ((data.images / 255).flatten(1) - other).square().mean(1))


def test_a_hundred_classes():
    data = ImageSet(noisy(100, 8, 8), torch.arange(100), tuple(map(str, range(100))))
    spec = "entf:goal=pull,surrogate=resnet9:width=2,recipe=quick:epochs=1,passes=2"
    assert (protection_named(spec)(data).images != data.images).flatten(1).any(1).all()


def test_the_surrogate_is_trained_adversarially():
    data = labelled(noisy(4, 12, 12), 2)
    found = protection_named("entf:surrogate=resnet9:width=2,reference_radius=3").optimisation(data, 0)
    assert found.training == countermeasure_named("at:radius=3,step=1.5,steps=10")
