"""The network whose features eq. 7 concentrates: a ResNet-18 that was trained on photographs, never trained here."""

from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import safe_open
from torch import Tensor, nn

from unlearnable.images.imageset import Images
from unlearnable.images.quality import as_picture
from unlearnable.victims.architectures import SMALL_SIDE, ResNet18

IMAGENET = "resnet18.tv_in1k"  # torchvision's weights as safetensors, from timm's hub
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Extractor(nn.Module):
    """Flattened features of the last convolution.

    Args:
        network: with timm's ``forward_features``.
        normalised: whether it was trained on pictures normalised as ImageNet's are.
    """

    def __init__(self, network: nn.Module, normalised: bool) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(False)
        mean, std = (MEAN, STD) if normalised else ((0.0,) * 3, (1.0,) * 3)
        self.register_buffer("mean", torch.tensor(mean)[:, None, None])
        self.register_buffer("std", torch.tensor(std)[:, None, None])

    @classmethod
    def named(cls, name: str) -> "Extractor":
        """``imagenet`` for torchvision's weights, downloaded without pickle; else a file of `unlearnable fit`.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it does not hold a ``resnet18``.
        """
        if name == "imagenet":
            import timm

            return cls(timm.create_model(IMAGENET, pretrained=True), normalised=True)
        file = Path(name)
        if not file.is_file():
            raise FileNotFoundError(f"expected imagenet or the weights of a resnet18, as fit writes them; got {name}")
        return cls(ResNet18(pretrained=name).build(2, _side(file)), normalised=False)

    def forward(self, change: Images, eps: float) -> Float[Tensor, "n d"]:
        """Features of a perturbation, seen `as_picture`."""
        seen = as_picture(change, eps)
        features: Tensor = self.network.forward_features((seen - self.mean) / self.std)  # type: ignore[operator]
        return features.flatten(1)


def _side(file: Path) -> int:
    """A side of pictures for which this network is built: its stem tells small from large."""
    with safe_open(file, framework="pt") as stored:
        stem = stored.get_slice("conv1.weight").get_shape() if "conv1.weight" in stored.keys() else []  # noqa: SIM118
    return SMALL_SIDE if stem[-1:] == [3] else 2 * SMALL_SIDE
