"""A small residual network (after the DAWNBench entries of 2018), with timm's names for its parts."""

from jaxtyping import Float
from torch import Tensor, nn


class ResNet9(nn.Module):
    """Eight 3x3 convolutions with batch norm, two of the four stages residual, the largest feature, a linear layer.

    Args:
        classes: number of outputs.
        width: channels of the first layer; the later ones have two, four and eight times as many.
        stride: of the first layer.
    """

    def __init__(self, classes: int, width: int = 16, stride: int = 1) -> None:
        super().__init__()
        w1, w2, w4, w8 = width, 2 * width, 4 * width, 8 * width
        self.features = nn.Sequential(
            _convolution(3, w1, stride),
            _convolution(w1, w2),
            nn.MaxPool2d(2),
            Residual(w2),
            _convolution(w2, w4),
            nn.MaxPool2d(2),
            _convolution(w4, w8),
            nn.MaxPool2d(2),
            Residual(w8),
        )
        self.head = nn.Linear(w8, classes, bias=False)

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n k"]:
        """Logits, an eighth of the last layer's: large ones make the first steps explode."""
        return self.forward_head(self.forward_features(images))

    def forward_features(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n c h2 w2"]:
        """The last convolution's features."""
        features: Tensor = self.features(images)
        return features

    def forward_head(self, features: Float[Tensor, "n c h w"], pre_logits: bool = False) -> Float[Tensor, "n k"]:
        """Logits of `forward_features`, or as in timm with ``pre_logits`` what the last layer sees."""
        largest = features.amax((2, 3))
        return largest if pre_logits else self.head(largest) / 8

    def get_classifier(self) -> nn.Module:
        """The last layer."""
        return self.head


class Residual(nn.Module):
    """Two convolutions beside the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(_convolution(channels, channels), _convolution(channels, channels))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """The sum of both paths."""
        total: Tensor = x + self.layers(x)
        return total


def _convolution(channels: int, out: int, stride: int = 1) -> nn.Sequential:
    layer = nn.Conv2d(channels, out, 3, stride, padding=1, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(out), nn.ReLU(inplace=True))
