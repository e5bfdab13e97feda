"""A small network that reads what the reverse pass reveals: a picture that people can name (not in the paper).

The reverse pass of eq. 4 puts noise in the place of what was thrown away, and its few blocks were trained to hide, too:
of a change of five grey levels, most of it between yellow and blue, it shows a shadow. A U-Net (Ronneberger et al.,
2015) that has seen many drawings, published and revealed, says what the shadow is of. It knows drawings alone: of a
bank's pictures it would make drawings.
"""

from itertools import pairwise
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from unlearnable.images.imageset import Images
from unlearnable.storage.atomic import replacing

READER = "reader.safetensors"
SEEN = 9  # channels: the published picture, what is fine in it, and what the reverse pass reveals
WINDOW = 9  # px, odd, over which it is smoothed to tell what is fine
GAIN = 8.0  # of what is fine: a few grey levels
LEVELS = 4  # each of half the side

Features = Float[Tensor, "n c h w"]


class Reader(nn.Module):
    """Published pictures and what is revealed in them, both (n, 3, h, w) in [0, 1], to the secrets; any h and w.

    Args:
        channels: of the finest level, a multiple of 4; each coarser one has half as many more.
    """

    def __init__(self, channels: int = 24) -> None:
        super().__init__()
        widths = [channels * (2 + level) // 2 for level in range(LEVELS)]
        self.enter = _convs(SEEN, channels)
        self.down = nn.ModuleList(_convs(fine, coarse) for fine, coarse in pairwise(widths))
        self.up = nn.ModuleList(_convs(fine + coarse, fine) for fine, coarse in pairwise(widths))
        self.leave = nn.Conv2d(channels, 3, 3, padding=1)
        nn.init.zeros_(self.leave.weight)  # at first it says what is revealed
        assert self.leave.bias is not None
        nn.init.zeros_(self.leave.bias)

    def forward(self, published: Images, revealed: Images) -> Images:
        """The secrets, not clamped."""
        height, width = published.shape[-2:]
        smooth = F.avg_pool2d(published, WINDOW, stride=1, padding=WINDOW // 2, count_include_pad=False)
        seen = torch.cat([published, GAIN * (published - smooth), revealed], 1)
        multiple = 2 ** (LEVELS - 1)
        padded = F.pad(seen, (0, -width % multiple, 0, -height % multiple), mode="replicate")
        finer = [self.enter(padded.contiguous(memory_format=torch.channels_last))]
        for convs in self.down:
            finer.append(convs(F.avg_pool2d(finer[-1], 2)))
        features = finer.pop()
        for convs in reversed(self.up):
            features = F.interpolate(features, scale_factor=2.0, mode="nearest")
            features = convs(torch.cat([finer.pop(), features], 1))
        read: Images = revealed + self.leave(features)[..., :height, :width].to(revealed.dtype)
        return read

    def save(self, folder: Path) -> None:
        """Write it beside a hider's weights, in half precision."""
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {name: tensor.detach().half().contiguous().cpu() for name, tensor in self.state_dict().items()}
        with replacing(folder / READER) as temporary:
            save_file(tensors, temporary)
            temporary.chmod(0o644)

    @classmethod
    def load(cls, folder: Path) -> "Reader | None":
        """The one beside a hider's weights; None where there is none. Nothing is ever unpickled.

        Raises:
            ValueError: the file is not that of a `Reader`.
        """
        if not (folder / READER).is_file():
            return None
        try:
            tensors = load_file(folder / READER)
            reader = cls(tensors["leave.weight"].shape[1])
            reader.load_state_dict(tensors)
        except (SafetensorError, KeyError, IndexError, RuntimeError) as error:
            raise ValueError(f"expected the weights of a reader in {folder / READER}: {error}") from None
        return reader.eval().requires_grad_(False)


def _convs(inputs: int, outputs: int) -> nn.Sequential:
    """Two convolutions, normalised over groups of channels."""
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [nn.Conv2d(channels, outputs, 3, padding=1), nn.GroupNorm(2, outputs), nn.SiLU()]
    return nn.Sequential(*layers)
