"""One photo in, one photo out: every common format and mode, upright, with its colour profile, EXIF and alpha.

Pictures come from strangers: formats are an explicit list, sizes are bounded before anything is decoded, and
whatever a decoder throws at a broken file becomes one readable reason.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any
from zlib import Z_HUFFMAN_ONLY

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import ExifTags, Image, ImageCms, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from unlearnable.images.budget import Pixels
from unlearnable.options import Format

READ_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
SUFFIX: dict[Format, str] = {"png": ".png", "webp": ".webp", "jpeg": ".jpg"}
MAX_PIXELS = 178_956_970  # where Pillow, too, speaks of a decompression bomb
MAX_BYTES = 1 << 30
# What a TIFF says about itself rather than about the photo: of no use, or wrong, in another file.
TIFF_DESCRIPTIVE = {270, 271, 272, 282, 283, 296, 305, 306, 315, 316, 33432, 34665, 34853}
DATA_MINING = b"""<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/">
<plus:DataMining>http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED-AIMLTRAINING</plus:DataMining>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""  # IPTC Photo Metadata 2023.1, property "Data Mining"

_filtering = Lock()  # warnings are filtered for the whole process: one thread at a time


class UnreadablePhotoError(ValueError):
    """This file cannot be protected; the message says why, for the owner."""


@dataclass(frozen=True)
class Photo:
    """A decoded photo, as it is looked at.

    Attributes:
        pixels: (h, w, 3) RGB or (h, w, 1) grey, 8 bits, turned upright.
        alpha: (h, w) or None.
        exif: serialised EXIF without orientation and thumbnail, maybe empty.
        icc: colour profile or None.
        notes: what decoding had to change, for the owner.
    """

    pixels: Pixels
    alpha: UInt8[ndarray, "h w"] | None = None
    exif: bytes = b""
    icc: bytes | None = None
    notes: tuple[str, ...] = ()

    @property
    def rgb(self) -> UInt8[ndarray, "h w 3"]:
        """(h, w, 3), grey repeated."""
        return np.broadcast_to(self.pixels, (*self.pixels.shape[:2], 3))

    def with_pixels(self, pixels: Pixels) -> "Photo":
        """The same photo with other pixels."""
        return replace(self, pixels=pixels)


def read_photo(content: bytes) -> Photo:
    """Decode the bytes of a picture file.

    JPEG, PNG, WebP, BMP, TIFF and GIF; grey, palette, RGB, RGBA, CMYK, 16-bit (reduced to 8); of several
    frames the first. EXIF orientation is applied.

    Raises:
        UnreadablePhotoError: empty, broken, unsupported, or too large.
    """
    with _opened(io.BytesIO(content)) as opened:
        return _decode(opened)


def encode_photo(photo: Photo, format: Format, quality: int = 90, ask_not_to_mine: bool = True) -> bytes:
    """Encode losslessly as PNG or WebP, or as JPEG of a quality.

    Args:
        photo: what to write.
        format: of the file.
        quality: of JPEG, 1 to 100.
        ask_not_to_mine: add the IPTC/PLUS property that prohibits training on the picture, as XMP.

    Raises:
        UnreadablePhotoError: the format cannot hold this photo.
    """
    if photo.alpha is not None and format == "jpeg":
        raise UnreadablePhotoError("JPEG cannot hold its transparency; use --format png or webp")
    channels = [*np.moveaxis(photo.pixels, 2, 0), *([] if photo.alpha is None else [photo.alpha])]
    picture = Image.fromarray(np.stack(channels, axis=2) if len(channels) > 1 else channels[0])
    options: dict[str, Any] = {"exif": photo.exif, "icc_profile": photo.icc}
    match format:
        case "png":
            text = PngInfo()
            if ask_not_to_mine:
                text.add_itxt("XML:com.adobe.xmp", DATA_MINING.decode())
            # A perturbed photo repeats nothing: looking for repetitions costs time and, at level 1, even space
            # (24 megapixels: 1.9 s and 30.8 MB with, 1.4 s and 25.1 MB without).
            options |= {"pnginfo": text, "compress_level": 1, "compress_type": Z_HUFFMAN_ONLY}
        case "webp":
            options |= {"lossless": True, "exact": True, "quality": 0, "method": 0}
        case "jpeg":
            options |= {"quality": quality, "subsampling": 0}
    if ask_not_to_mine and format != "png":
        options["xmp"] = DATA_MINING
    buffer = io.BytesIO()
    try:
        picture.save(buffer, format, **{name: value for name, value in options.items() if value not in (None, b"")})
    except (ValueError, OSError) as error:
        raise UnreadablePhotoError(f"{format} cannot hold it: {error}") from None
    return buffer.getvalue()


def read_limited(path: Path) -> bytes:
    """Read a file that begins like a picture and is not larger than one may be.

    Raises:
        UnreadablePhotoError: it is no picture, larger than 1 GiB, or cannot be read.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UnreadablePhotoError("the file is larger than 1 GiB")
        with path.open("rb") as file, _opened(file):  # a film is not read whole to find out that it is none
            file.seek(0)
            return file.read()
    except OSError as error:
        raise UnreadablePhotoError(f"cannot be read: {error.strerror}") from None


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels that a picture file states, without decoding it.

    Raises:
        UnreadablePhotoError: it is no picture, too large, or cannot be read.
    """
    try:
        with path.open("rb") as file, _opened(file) as opened:
            return opened.size
    except OSError as error:
        raise UnreadablePhotoError(f"cannot be read: {error.strerror}") from None


@contextmanager
def _opened(file: io.BytesIO | io.BufferedReader) -> Iterator[Image.Image]:
    """A picture whose format and size will do; whatever goes wrong with it is one reason."""
    try:
        with _header(file) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            yield opened
    except UnreadablePhotoError:
        raise
    except UnidentifiedImageError:
        empty = not file.seek(0, io.SEEK_END)
        reason = "the file is empty" if empty else "not a JPEG, PNG, WebP, BMP, TIFF or GIF picture"
        raise UnreadablePhotoError(reason) from None
    except Image.DecompressionBombError:
        raise UnreadablePhotoError(f"more than {MAX_PIXELS:,} pixels, maybe a decompression bomb") from None
    except Exception as error:  # decoders throw anything at broken files
        raise UnreadablePhotoError(f"broken: {error or type(error).__name__}") from None


def _header(file: io.BytesIO | io.BufferedReader) -> Image.Image:
    """A picture that is not decoded yet, without Pillow's warning at half of what `MAX_PIXELS` allows."""
    with _filtering, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(file, formats=READ_FORMATS)


def _decode(opened: Image.Image) -> Photo:
    notes = []
    if getattr(opened, "n_frames", 1) > 1 and opened.format != "MPO":
        notes.append("only its first frame")
    icc = opened.info.get("icc_profile")
    picture = ImageOps.exif_transpose(opened)
    exif = _exif(opened)
    if picture.mode.startswith("I") or picture.mode == "F":
        picture = _eight_bits(picture)
        notes.append("16 bits reduced to 8")
    if picture.mode == "CMYK":
        picture, icc = _from_cmyk(picture, icc)
        notes.append("CMYK converted to sRGB" + ("" if icc else ", without a profile"))
    grey = picture.mode in ("1", "L", "LA", "La")
    transparent = picture.has_transparency_data
    array = np.asarray(picture.convert(("LA" if grey else "RGBA") if transparent else ("L" if grey else "RGB")))
    array = np.atleast_3d(array)
    alpha = array[..., -1] if transparent else None
    pixels = array[..., :-1] if transparent else array
    return Photo(np.ascontiguousarray(pixels), alpha, exif, icc, tuple(notes))


def _exif(picture: Image.Image) -> bytes:
    """EXIF without orientation (it is applied), maker's notes and, as Pillow writes it, the clean thumbnail."""
    exif = picture.getexif()
    if ExifTags.IFD.Exif in exif:
        exif.get_ifd(ExifTags.IFD.Exif).pop(ExifTags.Base.MakerNote, None)  # may hold a clean preview, too
    unwanted = {int(ExifTags.Base.Orientation)}
    if picture.format == "TIFF":
        unwanted |= set(exif) - TIFF_DESCRIPTIVE
    for tag in unwanted & set(exif):
        del exif[tag]
    return exif.tobytes() if len(exif) else b""


def _eight_bits(picture: Image.Image) -> Image.Image:
    values = np.asarray(picture)
    if picture.mode == "F" or values.min() < 0 or values.max() > 0xFFFF:
        raise UnreadablePhotoError("expected 8 or 16 bits a channel, got floating point or 32 bits; convert it first")
    return Image.fromarray(((values.astype(np.uint32) + 128) // 257).astype(np.uint8))


def _from_cmyk(picture: Image.Image, icc: bytes | None) -> tuple[Image.Image, bytes | None]:
    """CMYK to RGB, through its profile where it has one that serves; it would be wrong in the RGB file."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    try:
        converted = ImageCms.profileToProfile(picture, io.BytesIO(icc or b""), srgb, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        converted = None
    return (picture.convert("RGB"), None) if converted is None else (converted, srgb.tobytes())
