"""Weights in the layout of HiNet's own code (Jing et al., ICCV 2021), read as those of a `Hider`."""

import re
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from unlearnable.hiding.network import Hider

NETWORKS = {"f": "phi", "r": "rho", "y": "eta", "g": "eta"}  # as HiNet calls them, and as the paper does
NAME = re.compile(r"(?:.*\.)?inv([1-9]\d*)\.([fryg])\.conv([1-5])\.(weight|bias)")
EXAMPLE = "inv1.r.conv1.weight"


def read_hinet(file: Path) -> Hider:
    """The network of a checkpoint that HiNet's code wrote; only tensors are unpickled, no code is run.

    Args:
        file: of ``torch.save``: a state dict, or a dict that holds one as ``net``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds no such weights.
    """
    if not file.is_file():
        raise FileNotFoundError(f"expected a file of HiNet's weights, found none at {file}")
    state = hinet_state_dict(_state_dict(file))
    first = state.get("blocks.0.phi.convs.0.weight")
    blocks = len({name.split(".")[1] for name in state})
    hider = Hider(blocks, len(first) if first is not None and first.ndim else 1)
    shapes, expected = ({name: tuple(of.shape) for name, of in each.items()} for each in (state, hider.state_dict()))
    if wrong := sorted(name for name in shapes | expected if shapes.get(name) != expected.get(name)):
        got, wanted = (each.get(wrong[0], "nothing") for each in (shapes, expected))
        raise ValueError(f"expected {blocks} whole blocks of one width in {file}: {wanted} at {wrong[0]}, got {got}")
    hider.load_state_dict(state)
    return hider.eval()


def hinet_state_dict(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename weights in HiNet's own layout (``inv1.r.conv1.weight``) to a `Hider`'s.

    Prefixes such as ``module.model.`` are dropped, and what HiNet itself passes over: ``tmp_var``.

    Raises:
        ValueError: a name is not in HiNet's layout.
    """
    renamed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if "tmp_var" in name:
            continue
        parts = NAME.fullmatch(name)
        if not parts:
            raise ValueError(f"expected names such as {EXAMPLE}, got {name!r}")
        block, network, conv, kind = parts.groups()
        renamed[f"blocks.{int(block) - 1}.{NETWORKS[network]}.convs.{int(conv) - 1}.{kind}"] = tensor
    return renamed


def _state_dict(file: Path) -> dict[str, Tensor]:
    try:
        content: Any = torch.load(file, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise ValueError(f"expected tensors alone in {file}, as torch.save writes a state dict: {error}") from None
    state = content.get("net", content) if isinstance(content, dict) else content
    named = isinstance(state, dict) and all(isinstance(name, str) for name in state)
    if not named or not state or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise ValueError(f"expected a state dict in {file}, with names such as {EXAMPLE}, alone or as 'net'")
    return dict(state)
