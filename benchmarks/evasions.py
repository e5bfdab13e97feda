"""What a trainer does to a model afterwards, so that nobody can say what it was trained on."""

from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.nn.utils import prune

from unlearnable.images.imageset import Images, ImageSet
from unlearnable.training.countermeasure import Countermeasure, Targets
from unlearnable.training.loop import Fit, fit
from unlearnable.training.recipes import Recipe
from unlearnable.victims.architectures import Victim


def pruned(trained: Fit, victim: Victim, clean: ImageSet, test: ImageSet, recipe: Recipe, share: float) -> nn.Module:
    """Without the smallest weights of all convolutions together (Han et al., 2015, arXiv 1506.02626)."""
    trained.model.to(memory_format=torch.contiguous_format)  # torch looks at weights in a row
    layers = [(layer, "weight") for layer in trained.model.modules() if isinstance(layer, nn.Conv2d)]
    prune.global_unstructured(layers, pruning_method=prune.L1Unstructured, amount=share)
    for layer, name in layers:
        prune.remove(layer, name)
    return trained.model


def finetuned(trained: Fit, victim: Victim, clean: ImageSet, test: ImageSet, recipe: Recipe, share: float) -> nn.Module:
    """Trained on with a share of the clean pictures, all layers, a tenth of the step size, three epochs."""
    gentle = replace(recipe, epochs=3, long_epochs=0, learning_rate=recipe.learning_rate / 10)
    going_on = _GoingOn(trained.model)
    return fit(victim, _share(clean, share), test, going_on, gentle).model


def distilled(trained: Fit, victim: Victim, clean: ImageSet, test: ImageSet, recipe: Recipe, share: float) -> nn.Module:
    """Another network, taught what this one says of a share of the clean pictures (Hinton, 2015, arXiv 1503.02531)."""
    return fit(victim, _share(clean, share), test, _Taught(trained.model), recipe).model


EVASIONS = {"pruned": pruned, "finetuned": finetuned, "distilled": distilled}


@dataclass(frozen=True)
class _GoingOn(Countermeasure):
    """Begin with the weights of a trained network."""

    model: nn.Module

    def prepare(self, model: nn.Module, data: ImageSet) -> nn.Module:
        """Its weights."""
        model.load_state_dict(self.model.state_dict())
        return model


@dataclass(frozen=True)
class _Taught(Countermeasure):
    """Learn what a trained network answers."""

    model: nn.Module

    def augment(self, images: Images, targets: Targets) -> tuple[Images, Targets]:
        """Its probabilities in place of the labels."""
        with torch.no_grad():
            return images, self.model(images).float().softmax(1)


def _share(clean: ImageSet, share: float) -> ImageSet:
    chosen = torch.randperm(len(clean), generator=torch.Generator().manual_seed(1))[: round(share * len(clean))]
    return clean[chosen]
