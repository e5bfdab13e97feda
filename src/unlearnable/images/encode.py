"""One photo out: as a file that programs can read, with the pixels that were measured, and what its owner asks for."""

import io
from dataclasses import replace
from typing import Any
from zlib import Z_HUFFMAN_ONLY

import numpy as np
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from unlearnable.images.metadata import Notice, serialised
from unlearnable.images.photos import Photo, UnreadablePhotoError
from unlearnable.images.transparency import WHOLLY
from unlearnable.options import Format

SUFFIX: dict[Format, str] = {"png": ".png", "webp": ".webp", "jpeg": ".jpg"}
MOST_SIDE: dict[Format, int] = {"webp": 16383, "jpeg": 65535}  # px
INCHES = 2  # EXIF's unit of resolution


def encode_photo(photo: Photo, format: Format, quality: int = 90, notice: Notice | None = None) -> bytes:
    """Encode losslessly as PNG or WebP, or as JPEG of a quality.

    Args:
        photo: what to write.
        format: of the file.
        quality: of JPEG, 1 to 100.
        notice: what its metadata says besides the photographer's own; None for nothing.

    Raises:
        UnreadablePhotoError: the format cannot hold this photo.
    """
    if photo.alpha is not None and format == "jpeg":
        if (photo.alpha < WHOLLY).any():
            raise UnreadablePhotoError("JPEG cannot hold its transparency; use --format png or webp")
        photo = replace(photo, alpha=None)
    height, width = photo.pixels.shape[:2]
    if max(height, width) > MOST_SIDE.get(format, 1 << 31):
        raise UnreadablePhotoError(
            f"{format} holds at most {MOST_SIDE[format]} px a side, not {width}x{height}; use --format png"
        )
    channels = [*np.moveaxis(photo.pixels, 2, 0), *([] if photo.alpha is None else [photo.alpha])]
    picture = Image.fromarray(np.stack(channels, axis=2) if len(channels) > 1 else channels[0])
    notice = notice or Notice(ask="nothing")
    exif, xmp = notice.published(photo.exif, width, height), notice.added_to(photo.xmp)
    options: dict[str, Any] = {"exif": exif, "icc_profile": photo.icc, "dpi": photo.dpi}
    match format:
        case "png":
            text = PngInfo()
            if xmp:
                text.add_itxt("XML:com.adobe.xmp", xmp.decode())
            # A perturbed photo repeats nothing: looking for repetitions costs time and, at level 1, even space
            # (24 megapixels: 1.9 s and 30.8 MB with, 1.4 s and 25.1 MB without).
            options |= {"pnginfo": text, "compress_level": 1, "compress_type": Z_HUFFMAN_ONLY}
        case "webp":
            options |= {"lossless": True, "exact": True, "quality": 0, "method": 0, "xmp": xmp}
            options["exif"] = _with_resolution(exif, photo.dpi)
        case "jpeg":
            options |= {"quality": quality, "subsampling": 0, "xmp": xmp}
    buffer = io.BytesIO()
    try:
        picture.save(buffer, format, **{name: value for name, value in options.items() if value not in (None, b"")})
    except (ValueError, OSError) as error:
        raise UnreadablePhotoError(f"{format} cannot hold it: {error}") from None
    return buffer.getvalue()


def _with_resolution(exif: bytes, dpi: tuple[float, float] | None) -> bytes:
    """EXIF that says how many pixels an inch has, which WebP has no other place for."""
    if dpi is None:
        return exif
    kept = Image.Exif()
    kept.load(exif)
    kept[ExifTags.Base.XResolution], kept[ExifTags.Base.YResolution] = dpi
    kept[ExifTags.Base.ResolutionUnit] = INCHES
    return serialised(kept)
