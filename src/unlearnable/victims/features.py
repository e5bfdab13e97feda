"""What is done with any victim's network: a look at its features, its weights in a file, training its head alone."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from unlearnable.storage.atomic import replacing

STATED = "intake"  # in a file's metadata: how the network takes pictures, and its classes


@dataclass(frozen=True)
class Intake:
    """How a network takes pictures, which come in [0, 1]: what it was trained on decides.

    Attributes:
        mean: of each colour, subtracted.
        std: of each colour, by which the rest is divided.
        side: smaller pictures are enlarged to so many pixels, bilinearly; 0 for none.
    """

    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    side: int = 0

    def install(self, model: nn.Module) -> None:
        """Have ``model`` take pictures so, before its first convolution: its weights keep their names.

        Raises:
            ValueError: it has not one convolution alone that takes three colours.
        """
        model.intake = self  # type: ignore[assignment]
        if self == Intake():
            return
        first = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d) and layer.in_channels == 3]
        if len(first) != 1:
            raise ValueError(
                f"expected a network with one convolution of three colours, before which pictures are normalised, as "
                f"its weights ask; got {len(first)} such"
            )
        first[0].register_forward_pre_hook(lambda _, inputs: self(inputs[0]))

    def __call__(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 _ _"]:
        """Pictures as the first convolution takes them."""
        if max(images.shape[-2:]) < self.side:
            images = F.interpolate(images, size=(self.side, self.side), mode="bilinear", antialias=False)
        mean, std = (images.new_tensor(values)[:, None, None] for values in (self.mean, self.std))
        return (images - mean) / std


class Frozen(nn.Module):
    """A network whose last layer alone learns; the rest stays in evaluation mode, batch norm included."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model.requires_grad_(False)
        model.get_classifier().requires_grad_(True)

    def train(self, mode: bool = True) -> "Frozen":
        """Set the last layer's mode."""
        super().train(mode)
        self.model.eval()
        self.model.get_classifier().train(mode)
        return self

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n k"]:
        """Logits."""
        logits: Tensor = self.model(images)
        return logits


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Inside, ``model`` is in evaluation mode."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def network_of(model: nn.Module) -> Any:
    """The network itself, with timm's ``forward_features`` and ``forward_head``, whether or not it is frozen."""
    return model.model if isinstance(model, Frozen) else model


def penultimate(model: nn.Module, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n c"]:
    """What the last layer of a victim sees."""
    network = network_of(model)
    features: Tensor = network.forward_head(network.forward_features(images), pre_logits=True)
    return features


def save_weights(model: nn.Module, file: Path, classes: Sequence[str] = ()) -> None:
    """Write a victim's weights, how it takes pictures, and its classes, atomically and without pickle."""
    inner = network_of(model)
    # One entry: safetensors writes several in an order that changes, and the same weights are to give the same file.
    stated = {STATED: json.dumps(asdict(intake_of(model)) | {"classes": classes})}
    with replacing(file) as temporary:
        save_file({name: tensor.contiguous() for name, tensor in inner.state_dict().items()}, temporary, stated)


def intake_of(model: nn.Module) -> Intake:
    """How a victim takes pictures."""
    intake: Intake = getattr(network_of(model), "intake", Intake())
    return intake


def stated_intake(file: Path) -> Intake | None:
    """How the network of a file that `save_weights` wrote takes pictures; None where the file does not say."""
    stated = _stated(file)
    return Intake(tuple(stated["mean"]), tuple(stated["std"]), stated["side"]) if stated else None


def stated_classes(file: Path) -> tuple[str, ...]:
    """The names of a network's classes, where its file says them; else none."""
    return tuple(_stated(file).get("classes", ()))


def _stated(file: Path) -> dict[str, Any]:
    """What `save_weights` wrote beside the weights; nothing where it did not."""
    with safe_open(file, "pt") as stored:
        stated: dict[str, Any] = json.loads((stored.metadata() or {}).get(STATED, "{}"))
    return stated


def read_weights(file: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file.

    Raises:
        ValueError: there is none.
    """
    if not file.is_file():
        raise ValueError(f"expected a safetensors file of weights, found none at {file}")
    try:
        return load_file(file)
    except SafetensorError as error:
        raise ValueError(
            f"{file} is no safetensors file ({error}); pickled weights are never opened, convert them first"
        ) from None


def load_backbone(model: Any, file: Path) -> None:
    """Fill everything but the last layer from a safetensors file.

    Raises:
        ValueError: there is none, or it has not the weights of this network.
    """
    stored = read_weights(file)
    head = {id(tensor) for tensor in model.get_classifier().parameters()}
    wanted = {name: tensor for name, tensor in model.state_dict(keep_vars=True).items() if id(tensor) not in head}
    fitting = {name: stored[name] for name in wanted if name in stored and stored[name].shape == wanted[name].shape}
    if missing := sorted(set(wanted) - set(fitting)):
        raise ValueError(
            f"{file} lacks {len(missing)} of {len(wanted)} tensors of this network, {missing[0]} among them; "
            "expected weights in timm's names, of a network as wide, saved for pictures of this size"
        )
    model.load_state_dict(fitting, strict=False)
