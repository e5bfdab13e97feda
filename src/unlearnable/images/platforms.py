"""What platforms and scrapers do to a picture: a table, a line a preset, and what follows it.

A picture can go that way after it was written (`Preset.applied`), or be brought to a platform's size before anything is
hidden in it (`PublishedSize`), so that nothing is resampled afterwards. The figures are those of November 2026, and as
sure as each line says; they change without notice.
"""

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image

from unlearnable.images.photos import Photo, read_photo
from unlearnable.options import Format, Platform
from unlearnable.storage.decode import decode

PlatformName = Literal[Platform, "pixiv_thumbnail"]
ScraperName = Literal["laion", "datacomp"]
Rule = Literal["width", "longest", "area"]
Picture = UInt8[ndarray, "h w 3"]

LEAST_QUALITY, QUALITY_STEP = 20, 10  # of a search for one that fits


@dataclass(frozen=True)
class Preset:
    """What one of them does; JPEG is always 4:2:0, and metadata is lost on the way.

    Attributes:
        rule: what ``sizes`` limit: the width, the longest side, or the area, as that of a square of this side.
        sizes: in pixels, those that are served; the first is what is meant where nothing else is said.
        quality: of JPEG; where ``max_bytes`` limits the file, the highest.
        source: where this is known from, and how sure it is.
        small: what becomes of a picture that no size limits: it is ``kept`` as it is, ``encoded`` at its own size, or
            ``enlarged`` (Lanczos), and encoded.
        reduce: how pixels are reduced: by Lanczos, or by the mean over each pixel's area.
        border: whether white fills it up to a square.
        max_bytes: of the file; the quality falls by 10 until it fits. 0 for any.
        upload: in which format a picture of the exact size is best uploaded: without loss what is encoded there anyway,
            as it is encoded once then.
    """

    rule: Rule
    sizes: tuple[int, ...]
    quality: int
    source: str
    small: Literal["kept", "encoded", "enlarged"] = "encoded"
    reduce: Literal["lanczos", "area"] = "lanczos"
    border: bool = False
    max_bytes: int = 0
    upload: Format = "png"

    def resized(self, height: int, width: int, pixels: int) -> tuple[int, int]:
        """Height and width that come of a picture, the border included."""
        if self.border:
            return pixels, pixels
        return self._reduced(height, width, pixels)

    def applied(self, picture: Picture, pixels: int) -> UInt8[ndarray, "h2 w2 3"]:
        """The picture as whoever reads the file sees it."""
        height, width = picture.shape[:2]
        if self.small == "kept" and self._reduced(height, width, pixels) == (height, width):
            return picture
        with Image.open(io.BytesIO(self.file(picture, pixels))) as published:
            return np.array(published)

    def file(self, picture: Picture, pixels: int) -> bytes:
        """The JPEG that is written."""
        drawn = Image.fromarray(np.ascontiguousarray(self._drawn(picture, pixels)))
        qualities = range(self.quality, LEAST_QUALITY - 1, -QUALITY_STEP) if self.max_bytes else [self.quality]
        for quality in qualities:
            buffer = io.BytesIO()
            drawn.save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
            if not self.max_bytes or buffer.tell() < self.max_bytes:
                break
        return buffer.getvalue()

    def _reduced(self, height: int, width: int, pixels: int) -> tuple[int, int]:
        return limited(self.rule, pixels, height, width, enlarge=self.small == "enlarged")

    def _drawn(self, picture: Picture, pixels: int) -> UInt8[ndarray, "h2 w2 3"]:
        """Resized, and with its border."""
        height, width = self._reduced(picture.shape[0], picture.shape[1], pixels)
        if (height, width) == picture.shape[:2]:
            resized = picture
        elif self.reduce == "area" and height <= picture.shape[0]:
            resized = area_mean(picture, height, width)
        else:
            resized = np.array(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))
        if not self.border:
            return resized
        square = np.full((pixels, pixels, 3), 255, np.uint8)
        top, left = (pixels - height) // 2, (pixels - width) // 2
        square[top : top + height, left : left + width] = resized
        return square


@dataclass(frozen=True)
class PublishedSize:
    """The size at which a platform serves pictures, and to which they are brought before anything is hidden in them.

    Attributes:
        name: of the platform.
        rule, pixels: its limit, as in `Preset`; a smaller picture stays as it is.
    """

    name: Platform
    rule: Rule
    pixels: int

    @classmethod
    def of(cls, name: Platform) -> "PublishedSize":
        """That which the platform serves usually."""
        preset = PLATFORMS[name]
        return cls(name, preset.rule, preset.sizes[0])

    @classmethod
    def recorded(cls, options: Mapping[str, Any]) -> "PublishedSize | None":
        """That of a report's options; None where the pictures kept their own.

        Raises:
            ValueError: it is none.
        """
        size: PublishedSize | None = decode(options.get("platform"), cls | None)
        return size

    def shape(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of a copy: rounded, of an area down, so that the platform has nothing to reduce any more."""
        shape = limited(self.rule, self.pixels, height, width)
        if self.rule != "area" or shape == (height, width):
            return shape
        area = self.pixels**2
        return max(1, math.isqrt(area * height // width)), max(1, math.isqrt(area * width // height))

    def reduced(self, photo: Photo) -> Photo:
        """The photo at that size: colours, and transparency where there is any, by Pillow's Lanczos.

        Colours count as far as they are seen there: the black under a logo makes no dark edge of it.
        """
        before = photo.pixels.shape[0], photo.pixels.shape[1]
        height, width = self.shape(*before)
        if (height, width) == before:
            return photo

        channels = [photo.pixels] if photo.alpha is None else [photo.pixels, photo.alpha[..., None]]
        whole = np.concatenate(channels, axis=2)
        picture = Image.fromarray(whole[..., 0] if whole.shape[2] == 1 else whole)
        resized = np.atleast_3d(np.asarray(picture.resize((width, height), Image.Resampling.LANCZOS)))
        if photo.alpha is None:
            return replace(photo, pixels=np.ascontiguousarray(resized))
        pixels, alpha = np.ascontiguousarray(resized[..., :-1]), np.ascontiguousarray(resized[..., -1])
        return replace(photo, pixels=pixels, alpha=alpha)


def limited(rule: Rule, pixels: int, height: int, width: int, enlarge: bool = False) -> tuple[int, int]:
    """Height and width of a picture under a limit; one below it stays as it is, unless it is to be enlarged to it."""
    held = {"width": width, "longest": max(height, width), "area": (height * width) ** 0.5}[rule]
    if held <= pixels and not enlarge:
        return height, width
    return max(1, round(height * pixels / held)), max(1, round(width * pixels / held))


def read_published(content: bytes, size: PublishedSize | None) -> Photo:
    """Decode the bytes of a picture file, and bring it to the size at which it is published, where one is given.

    Raises:
        UnreadablePhotoError: see `read_photo`.
    """
    photo = read_photo(content)
    return size.reduced(photo) if size else photo


def area_mean(picture: Picture, height: int, width: int) -> UInt8[ndarray, "h2 w2 3"]:
    """A smaller picture, each of whose pixels is the mean over the area that it covers (OpenCV's INTER_AREA)."""
    rows, columns = _shares(picture.shape[0], height), _shares(picture.shape[1], width)
    wide = np.tensordot(rows, picture.astype(np.float32), axes=(1, 0))
    means = np.tensordot(columns, wide, axes=(1, 1)).swapaxes(0, 1)
    return np.rint(means).clip(0, 255).astype(np.uint8)


def _shares(before: int, after: int) -> Float[ndarray, "after before"]:
    """Which share each old pixel of a line has in each new one."""
    edges = np.arange(after + 1)[:, None] * before / after
    start = np.arange(before)
    covered = np.minimum(edges[1:], start + 1) - np.maximum(edges[:-1], start)
    return (covered.clip(0) * after / before).astype(np.float32)


PLATFORMS: dict[PlatformName, Preset] = {
    "instagram": Preset("width", (1080, 1440), 80, "a vendor's test, March 2026: 75 to 85; stories 1440"),
    "x": Preset("longest", (4096, 1200, 680), 85, "a vendor's test, March 2026; another page says 80"),
    "facebook": Preset("longest", (1920, 2048), 82, "pages: 1920 measured, 2048 often named, quality 80 to 85"),
    "bluesky": Preset("longest", (4000,), 100, "the app's constants: up to 2 MB", max_bytes=2_000_000),
    "mastodon": Preset("area", (1280,), 90, "its code; newer servers keep more", small="kept"),
    "wordpress": Preset("longest", (2560, 2048, 1536, 1024, 768, 300), 82, "its code", small="kept"),
    "deviantart": Preset("longest", (1280,), 80, "addresses of its pictures: about 1280"),
    "pixiv": Preset("longest", (1200,), 85, "addresses of its pictures; the quality is a guess"),
    "web": Preset(
        "longest", (2048,), 90, "what a site of one's own may do: few screens show more", small="kept", upload="jpeg"
    ),
    "pixiv_thumbnail": Preset("longest", (540,), 70, "addresses of its pictures"),
}
SCRAPERS: dict[ScraperName, Preset] = {
    "laion": Preset(
        "longest", (256,), 95, "img2dataset's code, its defaults", small="enlarged", reduce="area", border=True
    ),
    "datacomp": Preset("longest", (512,), 95, "img2dataset's code, options of DataComp's script", reduce="area"),
}
