"""The way a picture goes before anybody trains on it: a platform, a scraper, the size at which is trained.

Test pictures, and clean ones that the trainer holds, come from the web like those trained on, and go the same way.
"""

from abc import abstractmethod
from typing import Annotated, ClassVar

import numpy as np
import torch
from annotated_types import Ge
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image
from torch import Tensor

from unlearnable.countermeasures.preprocess import Preprocess
from unlearnable.images.imageset import Images8
from unlearnable.images.platforms import PLATFORMS, SCRAPERS, Picture, PlatformName, Preset, ScraperName
from unlearnable.options import NonNegativeInt
from unlearnable.training.chain import split_chain
from unlearnable.training.countermeasure import countermeasures

WAY = ("platform", "scrape")


class Travel(Preprocess):
    """What is done to every picture on its way, trained on or tested, one after the other."""

    test: ClassVar[bool] = True  # type: ignore[misc]

    @abstractmethod
    def arrived(self, picture: Picture) -> UInt8[ndarray, "h2 w2 3"]:
        """The picture afterwards."""

    def transform(self, images: Images8) -> UInt8[Tensor, "n 3 h2 w2"]:
        """See `Preprocess`."""
        pictures = images.permute(0, 2, 3, 1).contiguous().cpu().numpy()
        arrived = np.stack([self.arrived(picture) for picture in pictures])
        return torch.from_numpy(arrived).permute(0, 3, 1, 2).contiguous().to(images.device)


class Published(Travel):
    """What a `Preset` does.

    Attributes:
        pixels: which of its sizes; 0 for the first.
    """

    pixels: int

    @property
    @abstractmethod
    def preset(self) -> Preset:
        """That of its name."""

    def __post_init__(self) -> None:
        if self.pixels and self.pixels not in self.preset.sizes:
            raise ValueError(f"expected pixels among {', '.join(map(str, self.preset.sizes))}, got {self.pixels}")

    def resized(self, height: int, width: int) -> tuple[int, int]:
        """See `Countermeasure`."""
        return self.preset.resized(height, width, self.pixels or self.preset.sizes[0])

    def arrived(self, picture: Picture) -> UInt8[ndarray, "h2 w2 3"]:
        """See `Travel`."""
        return self.preset.applied(picture, self.pixels or self.preset.sizes[0])


@countermeasures.register("platform")
class Platform(Published):
    """Publish on a platform, and take what it serves; never larger than it was. The presets are in docs/route.md.

    Attributes:
        name: of the platform.
        pixels: which of the sizes that it serves; 0 for the usual one.
    """

    name: PlatformName = "instagram"
    pixels: NonNegativeInt = 0

    @property
    def preset(self) -> Preset:
        """See `Published`."""
        return PLATFORMS[self.name]


@countermeasures.register("scrape")
class Scrape(Published):
    """Collect with img2dataset, as large sets of pictures are made. The presets are in docs/route.md.

    Attributes:
        name: of the set whose options are taken.
        pixels: which of its sizes; 0 for the usual one.
    """

    name: ScraperName = "laion"
    pixels: NonNegativeInt = 0

    @property
    def preset(self) -> Preset:
        """See `Published`."""
        return SCRAPERS[self.name]


@countermeasures.register("size")
class Size(Travel):
    """Reduce to the size at which is trained, bicubic with antialiasing, as pictures are read here; enlarge nothing.

    Attributes:
        pixels: of the shorter side.
    """

    pixels: Annotated[int, Ge(8)] = 64  # victims halve the side three times

    def resized(self, height: int, width: int) -> tuple[int, int]:
        """See `Countermeasure`.

        Raises:
            ValueError: the pictures are smaller.
        """
        short = min(height, width)
        if short < self.pixels:
            raise ValueError(
                f"expected pictures of at least {self.pixels} px to reduce to that size, got {width}x{height} px; "
                "nothing is enlarged: take a smaller one"
            )
        return round(height * self.pixels / short), round(width * self.pixels / short)

    def arrived(self, picture: Picture) -> UInt8[ndarray, "h2 w2 3"]:
        """See `Travel`."""
        height, width = self.resized(picture.shape[0], picture.shape[1])
        if (height, width) == picture.shape[:2]:
            return picture
        return np.array(Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC))


def trained_at(spec: str, pixels: int) -> str:
    """A countermeasure for pictures that are published larger: what else it does is done at ``pixels`` px.

    Platform and scraper come before, as they do on the web; a chain that names its own size is left as it is.
    """
    links = [link for link in split_chain(spec) if link != "vanilla"]
    names = [link.partition(":")[0] for link in links]
    if "size" in names:
        return spec
    place = max((place for place, name in enumerate(names, 1) if name in WAY), default=0)
    return "+".join([*links[:place], f"size:pixels={pixels}", *links[place:]])
