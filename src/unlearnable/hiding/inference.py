"""Hide and reveal 8-bit pictures fast: sub-networks in bf16 where the hardware gains, channels last, in chunks."""

import copy
import hashlib
from importlib.resources import files
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor
from torch.nn import functional as F

from unlearnable.compute.devices import at_once, best_device, fastest_dtype
from unlearnable.hiding.network import MIN_SIDE, WEIGHTS, Hider, latent_noise, weights_folder
from unlearnable.images.imageset import Images8

GENERATIONS = ("first", "second", "third")  # of weights, in the order in which they came
DEFAULT = GENERATIONS[-1]
CHUNK_PIXELS = 64 * 64 * 64  # a batch larger than this runs piece by piece: its features would leave the caches


def weights_named(name: str | Path | None = None) -> Path:
    """The folder of a generation that comes with the package, of weights of one's own, or of a hub id.

    Args:
        name: one of `GENERATIONS` (the last when None), a folder, or a hub id; names of generations go first.

    Raises:
        FileNotFoundError: it is none of them, or a file is missing.
    """
    name = str(name or DEFAULT)
    return weights_folder(Path(str(files("unlearnable.hiding") / "weights" / name)) if name in GENERATIONS else name)


def weights_digest(folder: Path) -> str:
    """SHA-256 of the network's weights, as the report of a protected folder keeps it."""
    return hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()


def generation_of(digest: str) -> str | None:
    """The name of the generation that comes with the package and has this `weights_digest`; None for other weights."""
    return next((name for name in GENERATIONS if weights_digest(weights_named(name)) == digest), None)


def weights_recorded(digest: str, name: str | Path | None = None) -> Path:
    """The folder of the weights that a report names by their `weights_digest`.

    Args:
        digest: of the report.
        name: as for `weights_named`; the generation of that digest, where it ships, when None.

    Raises:
        FileNotFoundError: there are no such weights.
        ValueError: they are others.
    """
    folder = weights_named(name or generation_of(digest))
    if (found := weights_digest(folder)) != digest:
        raise ValueError(
            f"expected the weights {digest[:16]}, as the report says, got {found[:16]} in {folder}: name the --weights "
            "with which the folder was protected"
        )
    return folder


def prepare(hider: Hider, device: torch.device | None = None) -> Hider:
    """A copy of ``hider`` on ``device`` for use, not for training; its state stays in fp32."""
    device = device or best_device()
    dtype = fastest_dtype(device)
    prepared = copy.deepcopy(hider).to(device, dtype).to(memory_format=torch.channels_last)
    prepared.eval().requires_grad_(False)
    return prepared.compute_in(dtype)


@torch.inference_mode()
def perturbations(hider: Hider, covers: Images8, secrets: Images8) -> Float[Tensor, "n 3 h w"]:
    """What hiding adds to each cover, in grey levels of 255, on the CPU; any side from 1 px up."""
    chunks = [
        hider.perturbation(_unit(hider, cover), _unit(hider, secret)).cpu() * 255
        for cover, secret in zip(_chunks(covers), _chunks(secrets), strict=True)
    ]
    return torch.cat(chunks)[..., : covers.shape[-2], : covers.shape[-1]]


@torch.inference_mode()
def reveal_secrets(hider: Hider, published: Images8, seed: int = 0) -> Images8:
    """The secrets in published pictures, on the CPU, with the latent noise of ``seed``."""
    generator = torch.Generator().manual_seed(seed)
    revealed = []
    for chunk in _chunks(published):
        stego = _unit(hider, chunk)
        revealed.append(hider.reveal(stego, latent_noise(stego, generator))[1].cpu())
    secrets = torch.cat(revealed)[..., : published.shape[-2], : published.shape[-1]]
    return secrets.clamp(0, 1).mul(255).round().to(torch.uint8)


def reveal_secret(hider: Hider, published: UInt8[ndarray, "3 h w"]) -> UInt8[ndarray, "3 h w"]:
    """The secret in one published picture."""
    return reveal_secrets(hider, torch.from_numpy(published.copy())[None])[0].numpy()


def _chunks(pictures: Tensor) -> tuple[Tensor, ...]:
    return torch.split(pictures, at_once(pictures, CHUNK_PIXELS))


def _unit(hider: Hider, pictures: Tensor) -> Tensor:
    """On the network's device, in [0, 1], with sides of at least 8 px."""
    unit = pictures.to(next(hider.parameters()).device).float() / 255
    height, width = unit.shape[-2:]
    padding = (0, max(0, MIN_SIDE - width), 0, max(0, MIN_SIDE - height))
    return F.pad(unit, padding, mode="replicate") if any(padding) else unit
