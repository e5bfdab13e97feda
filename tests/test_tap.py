import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sets import labelled, noisy, tinted
from unlearnable.countermeasures import countermeasure_named
from unlearnable.images.imageset import ImageSet
from unlearnable.protections import protection_named
from unlearnable.protections.optimised import run
from unlearnable.training.pgd import input_gradient

TINY = "surrogate=resnet9:width=8,recipe=quick:epochs=8,batch_size=8,passes=10,restarts=1,budget=linf:32"


class Told(nn.Module):
    """A network whose logits are told."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.logits


def attacked(spec: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits of the surrogate on clean pictures and on attacked ones, and the labels."""
    protection, data = protection_named(spec), tinted()
    torch.manual_seed(0)
    steps = protection.optimisation(data, 0)
    change = run(steps, 0, {})
    with torch.inference_mode():
        clean, poisoned = (steps.surrogate.model((data.images + add) / 255) for add in (0, change))
    return clean, poisoned, data.labels


def test_targeted_is_taken_for_the_next_class():
    clean, poisoned, labels = attacked(f"tap:{TINY}")
    wanted = (labels + 1) % 4
    assert F.cross_entropy(poisoned, wanted) < F.cross_entropy(clean, wanted) - 1


def test_untargeted_is_not_taken_for_its_own():
    clean, poisoned, labels = attacked(f"tap:{TINY},targeted=false")
    assert F.cross_entropy(poisoned, labels) > F.cross_entropy(clean, labels) + 1


@pytest.mark.parametrize("targeted", [True, False])
def test_two_classes_told_apart_by_a_line(targeted):
    """Logits w.x and -w.x: a picture of the first class goes down w, one of the second up, whatever the aim."""
    data = labelled(noisy(4, 2, 2), 2)
    weights = torch.tensor([1.0, -2, 3, -4, 5, -6, 7, -8, 9, -10, 11, -12]).view(3, 2, 2) / 100
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 2, bias=False))
    model[1].weight.data = torch.stack([weights.flatten(), -weights.flatten()])
    images = (data.images / 255).requires_grad_()
    losses = protection_named(f"tap:targeted={targeted}").objective(model, data)(images, data.labels)
    own, other = (F.cross_entropy(model(images), labels, reduction="none") for labels in (data.labels, 1 - data.labels))
    torch.testing.assert_close(losses, other if targeted else -own)
    down = -input_gradient(losses.sum(), images).sign()
    assert all(torch.equal(down[place], (-1 if data.labels[place] == 0 else 1) * weights.sign()) for place in range(4))


def test_the_next_class_of_the_last_is_the_first():
    data, logits = labelled(noisy(3, 2, 2), 3), 5 * torch.eye(3)  # each is taken for the class of its place
    objective = protection_named("tap").objective(Told(logits), data)
    assert objective(data.images / 255, torch.tensor([2, 0, 1])).max() < 0.1
    assert objective(data.images / 255, torch.tensor([0, 1, 2])).min() > 4


def test_a_class_without_pictures_is_nobody_s_target():
    data = ImageSet(noisy(3, 2, 2), torch.tensor([0, 2, 3]), tuple("abcde"))
    told = 5 * torch.eye(5)[[2, 3, 0]]
    assert protection_named("tap").objective(Told(told), data)(data.images / 255, data.labels).max() < 0.1


def test_the_surrogate_is_trained_ordinarily():
    data = labelled(noisy(4, 12, 12), 2)
    found = protection_named("tap:surrogate=resnet9:width=2").optimisation(data, 0)
    assert found.training == countermeasure_named("vanilla")
