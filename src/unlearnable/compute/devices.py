"""Where to compute, in which precision, how much at once, and repeatably."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
from jaxtyping import Shaped
from numpy import ndarray
from torch import Tensor


@cache
def has_fast_bf16(device: torch.device) -> bool:
    """Whether bf16 convolutions beat fp32 ones: CUDA from Ampere on, CPUs with AMX or AVX-512-BF16."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    capabilities = torch.cpu.get_capabilities()
    return device.type == "cpu" and any(capabilities.get(unit) for unit in ("amx_bf16", "avx512_bf16"))


def fastest_dtype(device: torch.device) -> torch.dtype:
    """What networks compute in there."""
    return torch.bfloat16 if has_fast_bf16(device) else torch.float32


def fast(device: torch.device) -> torch.autocast:
    """Compute in bf16 inside, where the hardware gains."""
    return torch.autocast(device.type, torch.bfloat16, enabled=has_fast_bf16(device))


def at_once(images: Shaped[Tensor | ndarray, "n 3 h w"], pixels: int = 1 << 19, side: int = 0) -> int:
    """How many of such pictures to compute with at once; what a network in evaluation mode answers hangs on no others.

    Args:
        images: of any number.
        pixels: of all of them, about; 512 pictures of 32 px keep a GPU busy, and a victim's features small.
        side: to which the network enlarges smaller ones.
    """
    return max(1, pixels // max(math.prod(images.shape[-2:]), side**2))


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Everything drawn inside depends on ``seed`` alone, and nothing outside on it."""
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(cuda), torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
        torch.manual_seed(seed)
        yield


def generator_states(device: torch.device) -> dict[str, Tensor]:
    """Where the generators stand of which `seeded` is in charge."""
    states = {"random.cpu": torch.get_rng_state()}
    return states | ({"random.cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {})


def restore_generators(states: dict[str, Tensor], device: torch.device) -> None:
    """Put the generators back to where they stood; other names in ``states`` are passed over."""
    torch.set_rng_state(states["random.cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states["random.cuda"], device)


def best_device() -> torch.device:
    """CUDA where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_named(name: str | None) -> torch.device:
    """The device of a name such as ``cuda:0``; the best one when None.

    Raises:
        ValueError: there is no such device here.
    """
    if name is None:
        return best_device()
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"expected a torch device that is here, such as cpu; got {name!r}: {error}") from None


def name_of(device: torch.device) -> str:
    """What the device calls itself, for results."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return str(torch.cpu.get_capabilities().get("cpu_name", device.type))


class DivergedError(ArithmeticError):
    """A loss was not finite, or exploded again and again."""
