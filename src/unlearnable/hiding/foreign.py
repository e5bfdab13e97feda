"""One class among other people's: nobody here knows their pictures, but the surrogates know classes of their own.

So its pictures are pulled to one of those that they look unlike, and away from those that they look like. Whoever fits
a last layer on them learns where that other class lies, and pictures of this one lie elsewhere.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from unlearnable.hiding.surrogates import SURROGATES, Surrogate, features_of_all, network_named, surrogate_file
from unlearnable.images.imageset import Images8
from unlearnable.keys import Key
from unlearnable.victims.backbones import weights_file
from unlearnable.victims.features import read_weights


def foreign_surrogates(names: Sequence[str], pictures: Images8, key: Key, device: torch.device) -> list[Surrogate]:
    """Networks whose two centres are where pictures of one class come from, and where they are pulled to.

    Where to is the first class, in an order that the key draws, of the half that the pictures look least like to the
    first network; a network that knows as many classes takes the same one, as those of ImageNet do.

    Raises:
        ValueError: a network has no last layer of its own; or see `network_named`.
        FileNotFoundError: as there.
    """
    drawn: dict[int, int] = {}
    found = []
    for name in names:
        model = network_named(name, device)
        weight, bias = (tensor.to(device) for tensor in last_layer(name, model))
        seen = features_of_all(model, pictures, device)
        alike = (seen @ weight.T + bias).softmax(1).mean(0)
        unlike = set(alike.argsort()[: len(weight) // 2].tolist())
        order = key.rng("foreign").permutation(len(weight)).tolist()
        target = drawn.setdefault(len(weight), next(number for number in order if number in unlike))
        deviation = seen.std(0, correction=0).clamp_min(1e-3)
        ends = torch.stack([alike @ weight, weight[target]]) - weight.mean(0)
        found.append(Surrogate(model, seen.mean(0), deviation, F.normalize(ends * deviation, dim=1)))
    return found


def last_layer(name: str, model: nn.Module) -> tuple[Float[Tensor, "classes d"], Float[Tensor, " classes"]]:
    """Weights and biases of the layer by which a surrogate told its own classes apart.

    Raises:
        ValueError: its file has none.
    """
    if name in SURROGATES:
        *_, weight, bias = torch.load(weights_file(name), map_location="cpu", weights_only=True).values()
        return weight, bias
    stored, layer = read_weights(surrogate_file(name)), model.get_classifier()  # type: ignore[operator]
    place = next(place for place, module in model.named_modules() if module is layer)
    weight = stored.get(f"{place}.weight")
    if weight is None or len(weight) < 2:
        raise ValueError(
            f"expected {name} with its last layer, of two classes at least: pictures of one class are pulled to a "
            "class of the network's own; give class sub-folders, or weights with that layer"
        )
    return weight.flatten(1), stored.get(f"{place}.bias", weight.new_zeros(len(weight)))
