from dataclasses import replace
from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from resuming import KilledError, save_every_step
from sets import labelled, noisy, smooth
from unlearnable.compute.devices import DivergedError, best_device
from unlearnable.countermeasures import countermeasure_named
from unlearnable.datasets import load
from unlearnable.images.imageset import ImageSet
from unlearnable.storage.checkpoint import Checkpoint
from unlearnable.training.crops import random_crop, random_shift, split_batches
from unlearnable.training.loop import Fit, confusion_matrix, fit
from unlearnable.training.recipes import recipes
from unlearnable.victims.architectures import victim_named

VICTIM = victim_named("resnet9:width=4")
RECIPE = recipes.make("quick:epochs=2,long_epochs=2,batch_size=8")


@pytest.fixture(scope="module")
def toy() -> ImageSet:
    return load("toy:count=40")


@pytest.fixture(scope="module")
def test_set() -> ImageSet:
    return load("toy:count=30,seed=1")


def trained(train: ImageSet, test: ImageSet, countermeasure: str = "vanilla", recipe=RECIPE, **settings) -> Fit:
    return fit(VICTIM, train, test, countermeasure_named(countermeasure), recipe, **settings)


def same(first: Fit, second: Fit) -> bool:
    """Whether two trainings came to the same, bit by bit."""
    one, other = first.model.state_dict(), second.model.state_dict()
    return (
        first.epochs == second.epochs
        and torch.equal(first.confusion, second.confusion)
        and torch.equal(first.peak_confusion, second.peak_confusion)
        and one.keys() == other.keys()
        and all(torch.equal(tensor, other[name]) for name, tensor in one.items())
    )


def window(picture: torch.Tensor, top: int, left: int, flip: bool) -> torch.Tensor:
    """Pixel by pixel: 4 px of black around, a window of the old size, maybe mirrored."""
    _, height, width = picture.shape
    cut = torch.zeros_like(picture)
    for y, x in product(range(height), range(width)):
        row, column = y + top - 4, x + left - 4
        if 0 <= row < height and 0 <= column < width:
            cut[:, y, width - 1 - x if flip else x] = picture[:, row, column]
    return cut


@pytest.mark.parametrize("countermeasure", ["vanilla", "cutout+mixup", "at:steps=1", "ueraser:repeats=2"])
def test_same_seed_same_training(toy, test_set, countermeasure):
    torch.manual_seed(1)
    first = trained(toy, test_set, countermeasure, seed=5)
    torch.manual_seed(2)
    second = trained(toy, test_set, countermeasure, seed=5)
    assert same(first, second)
    assert trained(toy, test_set, countermeasure, seed=6).epochs != first.epochs


@pytest.mark.parametrize("after", [1, 3])
@pytest.mark.parametrize(
    "countermeasure, recipe",
    [
        *product(["vanilla"], recipes),
        *product(["cutmix+gaussn", "randaugment", "at:steps=1", "ueraser:repeats=2"], ["quick"]),
    ],
)
def test_a_killed_training_goes_on_as_if_it_had_not_been(toy, test_set, tmp_path, countermeasure, recipe, after):
    how = {"countermeasure": countermeasure, "recipe": recipes.make(f"{recipe}:epochs=3,long_epochs=3,batch_size=16")}
    file, seen = tmp_path / "training", []

    def kill(number, epochs, epoch):
        if number == after:
            raise KilledError

    with pytest.MonkeyPatch.context() as patch:
        save_every_step(patch)
        with pytest.raises(KilledError):
            trained(toy, test_set, **how, checkpoint=Checkpoint(file, {"of": "it"}), on_epoch=kill)
    torch.manual_seed(after)
    resumed = trained(
        toy, test_set, **how, checkpoint=Checkpoint(file, {"of": "it"}), on_epoch=lambda *now: seen.append(now)
    )
    whole = trained(toy, test_set, **how)
    assert [number for number, _, _ in seen] == list(range(after + 1, 4))
    assert same(resumed, whole)
    with pytest.raises(ValueError, match="holds another run"):
        trained(toy, test_set, **how, checkpoint=Checkpoint(file, {"of": "another"}))


def test_nothing_outside_depends_on_a_training(toy, test_set):
    torch.manual_seed(3)
    before, images = torch.get_rng_state(), toy.images.clone()
    trained(toy, test_set, "cutmix")
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(toy.images, images)


def test_accuracies_and_confusions_agree(toy, test_set):
    result = trained(toy, test_set, recipe=replace(RECIPE, epochs=6))
    accuracies = [epoch.test_accuracy for epoch in result.epochs]
    assert len(accuracies) == 6
    assert result.final == accuracies[-1] and result.peak == max(accuracies)
    for accuracy, confusion in ((result.final, result.confusion), (result.peak, result.peak_confusion)):
        assert accuracy == pytest.approx(confusion.trace().item() / confusion.sum().item())
        assert torch.equal(confusion.sum(1), test_set.labels.bincount())
    assert torch.equal(confusion_matrix(result.model, test_set.to(best_device())), result.confusion)
    assert not result.model.training and result.seconds > 0


def test_confusion_is_true_class_by_predicted_class():
    class Brightness(nn.Module):
        def forward(self, images):
            return F.one_hot((images.mean((1, 2, 3)) * 3.5).long(), 3).float()

    images = torch.tensor([0, 100, 200, 200], dtype=torch.uint8).view(4, 1, 1, 1).expand(-1, 3, 8, 8).contiguous()
    data = ImageSet(images, torch.tensor([0, 0, 2, 1]), ("a", "b", "c"))
    assert confusion_matrix(Brightness(), data).tolist() == [[1, 1, 0], [0, 0, 1], [0, 0, 1]]


def test_learns_what_is_there_to_learn():
    colours = torch.tensor([[200, 40, 40], [40, 200, 40], [40, 40, 200], [200, 200, 40]], dtype=torch.uint8)
    pictures = noisy(60, 16, 16) // 8 + colours[torch.arange(60) % 4][:, :, None, None]
    data = labelled(pictures)
    settings = {"recipe": recipes.make("quick:epochs=8,batch_size=8"), "device": torch.device("cpu")}  # one known draw
    result = trained(data[:40], data[40:], **settings)
    assert result.final == 1
    assert result.epochs[-1].train_accuracy > 0.9
    assert result.epochs[-1].loss < 0.5 * result.epochs[0].loss
    wrong = replace(data, labels=(data.labels + 1) % 4)
    assert trained(data[:40], wrong[40:], **settings).final == 0


def test_epochs_are_reported(toy, test_set):
    calls = []
    result = trained(toy, test_set, on_epoch=lambda *call: calls.append(call))
    assert calls == [(number, 2, epoch) for number, epoch in enumerate(result.epochs, 1)]


def test_how_long(toy, test_set):
    recipe = recipes.make("quick:epochs=1,long_epochs=2,batch_size=8")
    assert len(trained(toy, test_set, recipe=recipe).epochs) == 1
    many = tuple("abcdefghijk")
    long = trained(replace(toy, classes=many), replace(test_set, classes=many), recipe=recipe)
    assert len(long.epochs) == 2
    assert len(trained(toy, test_set, "at:steps=1", recipe=recipe).epochs) == 2


def test_sets_must_fit(toy, test_set):
    with pytest.raises(ValueError, match="4 and 16 px; got 5 and 16 px"):
        trained(toy, replace(test_set, classes=(*test_set.classes, "other")))
    with pytest.raises(ValueError, match="4 and 16 px; got 4 and 20 px"):
        trained(toy, load("toy:count=4,size=20"))
    with pytest.raises(ValueError, match="at least 2 pictures to train on, got 1"):
        trained(toy[:1], test_set)
    with pytest.raises(ValueError, match="needs clean pictures"):
        trained(toy, test_set, "mix")


def test_divergence_is_an_error(toy, test_set):
    with pytest.raises(DivergedError, match="not finite after epoch 1; try a smaller learning rate"):
        trained(toy, test_set, recipe=replace(RECIPE, learning_rate=1e30))


def test_the_classifiers_pictures_are_treated(toy, test_set):
    result = trained(toy, test_set, "jpeg:quality=1,test=true")
    treated = replace(test_set, images=countermeasure_named("jpeg:quality=1,test=true").deploy(test_set.images))
    assert torch.equal(confusion_matrix(result.model, treated.to(best_device())), result.confusion)


@pytest.mark.parametrize("count", [2, 3, 5, 7, 9])
def test_few_pictures(toy, test_set, count):
    result = trained(toy[:count], test_set, recipe=recipes.make("quick:epochs=2,batch_size=8"))
    assert len(result.epochs) == 2 and result.confusion.sum() == len(test_set)


def test_every_picture_is_cropped_by_itself():
    pictures = noisy(60, 10, 12)
    torch.manual_seed(0)
    crops = (random_crop(pictures) * 255).round().to(torch.uint8)
    ways = list(product(range(9), range(9), (False, True)))
    places = torch.arange(1, 121).view(1, 10, 12)  # 0 is outside
    sources = torch.stack([window(places, *way)[0] for way in ways])
    found = []
    for picture, crop in zip(pictures, crops, strict=True):
        windows = F.pad(picture.flatten(1), (1, 0))[:, sources]
        fitting = (windows == crop[:, None]).all(3).all(2).all(0).nonzero().flatten().tolist()
        assert len(fitting) == 1
        found.append(ways[fitting[0]])
    tops, lefts, flips = zip(*found, strict=True)
    assert set(tops) == set(lefts) == set(range(9))
    assert 15 < sum(flips) < 45
    assert len(set(found)) > 40


def test_small_crops_are_windows_of_zeros_and_pixels():
    crops = random_crop(torch.full((200, 3, 16, 16), 255, dtype=torch.uint8))
    assert crops.dtype == torch.float32 and set(crops.unique().tolist()) == {0.0, 1.0}


def test_gradients_flow_through_the_shift_of_small_pictures():
    images = torch.rand(6, 3, 8, 9).requires_grad_()
    weights = torch.arange(1.0, 6 * 3 * 8 * 9 + 1).view(6, 3, 8, 9)
    moved = random_shift(images, 2)
    (gradient,) = torch.autograd.grad(moved, images, weights)
    assert len(gradient[gradient != 0].unique()) == (moved != 0).sum()  # every visible pixel gets its own place's
    torch.testing.assert_close((gradient * images).sum(), (weights * moved).sum())  # it is linear


@given(st.integers(2, 60), st.integers(1, 20))
def test_batches_are_small_and_never_of_one_picture(count, size):
    order = torch.randperm(count)
    batches = split_batches(order, size)
    sizes = [len(batch) for batch in batches]
    assert torch.equal(torch.cat(batches), order)
    assert min(sizes) >= 2 and max(sizes) <= max(size, 3) and max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("side", [65, 96])
def test_large_pictures_are_cropped_and_resized(side):
    pictures = smooth(1, side).images.repeat(20, 1, 1, 1)
    torch.manual_seed(0)
    crops = random_crop(pictures)
    assert crops.shape == pictures.shape and crops.dtype == torch.float32
    assert crops.min() >= 0 and crops.max() <= 1
    assert len(crops.flatten(1).unique(dim=0)) == 20
    grey = random_crop(torch.full((20, 3, side, side), 100, dtype=torch.uint8))
    torch.testing.assert_close(grey, torch.full_like(grey, 100 / 255))  # nothing of the outside comes in


def test_large_crops_are_parts_of_the_picture():
    ramp = torch.arange(96, dtype=torch.uint8).expand(200, 3, 96, 96).contiguous()
    torch.manual_seed(0)
    across = random_crop(ramp)[:, 0].mul(255).mean(1)
    torch.manual_seed(0)
    down = random_crop(ramp.transpose(2, 3).contiguous())[:, 0].mul(255).mean(2)
    widths, heights = ((line[:, 80] - line[:, 15]) / 65 for line in (across, down))
    assert (heights > 0).all() and 60 < (widths < 0).sum() < 140  # mirrored as often as not
    areas, ratios = widths.abs() * heights, widths.abs() / heights
    assert 0.05 < areas.min() < 0.2 and 0.85 < areas.max() <= 1.01
    assert 0.7 < ratios.min() < 0.85 and 1.2 < ratios.max() < 1.4
    assert 0.45 < areas.mean() < 0.62  # uniform between 8 and 100 %


def test_a_training_on_large_pictures():
    data = labelled(smooth(4, side=72).images, 2)
    result = trained(data, data, recipe=recipes.make("quick:epochs=1,long_epochs=1,batch_size=2"))
    assert result.confusion.sum() == 4
