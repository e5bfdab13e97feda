"""The invertible hiding network of Deep Hiding, eqs. 3 and 4 (its architecture: HiNet, Jing et al., ICCV 2021).

The state is a pair of twelve wavelet channels at half resolution: the cover's and the secret's. Every block
adds to the cover what it computes from the secret, then scales and shifts the secret by what it computes from
the new cover. What leaves the network on the cover's side is the published picture (*stego*); what leaves on
the secret's side is a *latent* that is thrown away and replaced by noise when the secret is revealed.
"""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from unlearnable.hiding.masking import PLANES_POWER, POWER, coloured, masked
from unlearnable.hiding.wavelet import haar, inverse_haar
from unlearnable.images.imageset import Images
from unlearnable.storage.atomic import replacing, write
from unlearnable.storage.decode import from_json

Bands = Float[Tensor, "n 12 h2 w2"]

CONFIG, WEIGHTS = "config.json", "model.safetensors"
MIN_SIDE = 8
CHANNELS = 12  # three colours times four wavelet bands


class DenseBlock(nn.Module):
    """Five 3x3 convolutions, each seeing the input and all earlier outputs (HiNet's phi, rho and eta).

    The block computes in ``dtype`` and answers in the type of its input: a network with bf16 sub-networks keeps
    its state, and its weights in training, in fp32.
    """

    convs: Sequence[nn.Conv2d]

    def __init__(self, growth: int) -> None:
        super().__init__()
        self.dtype = torch.float32
        outputs = [growth] * 4 + [CHANNELS]
        convs = [nn.Conv2d(CHANNELS + growth * depth, out, 3, padding=1) for depth, out in enumerate(outputs)]
        self.convs = nn.ModuleList(convs)  # type: ignore[assignment]
        for parameter in self.parameters():  # as HiNet draws them
            nn.init.normal_(parameter, std=0.01)
        for parameter in self.convs[4].parameters():  # the last layer is silent at first: the exact identity
            nn.init.zeros_(parameter)

    def forward(self, bands: Bands) -> Bands:
        """(n, 12, h, w) to the same shape."""
        features = bands.to(self.dtype, memory_format=torch.channels_last)
        for conv in self.convs[:4]:
            features = torch.cat([features, F.leaky_relu_(self._apply_conv(conv, features), 0.01)], dim=1)
        return self._apply_conv(self.convs[4], features).to(bands.dtype)

    def _apply_conv(self, conv: nn.Conv2d, features: Tensor) -> Tensor:
        return F.conv2d(features, conv.weight.to(self.dtype), conv.bias.to(self.dtype), padding=1)  # type: ignore[union-attr]


class CouplingBlock(nn.Module):
    """One affine coupling: eq. 3 forward, eq. 4 backward, exactly inverse to each other."""

    def __init__(self, growth: int, alpha: float) -> None:
        super().__init__()
        self.alpha = alpha
        self.phi, self.rho, self.eta = DenseBlock(growth), DenseBlock(growth), DenseBlock(growth)

    def log_scale(self, cover: Bands) -> Bands:
        """Alpha * rho(cover), squashed into [-alpha, alpha]: 2 alpha (sigmoid(r) - 1/2) = alpha tanh(r / 2)."""
        log_scale: Bands = self.alpha * torch.tanh(self.rho(cover) / 2)
        return log_scale

    def hide_in_cover(self, cover: Bands, secret: Bands) -> Bands:
        """Eq. 3, left: the cover takes up what phi sees in the secret."""
        taken_up: Bands = cover + self.phi(secret)
        return taken_up

    def transform_secret(self, cover: Bands, secret: Bands) -> Bands:
        """Eq. 3, right: the secret is scaled and shifted by what the new cover says."""
        transformed: Bands = secret * torch.exp(self.log_scale(cover)) + self.eta(cover)
        return transformed

    def inverse(self, cover: Bands, secret: Bands) -> tuple[Bands, Bands]:
        """Eq. 4."""
        secret = (secret - self.eta(cover)) * torch.exp(-self.log_scale(cover))
        return cover - self.phi(secret), secret


class Hider(nn.Module):
    """Hides a picture in a picture, and reveals it.

    Pictures are float tensors (n, 3, h, w), RGB in [0, 1], any h and w from 8 px up. The defaults are the
    paper's network: 4,050,240 parameters, and the exact identity before training.

    Args:
        blocks: number of coupling blocks (paper and HiNet: 16).
        growth: channels that each layer of a dense block adds (HiNet: 32).
        alpha: bound of the log-scale in eq. 3 (HiNet's ``clamp``: 2).
        mask: whether the perturbation goes through `masking.masked` (the paper's does not).
        planes: whether its planes are those of `masking.coloured`; else red, green and blue, as the paper's.
        drawings: version of the drawings that it hides (`semantics.render.STYLES`).

    Examples:
        >>> import torch
        >>> from unlearnable import Hider
        >>> hider = Hider(blocks=2, growth=4)
        >>> cover, secret = torch.rand(2, 1, 3, 32, 32)
        >>> torch.equal(hider.hide(cover, secret), cover)  # before training
        True
        >>> hider.reveal(cover)[1].shape
        torch.Size([1, 3, 32, 32])
    """

    blocks: Sequence[CouplingBlock]

    def __init__(
        self,
        blocks: int = 16,
        growth: int = 32,
        alpha: float = 2.0,
        mask: bool = False,
        planes: bool = False,
        drawings: int = 2,
    ) -> None:
        super().__init__()
        self.config = {
            "blocks": blocks,
            "growth": growth,
            "alpha": alpha,
            "mask": mask,
            "planes": planes,
            "drawings": drawings,
        }
        self.mask, self.planes, self.drawings = mask, planes, drawings
        self.blocks = nn.ModuleList(CouplingBlock(growth, alpha) for _ in range(blocks))  # type: ignore[assignment]

    def compute_in(self, dtype: torch.dtype) -> "Hider":
        """Let the sub-networks compute in ``dtype``; state and stored weights stay as they are."""
        for module in self.modules():
            if isinstance(module, DenseBlock):
                module.dtype = dtype
        return self

    def forward(self, cover: Images, secret: Images) -> tuple[Images, Bands]:
        """Eq. 3 alone, unmasked, and the true latent (n, 12, ceil(h/2), ceil(w/2)) that `reveal` would invert."""
        change, state, hidden = self._take_up(cover, secret)
        return cover + change, self.blocks[-1].transform_secret(state, hidden)

    def perturbation(self, cover: Images, secret: Images) -> Images:
        """What `hide` adds to the cover. Spares the last block's rho and eta, which only make the latent."""
        change = self._take_up(cover, secret)[0]
        change = coloured(change) if self.planes else change
        return masked(change, cover, PLANES_POWER if self.planes else POWER) if self.mask else change

    def _take_up(self, cover: Images, secret: Images) -> tuple[Images, Bands, Bands]:
        """Eq. 3 up to the last cover: its change as a picture, its state, and the secret that was taken up."""
        start, hidden = haar(_even(cover)), haar(_even(secret))
        state = start
        for block in self.blocks[:-1]:
            state = block.hide_in_cover(state, hidden)
            hidden = block.transform_secret(state, hidden)
        state = self.blocks[-1].hide_in_cover(state, hidden)
        return _change(state - start, cover), state, hidden

    def hide(self, cover: Images, secret: Images) -> Images:
        """Hide ``secret`` in ``cover`` and return the stego picture: not clamped, not rounded.

        Raises:
            ValueError: the two shapes differ, or a side is shorter than 8 px.
        """
        _check(cover, secret)
        return cover + self.perturbation(cover, secret)

    def reveal(self, stego: Images, latent: Bands | None = None) -> tuple[Images, Images]:
        """Run the network backwards: ``(cover, secret)``.

        Args:
            stego: published pictures.
            latent: what `forward` returned beside the stego picture, for an exact inverse (of pictures with
                even sides); fresh N(0, 1) noise when None, as the paper does.
        """
        _check(stego, stego)
        state = haar(_even(stego))
        hidden = torch.randn_like(state) if latent is None else latent
        for block in reversed(self.blocks):
            state, hidden = block.inverse(state, hidden)
        height, width = stego.shape[-2:]
        return inverse_haar(state)[..., :height, :width], inverse_haar(hidden)[..., :height, :width]

    def save(self, folder: str | Path) -> None:
        """Write ``model.safetensors`` and ``config.json`` into ``folder``, which is made if need be."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {name: tensor.detach().contiguous().cpu() for name, tensor in self.state_dict().items()}
        with replacing(folder / WEIGHTS) as temporary:
            save_file(tensors, temporary)
            temporary.chmod(0o644)
        write(folder / CONFIG, json.dumps(self.config, indent=2) + "\n")

    @classmethod
    def load(cls, source: str | Path) -> "Hider":
        """Load a folder that `save` wrote, or a Hugging Face hub id such as ``user/hider``.

        Weights may be stored in half precision; the network is built in fp32. Nothing is ever unpickled.

        Raises:
            FileNotFoundError: ``source`` is neither a folder with both files nor a hub id.
            ValueError: the files are not those of a `Hider`.
        """
        folder = weights_folder(source)
        try:
            hider = cls(**from_json((folder / CONFIG).read_text(), dict))
            hider.load_state_dict(load_file(folder / WEIGHTS))
        except (SafetensorError, TypeError, ValueError, RuntimeError) as error:
            raise ValueError(
                f"expected the weights of a hider in {folder}, as Hider.save writes them: {error}"
            ) from None
        return hider.eval()


def weights_folder(source: str | Path) -> Path:
    """The local folder of weights named by a path or a hub id.

    The hub is asked once a process, so that all of it hides with the same weights; nothing that it holds is unpickled.

    Raises:
        FileNotFoundError: it is neither, or a file is missing.
    """
    folder = Path(source)
    if not folder.is_dir():
        folder = _download(str(source))
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"expected {name} in {folder}, as Hider.save writes it")
    return folder


def latent_noise(stego: Images, generator: torch.Generator) -> Bands:
    """N(0, 1) noise from ``generator``, of the shape that `Hider.reveal` takes for ``stego`` and on its device."""
    count, _, height, width = stego.shape
    shape = (count, CHANNELS, -(-height // 2), -(-width // 2))
    return torch.randn(shape, generator=generator).to(stego.device)


def _check(cover: Tensor, secret: Tensor) -> None:
    if cover.shape != secret.shape:
        raise ValueError(f"cover and secret differ in shape: {tuple(cover.shape)} and {tuple(secret.shape)}")
    if min(cover.shape[-2:]) < MIN_SIDE:
        raise ValueError(f"expected sides of at least {MIN_SIDE} px, got {tuple(cover.shape[-2:])}")


def _even(pictures: Tensor) -> Tensor:
    """Reflect the last row and column where a side is odd."""
    height, width = pictures.shape[-2:]
    if height % 2 or width % 2:
        return F.pad(pictures, (0, width % 2, 0, height % 2), mode="reflect")
    return pictures


def _change(bands: Tensor, like: Tensor) -> Tensor:
    return inverse_haar(bands)[..., : like.shape[-2], : like.shape[-1]]


@cache
def _download(hub_id: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        return Path(snapshot_download(hub_id, allow_patterns=[CONFIG, WEIGHTS]))
    except HFValidationError as error:
        message = f"expected a folder with weights or a hub id like 'user/hider', got {hub_id!r}"
        raise FileNotFoundError(message) from error
