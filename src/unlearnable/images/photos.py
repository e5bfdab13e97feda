"""One photo in: every common format and mode, upright, with its colour profile, its metadata and its transparency.

Pictures come from strangers: formats are an explicit list, sizes are bounded before anything is decoded, and
whatever a decoder throws at a broken file becomes one readable reason. What is damaged beside the pixels is left out.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from threading import Lock

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from unlearnable.images.budget import Pixels
from unlearnable.images.colour import TooDeepError, coloured
from unlearnable.images.kinds import HEAD, HEIF_BRANDS, RAW, READ, is_read, kind_of
from unlearnable.images.mended import mended
from unlearnable.images.metadata import EXIF_DAMAGED, read_dpi, read_exif, read_xmp

READ_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF")
HEIF = "HEIF"
MAX_PIXELS = 178_956_970  # where Pillow, too, speaks of a decompression bomb
MAX_BYTES = 1 << 30
SUB_IFDS, SUBFILE_TYPE, PHOTOMETRIC, DNG_VERSION = 330, 254, 262, 50706  # tags of TIFF
COLOUR_FILTERS = (32803, 34892)  # photometric interpretations of what a sensor saw

_filtering = Lock()  # warnings are filtered for the whole process: one thread at a time


class UnreadablePhotoError(ValueError):
    """This file cannot be protected; the message says why, for the owner."""


class UnreachableError(UnreadablePhotoError):
    """This file could not be read from its disk, which says nothing of the picture."""


class _TooLargeError(UnreadablePhotoError):
    """It is not even to be tried in another way."""


@dataclass(frozen=True)
class Photo:
    """A decoded photo, as it is looked at.

    Attributes:
        pixels: (h, w, 3) RGB or (h, w, 1) grey, 8 bits, turned upright.
        alpha: (h, w) or None.
        exif: serialised EXIF without orientation and thumbnail, maybe empty.
        xmp: the photographer's own XMP packet, maybe empty.
        icc: colour profile of RGB or None.
        dpi: pixels an inch across and down, or None.
        notes: what decoding had to change, for the owner.
    """

    pixels: Pixels
    alpha: UInt8[ndarray, "h w"] | None = None
    exif: bytes = b""
    xmp: bytes = b""
    icc: bytes | None = None
    dpi: tuple[float, float] | None = None
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

    JPEG, PNG, WebP, BMP, TIFF, GIF, HEIC and AVIF; grey, palette, RGB, RGBA, CMYK, LAB, 16-bit (reduced to 8); of
    several frames the first. EXIF orientation is applied. Damaged metadata is left out, with a note.

    Raises:
        UnreadablePhotoError: empty, broken, unsupported, or too large.
    """
    try:
        return _read(content)
    except _TooLargeError:
        raise
    except UnreadablePhotoError:
        for attempt, note in mended(content):
            with suppress(UnreadablePhotoError):
                photo = _read(attempt)
                return replace(photo, notes=(*photo.notes, note))
        raise


def read_limited(path: Path) -> bytes:
    """Read a file that begins like a picture and is not larger than one may be.

    Raises:
        UnreadablePhotoError: it is no picture, or larger than 1 GiB.
        UnreachableError: its disk does not give it.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UnreadablePhotoError("the file is larger than 1 GiB")
        with path.open("rb") as file:
            head = file.read(HEAD)  # a film is not read whole to find out that it is none
            _check_kind(head)
            return head + file.read()
    except OSError as error:
        raise UnreachableError(f"cannot be read: {error.strerror}") from None


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels that a picture file states, without decoding it.

    Raises:
        UnreadablePhotoError: it is no picture, too large, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            _check_kind(file.read(HEAD))
            file.seek(0)
            with _opened(file) as opened:
                return opened.size
    except OSError as error:
        raise UnreadablePhotoError(f"cannot be read: {error.strerror}") from None


def _read(content: bytes) -> Photo:
    _check_kind(content[:HEAD])
    with _opened(io.BytesIO(content)) as opened:
        return _decode(opened)


def _check_kind(head: bytes) -> None:
    """See that a file begins like a picture that is read.

    Raises:
        UnreadablePhotoError: it does not.
    """
    if not head:
        raise UnreadablePhotoError("the file is empty")
    if not is_read(head):
        kind = kind_of(head)
        raise UnreadablePhotoError(f"not a {READ} picture" + (f", but {kind}" if kind else ""))
    if head[8:12] in HEIF_BRANDS and head[4:8] == b"ftyp" and HEIF not in _formats():
        raise UnreadablePhotoError("HEIC is read by the package pi-heif, which is missing here: install it")


@cache
def _formats() -> tuple[str, ...]:
    """Names by which Pillow knows what is read; there are machines for which nobody builds the decoder of HEIC."""
    try:
        from pi_heif import register_heif_opener
    except ImportError:
        return READ_FORMATS
    register_heif_opener(thumbnails=False)
    return (*READ_FORMATS, HEIF)


@contextmanager
def _opened(file: io.BytesIO | io.BufferedReader) -> Iterator[ImageFile.ImageFile]:
    """A picture whose format and size will do; whatever goes wrong with it is one reason."""
    try:
        with _header(file) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            if isinstance(opened, TiffImageFile) and _is_raw(opened):
                raise UnreadablePhotoError(str(RAW))
            yield opened
    except UnreadablePhotoError:
        raise
    except UnidentifiedImageError:
        raise UnreadablePhotoError("broken: it begins like a picture, and is none") from None
    except Image.DecompressionBombError:
        raise _TooLargeError(f"more than {MAX_PIXELS:,} pixels, maybe a decompression bomb") from None
    except TooDeepError as error:
        raise UnreadablePhotoError(str(error)) from None
    except Exception as error:  # decoders throw anything at broken files
        raise UnreadablePhotoError(f"broken: {error or type(error).__name__}") from None


def _header(file: io.BytesIO | io.BufferedReader) -> ImageFile.ImageFile:
    """A picture that is not decoded yet, without Pillow's warning at half of what `MAX_PIXELS` allows."""
    with _filtering, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        warnings.filterwarnings("ignore", message=".*(EXIF|MPO|metadata)", category=UserWarning)  # a note says it
        return Image.open(file, formats=_formats())


def _is_raw(opened: TiffImageFile) -> bool:
    """Whether a TIFF holds what a camera's sensor saw, and as a picture only a small preview of it."""
    tags = opened.tag_v2
    preview = int(tags.get(SUBFILE_TYPE, 0)) & 1 and SUB_IFDS in tags
    return bool(preview or DNG_VERSION in tags or tags.get(PHOTOMETRIC) in COLOUR_FILTERS)


def _decode(opened: ImageFile.ImageFile) -> Photo:
    notes, frames = [], getattr(opened, "n_frames", 1)
    if frames > 1 and opened.format in ("MPO", HEIF):
        notes.append("only its main picture: not what lies beside it, such as a gain map, a depth or another view")
    elif frames > 1:
        notes.append("only its first frame")
    if any(";16" in str(tile.args) for tile in getattr(opened, "tile", ())) and opened.mode.startswith(("RGB", "LA")):
        notes.append("16 bits a colour cut to the upper 8")
        if isinstance(clear := opened.info.get("transparency"), tuple):  # one colour, which Pillow does not cut
            opened.info["transparency"] = tuple(value >> 8 for value in clear)
    picture, upright_notes = _upright(opened)
    exif, exif_notes = read_exif(opened)
    xmp, xmp_notes = read_xmp(opened)
    picture, icc, colour_notes = coloured(picture, opened.info.get("icc_profile"))
    array = np.atleast_3d(np.asarray(picture))
    transparent = picture.mode in ("LA", "RGBA")
    alpha = np.ascontiguousarray(array[..., -1]) if transparent else None
    pixels = np.ascontiguousarray(array[..., :-1] if transparent else array)
    told = dict.fromkeys([*notes, *upright_notes, *exif_notes, *xmp_notes, *colour_notes])
    return Photo(pixels, alpha, exif, xmp, icc, read_dpi(opened), tuple(told))


def _upright(opened: Image.Image) -> tuple[Image.Image, list[str]]:
    """Turned as its EXIF says, where that can be read."""
    opened.load()
    try:
        return ImageOps.exif_transpose(opened), []
    except Exception:  # what is not EXIF can be anything
        return opened, [EXIF_DAMAGED]
