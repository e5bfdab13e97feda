import pytest
import torch
from torch import nn

from unlearnable.victims.architectures import victim_named
from unlearnable.victims.features import Intake, penultimate
from unlearnable.victims.folding import folded

PICTURES = torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(1))


def network(name: str) -> nn.Module:
    """One whose normalisations do something."""
    torch.manual_seed(0)
    model = victim_named(name).build(3, 48)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_(), layer.running_var.uniform_(0.5, 2), layer.weight.data.uniform_(0.5, 2)
    Intake((0.5,) * 3, (0.25,) * 3).install(model)
    return model.eval().requires_grad_(False)


def normalisations(model: nn.Module) -> int:
    return sum(isinstance(layer, nn.BatchNorm2d) for layer in model.modules())


@pytest.mark.parametrize(
    ("name", "left"),
    [("resnet9:width=8", 0), ("resnet18", 0), ("tf_efficientnet_lite0", 0), ("mobilenetv3_small_050", 0)],
)
def test_a_folded_network_answers_the_same_with_fewer_layers(name, left):
    model = network(name)
    before, sooner = normalisations(model), folded(model, 48)
    assert before > left == normalisations(sooner)
    assert normalisations(model) == before  # it is a copy
    torch.testing.assert_close(penultimate(sooner, PICTURES), penultimate(model, PICTURES), rtol=1e-3, atol=1e-4)


def test_one_that_lists_its_layers_in_another_order_is_left_as_it_was():
    class Odd(nn.Module):
        """Two convolutions, and after the second the normalisation that is listed after the first."""

        def __init__(self):
            super().__init__()
            self.first = nn.Conv2d(3, 4, 3)
            self.normalisation = nn.BatchNorm2d(4)
            self.second = nn.Conv2d(4, 4, 3)
            self.normalisation.running_mean.fill_(3)

        def forward_features(self, pictures):
            return self.normalisation(self.second(self.first(pictures)))

        def forward_head(self, features, pre_logits):
            return features.mean((2, 3))

    model = Odd().eval()
    assert folded(model, 48) is model
