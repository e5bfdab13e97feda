"""The classifiers that are trained: five by the names of the paper, a fast small one, and any other timm model.

timm's stems are made for 224 px. Up to 64 px ResNet and DenseNet get a 3x3 stem of stride 1 without pooling, ViT
patches of 4 px, and VGG a linear head on its averaged features, as is usual for CIFAR. For CPUs the five come narrower,
too: each says which of its layers have fewer channels.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from unlearnable.options import NonNegativeInt, PositiveInt, Share
from unlearnable.registry import Registry
from unlearnable.victims.features import Frozen, Intake, evaluating, load_backbone, stated_intake
from unlearnable.victims.resnet9 import ResNet9

SMALL_SIDE = 64  # pictures up to this side are cropped as CIFAR is, larger ones as ImageNet is


@dataclass(frozen=True)
class Victim(ABC):
    """A frozen dataclass that builds a network.

    Attributes:
        pretrained: safetensors file of a backbone's weights, in timm's names; empty for training from scratch.
        frozen: train the last layer alone.

    Examples:
        >>> from unlearnable import victim_named
        >>> victim_named("resnet9:width=4").build(classes=10, size=32).get_classifier().out_features
        10
    """

    pretrained: str = field(default="", kw_only=True)
    frozen: bool = field(default=False, kw_only=True)

    @abstractmethod
    def network(self, classes: int, size: int) -> nn.Module:
        """The network with random weights; its ``get_classifier()`` is the last layer.

        Args:
            classes: number of outputs.
            size: side of the pictures in pixels.
        """

    def build(self, classes: int, size: int) -> nn.Module:
        """The network as training finds it.

        Raises:
            ValueError: ``pretrained`` is not weights of this network, or ``frozen`` comes without them.
        """
        model = self.network(classes, size)
        if self.pretrained:
            self.load(model)
        elif self.frozen:
            raise ValueError("a frozen victim needs pretrained=FILE: its random features would never be trained")
        return Frozen(model) if self.frozen else model

    def load(self, model: nn.Module) -> None:
        """Fill the network with the weights of ``pretrained``, and have it take pictures as they were trained.

        Raises:
            ValueError: they are not weights of this network.
        """
        file = Path(self.pretrained)
        load_backbone(model, file)
        (stated_intake(file) or self.usual_intake()).install(model)

    def usual_intake(self) -> Intake:
        """How weights take pictures whose file does not say so: in [0, 1], as all that was trained here."""
        return Intake()


victims: Registry[Victim] = Registry("victims")


def victim_named(spec: str) -> Victim:
    """A victim by its registered name, or by that of any timm model; both take ``pretrained`` and ``frozen``.

    Raises:
        ValueError: nobody knows it.

    Examples:
        >>> from unlearnable import victim_named
        >>> victim_named("resnet9:width=4").width, victim_named("resnet34").model
        (4, 'resnet34')
    """
    name, _, rest = spec.partition(":")
    if name in victims:
        return victims.make(spec)
    import timm

    if not timm.is_model(name):
        return victims.make(spec)
    return victims.make(f"timm:model={name}" + (f",{rest}" if rest else ""))


@victims.register("resnet9")
class ResNet9Victim(Victim):
    """A small residual network that two CPU cores train in minutes (after the DAWNBench entries of 2018).

    Attributes:
        pretrained: safetensors file of weights.
        frozen: train the last layer alone.
        width: channels of the first layer.
    """

    width: PositiveInt = 16

    def network(self, classes: int, size: int) -> nn.Module:
        """See `ResNet9`; pictures above 64 px are halved first."""
        return ResNet9(classes, self.width, stride=1 if size <= SMALL_SIDE else 2)


@dataclass(frozen=True)
class Scalable(Victim):
    """A victim that can be had narrower.

    Attributes:
        multiplier: of the channels of most layers; every victim says of which.
    """

    multiplier: Share = field(default=1.0, kw_only=True)

    def scaled(self, channels: int) -> int:
        """So many channels, or the part of them that is to be, at least one."""
        return max(1, round(channels * self.multiplier))


@victims.register("resnet18")
class ResNet18(Scalable):
    """ResNet-18 (He et al., 2016), the paper's main victim.

    Attributes:
        pretrained: safetensors file of weights.
        frozen: train the last layer alone.
        multiplier: of the channels of all layers but the first convolution.
    """

    def network(self, classes: int, size: int) -> nn.Module:
        """timm's, with a small stem for small pictures."""
        return _resnet(self, "resnet18", classes, size)


@victims.register("resnet50")
class ResNet50(Scalable):
    """ResNet-50 (He et al., 2016).

    Attributes:
        pretrained: safetensors file of weights.
        frozen: train the last layer alone.
        multiplier: of the channels of all layers but the first convolution.
    """

    def network(self, classes: int, size: int) -> nn.Module:
        """timm's, with a small stem for small pictures."""
        return _resnet(self, "resnet50", classes, size)


@victims.register("vgg19")
class Vgg19(Scalable):
    """VGG-19 with batch norm (Simonyan and Zisserman, 2015).

    Attributes:
        pretrained: safetensors file of weights.
        frozen: train the last layer alone.
        multiplier: of the channels of its sixteen convolutions; above 64 px the two layers of 4,096 stay.
    """

    def network(self, classes: int, size: int) -> nn.Module:
        """timm's; for small pictures one linear layer in place of the three, which expect 7x7 features."""
        from timm.models.vgg import VGG, cfgs

        layers = [layer if isinstance(layer, str) else self.scaled(layer) for layer in cfgs["vgg19"]]
        model: Any = VGG(layers, num_classes=classes, norm_layer=nn.BatchNorm2d)
        if size <= SMALL_SIDE:
            model.pre_logits = nn.Identity()
            model.head.fc = nn.Linear(model.num_features, classes)
            model.head_hidden_size = model.num_features
        network: nn.Module = model
        return network


@victims.register("densenet121")
class DenseNet121(Scalable):
    """DenseNet-121 (Huang et al., 2017).

    Attributes:
        pretrained: safetensors file of weights.
        frozen: train the last layer alone.
        multiplier: of the growth of 32, rounded, and with it of the channels of all layers.
    """

    def network(self, classes: int, size: int) -> nn.Module:
        """timm's, with a small stem for small pictures."""
        import timm

        model: Any = timm.create_model("densenet121", num_classes=classes, growth_rate=self.scaled(32))
        if size <= SMALL_SIDE:
            model.features.conv0 = nn.Conv2d(3, model.features.conv0.out_channels, 3, padding=1, bias=False)
            model.features.pool0 = nn.Identity()
        network: nn.Module = model
        return network


@victims.register("vit")
class ViT(Scalable):
    """A small vision transformer (Dosovitskiy et al., 2021): timm's ViT-S with averaged tokens.

    Attributes:
        pretrained: safetensors file of weights.
        frozen: train the last layer alone.
        multiplier: of the 64 features of each of the six heads, rounded.
        patch: side of a token in pixels; 0 for 4 up to 64 px and 16 above.
    """

    patch: NonNegativeInt = 0

    def network(self, classes: int, size: int) -> nn.Module:
        """Timm's for pictures of ``size``."""
        import timm

        patch = self.patch or (4 if size <= SMALL_SIDE else 16)
        if size % patch:
            raise ValueError(f"expected pictures whose side is a multiple of {patch} px for vit, got {size} px")
        shape: dict[str, Any] = {"img_size": size, "patch_size": patch, "class_token": False, "global_pool": "avg"}
        shape["embed_dim"] = 6 * self.scaled(64)
        model: Any = timm.create_model("vit_small_patch16_224", num_classes=classes, **shape)
        for block in model.blocks:  # fused, its gradient took longer on CPUs
            block.attn.fused_attn = False
        network: nn.Module = model
        return network


@victims.register("timm")
class Timm(Victim):
    """Any model of timm, as it is; ``NAME`` alone means the same as ``timm:model=NAME``.

    Attributes:
        model: timm's name.
        pretrained: safetensors file of weights.
        frozen: train the last layer alone.
    """

    model: str

    def network(self, classes: int, size: int) -> nn.Module:
        """Timm's own, told the size where it asks."""
        import timm

        if not timm.is_model(self.model):
            raise ValueError(f"timm knows no model {self.model!r}; see timm.list_models()")
        known = timm.get_pretrained_cfg(self.model)
        fixed = known is not None and known.fixed_input_size  # others take pictures of any size
        shape: dict[str, Any] = {"img_size": size} if fixed else {}
        return timm.create_model(self.model, num_classes=classes, **shape)

    def usual_intake(self) -> Intake:
        """What timm states of the network's own weights."""
        import timm

        known = timm.get_pretrained_cfg(self.model)
        return Intake(tuple(known.mean), tuple(known.std)) if known else Intake()


def built_for(victim: Victim, classes: int, height: int, width: int) -> nn.Module:
    """The network as training finds it, once it has been shown a picture of so many pixels.

    Raises:
        ValueError: it cannot be built, or cannot take the picture.
    """
    try:
        model = victim.build(classes, width)
        with torch.inference_mode(), evaluating(model):
            model(torch.zeros(1, 3, height, width))
    except (ValueError, OSError):
        raise
    except Exception as error:  # whatever the network's author checks, or does not
        raise ValueError(
            f"expected pictures that {victim} can take, got {width}x{height} px: {str(error) or repr(error)}"
        ) from error
    return model


def _resnet(victim: Scalable, name: str, classes: int, size: int) -> nn.Module:
    import timm

    channels = tuple(map(victim.scaled, (64, 128, 256, 512)))
    model = timm.create_model(name, num_classes=classes, channels=channels)
    if size <= SMALL_SIDE:
        model.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        model.maxpool = nn.Identity()
    return model
