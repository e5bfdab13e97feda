"""What is done to every training picture once: filters, grey, fewer bits, JPEG, a smaller size.

The field's rule (ISS, APBench): the training pictures alone, before crop and flip; the classifier is tested on
pictures as they come. ``test=true`` treats those, too, as a trainer in earnest would.
"""

import io
from abc import abstractmethod
from dataclasses import replace
from typing import Annotated, ClassVar

import numpy as np
import torch
from annotated_types import Interval
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from unlearnable.images.imageset import Images8, ImageSet, to_bytes
from unlearnable.options import OddInt, PositiveFloat
from unlearnable.training.countermeasure import Countermeasure, Knowledge, countermeasures

CHUNK_VALUES = 1 << 22  # of a batch that filters copy several times


class Preprocess(Countermeasure):
    """A transformation of 8-bit pictures.

    Attributes:
        test: whether the classifier's pictures are treated, too.
    """

    repeatable: ClassVar[bool] = True
    test: bool

    @abstractmethod
    def transform(self, images: Images8) -> Images8:
        """Picture by picture, always the same."""

    def check_serves(self, clean: ImageSet) -> None:
        """See `Countermeasure`: one picture tells."""
        super().check_serves(clean)
        self.transform(clean.images[:1])

    def purify(self, data: ImageSet, knowledge: Knowledge) -> ImageSet:
        """`transform` the training set."""
        return replace(data, images=self._all(data.images))

    def deploy(self, images: Images8) -> Images8:
        """`transform` if ``test``."""
        return self._all(images) if self.test else images

    def _all(self, images: Images8) -> Images8:
        count = max(1, CHUNK_VALUES // images[0].numel())
        return torch.cat([self.transform(chunk) for chunk in images.split(count)])


@countermeasures.register("mean")
class MeanFilter(Preprocess):
    """Mean over a square, mirrored at the border as OpenCV does (paper: MeanF).

    Attributes:
        kernel: side of the square in pixels.
        test: whether the classifier's pictures are treated, too.
    """

    kernel: OddInt = 3
    test: bool = False

    @property
    def changes_nothing(self) -> bool:
        """A square of one pixel."""
        return self.kernel == 1

    def transform(self, images: Images8) -> Images8:
        """Average, and round half to even."""
        return to_bytes(F.avg_pool2d(_padded(images, self.kernel, "reflect"), self.kernel, stride=1))


@countermeasures.register("median")
class MedianFilter(Preprocess):
    """Median over a square, with the border repeated as OpenCV does (paper: MedianF).

    Attributes:
        kernel: side of the square in pixels.
        test: whether the classifier's pictures are treated, too.
    """

    kernel: OddInt = 3
    test: bool = False

    @property
    def changes_nothing(self) -> bool:
        """A square of one pixel."""
        return self.kernel == 1

    def transform(self, images: Images8) -> Images8:
        """Sort every neighbourhood."""
        padded = _padded(images, self.kernel, "replicate").to(torch.uint8)
        height, width = images.shape[-2:]
        shifted = [padded[..., y : y + height, x : x + width] for y in range(self.kernel) for x in range(self.kernel)]
        return torch.stack(shifted).median(0).values


@countermeasures.register("bdr")
class BitDepthReduction(Preprocess):
    """Keep the highest bits of every value (paper: BDR), as Pillow's posterize does.

    Attributes:
        bits: kept (paper: 2).
        test: whether the classifier's pictures are treated, too.
    """

    bits: Annotated[int, Interval(ge=1, le=8)] = 2
    test: bool = False

    @property
    def changes_nothing(self) -> bool:
        """All bits are kept."""
        return self.bits == 8

    def transform(self, images: Images8) -> Images8:
        """Clear the lower bits."""
        return images & (256 - (1 << (8 - self.bits)))


@countermeasures.register("gray")
class Gray(Preprocess):
    """Luma of ITU-R 601 in all three channels, in Pillow's integers.

    Attributes:
        test: whether the classifier's pictures are treated, too.
    """

    test: bool = False

    def transform(self, images: Images8) -> Images8:
        """Weigh red, green and blue."""
        weights = torch.tensor([19595, 38470, 7471], dtype=torch.int32, device=images.device)
        luma = ((images.int() * weights[:, None, None]).sum(1, keepdim=True) + 0x8000) >> 16
        return luma.to(torch.uint8).expand_as(images).contiguous()


@countermeasures.register("gaussf")
class GaussianFilter(Preprocess):
    """Gaussian filter, mirrored at the border as torchvision does (paper: GaussF).

    The field's setting, kernel 3 and sigma 0.1, is the identity: the neighbours' weight is e^-50. It is the default
    so that the column means what it means elsewhere; ``sigma=0.8`` (REM's) blurs.

    Attributes:
        kernel: side in pixels.
        sigma: standard deviation in pixels.
        test: whether the classifier's pictures are treated, too.
    """

    kernel: OddInt = 3
    sigma: PositiveFloat = 0.1
    test: bool = False

    @property
    def changes_nothing(self) -> bool:
        """The neighbours' weight is too small to move any pixel by half a grey level."""
        return 255 * (1 - float(self._weights()[self.kernel // 2]) ** 2) < 0.5

    def transform(self, images: Images8) -> Images8:
        """One dimension after the other."""
        weights = self._weights().to(images.device).expand(3, 1, -1)
        blurred = F.conv2d(_padded(images, self.kernel, "reflect"), weights[:, :, None], groups=3)
        return to_bytes(F.conv2d(blurred, weights[..., None], groups=3))

    def _weights(self) -> Float[Tensor, " kernel"]:
        """Of the pixels in a row around the middle one."""
        weights = torch.exp(-0.5 * ((torch.arange(self.kernel) - self.kernel // 2) / self.sigma) ** 2)
        return weights / weights.sum()


@countermeasures.register("jpeg")
class Jpeg(Preprocess):
    """Write as JPEG and read again, with Pillow's own settings (4:2:0; Das et al., KDD 2018).

    Attributes:
        quality: Pillow's (paper: 10 and 50).
        test: whether the classifier's pictures are treated, too.
    """

    quality: Annotated[int, Interval(ge=1, le=100)] = 10
    test: bool = False

    def transform(self, images: Images8) -> Images8:
        """Compress every picture, one after the other: Pillow holds the lock while it writes to memory."""
        pictures = images.permute(0, 2, 3, 1).contiguous().cpu().numpy()
        compressed = np.stack([self._compressed(picture) for picture in pictures])
        return torch.from_numpy(compressed).permute(0, 3, 1, 2).contiguous().to(images.device)

    def _compressed(self, picture: UInt8[ndarray, "h w 3"]) -> UInt8[ndarray, "h w 3"]:
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "JPEG", quality=self.quality)
        with Image.open(buffer) as compressed:
            return np.asarray(compressed)


@countermeasures.register("resize")
class Resize(Preprocess):
    """Reduce and enlarge again, bicubic, with antialiasing.

    Attributes:
        scale: of the reduced picture's sides.
        test: whether the classifier's pictures are treated, too.
    """

    scale: Annotated[float, Interval(gt=0, lt=1)] = 0.5
    test: bool = False

    def transform(self, images: Images8) -> Images8:
        """There and back, rounding to 8 bits between."""
        height, width = images.shape[-2:]
        small = (max(1, round(height * self.scale)), max(1, round(width * self.scale)))
        return _resized(_resized(images, small), (height, width))


def _resized(images: Images8, size: tuple[int, int]) -> UInt8[Tensor, "n 3 h2 w2"]:
    return to_bytes(F.interpolate(images.float(), size=size, mode="bicubic", antialias=True))


def _padded(images: Images8, kernel: int, mode: str) -> Float[Tensor, "n 3 h2 w2"]:
    if kernel // 2 >= min(images.shape[-2:]):
        raise ValueError(f"expected pictures larger than half a kernel of {kernel} px, got {tuple(images.shape[-2:])}")
    return F.pad(images.float(), (kernel // 2,) * 4, mode=mode)
