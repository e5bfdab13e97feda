from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from panels import panels
from sets import noisy
from unlearnable.figures import figure_named
from unlearnable.figures.gradcam import class_activation_maps, on_grid, overlay
from unlearnable.victims.architectures import victim_named
from unlearnable.victims.features import Frozen

WEIGHTS = torch.tensor([[1.0, -2.0, 0.0], [-1.0, 0.0, 3.0]])


class Planes(nn.Module):
    """The picture itself is its features; the logits weigh the colours' means."""

    def __init__(self, layout="NCHW"):
        super().__init__()
        self.output_fmt = layout
        self.head = nn.Linear(3, 2, bias=False)
        self.head.weight.data = WEIGHTS.clone()

    def forward_features(self, images):
        return images if self.output_fmt == "NCHW" else images.permute(0, 2, 3, 1)

    def forward_head(self, features):
        return self.head(features.mean((2, 3) if self.output_fmt == "NCHW" else (1, 2)))


class Tokens(Planes):
    """The same in two tokens of no place and one for every pixel."""

    num_prefix_tokens = 2

    def forward_features(self, images):
        return torch.cat([torch.full((len(images), 2, 3), 9.0), images.flatten(2).mT], 1)

    def forward_head(self, features):
        return self.head(features[:, 2:].mean(1))


def expected(images, answers):
    """In closed form: the head's weights, applied to every pixel."""
    maps = torch.einsum("nc,nchw->nhw", WEIGHTS[answers], images).relu()
    return maps / maps.amax((1, 2), keepdim=True).clamp_min(1e-9)


@pytest.mark.parametrize("model", [Planes(), Planes("NHWC"), Tokens()])
def test_known_maps(model):
    images = noisy(5, 6, 6).float() / 255
    found = class_activation_maps(model, images)
    logits = images.mean((2, 3)) @ WEIGHTS.T
    assert found.answers.tolist() == logits.argmax(1).tolist()
    torch.testing.assert_close(found.confidences, logits.softmax(1).amax(1))
    torch.testing.assert_close(found.maps, expected(images, found.answers))


def test_nothing_for_the_answer_is_an_empty_map():
    images = torch.zeros(1, 3, 4, 4)
    images[:, 1] = 1  # speaks against one class, and neither for nor against the one that is answered
    assert not class_activation_maps(Planes(), images).maps.any()


@pytest.mark.parametrize("frozen", [False, True])
def test_resnet9_takes_the_largest_feature(frozen):
    torch.manual_seed(0)
    model = victim_named("resnet9:width=4").build(3, 32).eval()
    images = noisy(4, 32, 32).float() / 255
    found = class_activation_maps(Frozen(model) if frozen else model, images)
    with torch.inference_mode():
        assert found.answers.tolist() == model(images).argmax(1).tolist()
        coarse = torch.einsum("nc,nchw->nhw", model.head.weight[found.answers], model.forward_features(images)).relu()
    fine = nn.functional.interpolate(coarse[:, None], (32, 32), mode="bilinear")[:, 0]
    assert fine.amax((1, 2)).all()
    torch.testing.assert_close(found.maps, fine / fine.amax((1, 2), keepdim=True))


@pytest.mark.parametrize("name", ["resnet18", "vit", "test_mambaout", "test_efficientnet"])
def test_victims_have_maps(name):
    torch.manual_seed(0)
    found = class_activation_maps(victim_named(name).build(3, 64), noisy(2, 64, 64).float() / 255)
    assert found.maps.shape == (2, 64, 64)
    assert found.maps.min() >= 0 and (found.maps.amax((1, 2)) == 1).any()


def test_class_tokens_are_refused():
    with pytest.raises(ValueError, match=r"no place of the picture .* class token alone; take a victim .* as vit does"):
        class_activation_maps(victim_named("test_vit").build(3, 32), torch.rand(2, 3, 32, 32))


def test_what_is_no_victim_is_refused():
    with pytest.raises(ValueError, match="forward_features and forward_head, as timm's have; got Sequential"):
        class_activation_maps(nn.Sequential(nn.Flatten(), nn.Linear(48, 2)), torch.rand(1, 3, 4, 4))
    with pytest.raises(ValueError, match=r"tokens in a square from SimpleNamespace, got \(1, 7, 3\)"):
        on_grid(SimpleNamespace(), torch.zeros(1, 7, 3))


def test_overlays_brighten_where_it_matters():
    drawn = overlay(np.full((1, 1, 2, 3), 100, np.uint8), torch.tensor([[[0.0, 1.0]]]))
    assert drawn[0, 0, 0].max() <= 47 and drawn[0, 0, 1].min() > 100


def test_numbers_and_what_is_shown():
    given = panels()
    numbers = figure_named("gradcam:pictures=3")(given).numbers
    assert [(row["picture"], row["truth"], row["protection"]) for row in numbers] == [
        (place, "abcd"[place], panel.protection) for place in range(3) for panel in given
    ]
    assert {row["likeness"] for row in numbers} == {1.0}  # one model, and one test set
    published = figure_named("gradcam:pictures=3,on=published")(given).numbers
    assert all(row["likeness"] == 1 for row in published[::2]) and any(row["likeness"] < 1 for row in published)
    torch.manual_seed(1)
    other = replace(given[1], countermeasure="gray", model=victim_named("resnet9:width=4").build(4, 8))
    numbers = figure_named("gradcam:pictures=3,on=published")([*given, other]).numbers
    first, again = ([row for row in numbers if (row["countermeasure"] == "gray") == late] for late in (False, True))
    assert {row["kept"] for row in first} == {1.0, 0.0}  # one map is empty, and like none
    assert [row["kept"] for row in again] != [row["likeness"] for row in again]
