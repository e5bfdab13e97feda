"""A linear probe of a frozen backbone: each picture's features once, and a logistic regression on them.

What a trainer does who has few pictures, or little time (Alain and Bengio, 2016, arXiv 1610.01644).
"""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from unlearnable.compute.devices import at_once, fast
from unlearnable.countermeasures.pretrained import WithBackbone
from unlearnable.images.imageset import ImageSet
from unlearnable.options import NonNegativeInt, PositiveFloat
from unlearnable.training.countermeasure import Knowledge, countermeasures
from unlearnable.training.recipes import Recipe
from unlearnable.victims.features import evaluating, intake_of, network_of, penultimate


@countermeasures.register("probe")
class Probe(WithBackbone):
    """Train a linear layer on a backbone's features, to the optimum, in one step.

    Attributes:
        weights: efficientnet_lite0, efficientnet_lite1 or efficientnet_lite2, whatever the victim; or a safetensors
            file for the victim's network.
        per_class: of the published pictures, so many of each class are drawn and used; 0 for all.
        c: scikit-learn's C, one over the weight of the L2 penalty on the weights of standardised features.
    """

    weights: str
    per_class: NonNegativeInt = 0
    c: PositiveFloat = 0.01

    def check_serves(self, clean: ImageSet) -> None:
        """There are pictures enough."""
        super().check_serves(clean)
        clean.first(self.per_class or 1)

    def purify(self, data: ImageSet, knowledge: Knowledge) -> ImageSet:
        """The pictures that are drawn of each class, in their order."""
        if not self.per_class:
            return data
        order = torch.randperm(len(data), generator=torch.Generator().manual_seed(knowledge.seed))
        shuffled = data[order.to(data.labels.device)]
        drawn = [torch.nonzero(shuffled.labels.cpu() == label)[: self.per_class, 0] for label in data.labels.unique()]
        return data[order[torch.cat(drawn)].sort().values.to(data.labels.device)]

    def adjust_recipe(self, recipe: Recipe) -> Recipe:
        """One epoch: there are no steps."""
        return replace(recipe, epochs=1, long_epochs=0)

    def solve(self, model: nn.Module, data: ImageSet) -> tuple[float, float]:
        """Fit the last layer; the standardisation goes into its weights."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.preprocessing import StandardScaler

        if missing := [name for label, name in enumerate(data.classes) if label not in data.labels]:
            raise ValueError(f"expected pictures of every class to fit a probe on, got none of {missing[0]}")
        features, labels = _features(model, data), data.labels.cpu()
        head = network_of(model).get_classifier()
        biased = head.bias is not None
        scaler = StandardScaler(with_mean=biased).fit(features)
        regression = LogisticRegression(C=self.c, fit_intercept=biased, max_iter=1000)
        fitted = regression.fit(scaler.transform(features), labels)
        weight, bias = torch.from_numpy(fitted.coef_).double(), torch.from_numpy(fitted.intercept_).double()
        if len(weight) == 1:  # of two classes, that of the second against the first
            weight, bias = torch.cat([-weight, weight]) / 2, torch.cat([-bias, bias]) / 2
        weight = weight / torch.from_numpy(scaler.scale_)
        head.weight.data.copy_(weight)
        if biased:
            bias = bias - weight @ torch.from_numpy(scaler.mean_)
            head.bias.data.copy_(bias)
        logits = features.double() @ weight.T + bias
        right = (logits.argmax(1) == labels).double().mean()
        return F.cross_entropy(logits, labels).item(), right.item()


@torch.inference_mode()
def _features(model: nn.Module, data: ImageSet) -> Float[Tensor, "n c"]:
    """What the last layer sees of each picture, once, on the CPU."""
    batches = data.images.split(at_once(data.images, side=intake_of(model).side))
    with evaluating(model), fast(data.images.device):
        seen = [
            penultimate(model, batch.float().div(255).contiguous(memory_format=torch.channels_last))
            for batch in batches
        ]
    return torch.cat([features.float().cpu() for features in seen])
