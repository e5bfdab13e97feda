"""Damaged files whose pixels are all there: without their metadata, or with the end that a download cut off."""

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image

JPEG_START, JPEG_END, SCAN = b"\xff\xd8", b"\xff\xd9", 0xDA
JPEG_KEPT = {0xE0, 0xEE}  # JFIF and Adobe's marker, which say what the colours are
JPEG_SHOWING = (b"Exif\0\0", b"ICC_PROFILE\0")
PNG_START = b"\x89PNG\r\n\x1a\n"
PNG_KEPT = {b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"pHYs"}  # besides what is critical, whose names begin with a capital
PNG_SHOWING = {b"eXIf", b"iCCP"}
WEBP_METADATA = {b"ICCP", b"EXIF", b"XMP "}
FILLINGS = (b"", b"\xaa\x55" * 64)  # what follows the last pixel is passed over; what stands for pixels is seen


def mended(content: bytes) -> Iterator[tuple[bytes, str]]:
    """What can be tried in the place of a file that cannot be read, and what its owner is then told."""
    for how_to_show_it in (True, False):  # its direction and its colours at first
        for without in (_jpeg, _png, _webp):
            if (bare := without(content, how_to_show_it)) not in (None, content):
                yield bare or b"", "its metadata is damaged and was left out"
    if _is_complete_jpeg(content):
        yield content + JPEG_END, "its end is missing, all of its pixels are there"


def _is_complete_jpeg(content: bytes) -> bool:
    """Whether a JPEG lacks its end alone: then it matters nothing with what it is filled up."""
    if not content.startswith(JPEG_START):
        return False
    try:
        plain, filled = (np.asarray(Image.open(io.BytesIO(content + filling + JPEG_END))) for filling in FILLINGS)
    except Exception:  # decoders throw anything at broken files
        return False
    return np.array_equal(plain, filled)


def _jpeg(content: bytes, how_to_show_it: bool) -> bytes | None:
    """Without what applications wrote into it, but for EXIF and profile where those are wanted."""
    if not content.startswith(JPEG_START):
        return None
    kept, place = [JPEG_START], len(JPEG_START)
    while place + 4 <= len(content) and content[place] == 0xFF:
        marker, length = content[place + 1], int.from_bytes(content[place + 2 : place + 4], "big")
        if marker == SCAN:
            return b"".join([*kept, content[place:]])
        shows = how_to_show_it and content[place + 4 :].startswith(JPEG_SHOWING)
        if shows or marker in JPEG_KEPT or not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            kept.append(content[place : place + 2 + length])
        place += 2 + length
    return None


def _png(content: bytes, how_to_show_it: bool) -> bytes | None:
    """With the chunks alone that decide pixels, and EXIF and profile where those are wanted."""
    if not content.startswith(PNG_START):
        return None
    kept, place = [PNG_START], len(PNG_START)
    while place + 8 <= len(content):
        length, name = int.from_bytes(content[place : place + 4], "big"), content[place + 4 : place + 8]
        if name[:1].isupper() or name in PNG_KEPT or (how_to_show_it and name in PNG_SHOWING):
            kept.append(content[place : place + 12 + length])
        place += 12 + length
    return b"".join(kept)


def _webp(content: bytes, how_to_show_it: bool) -> bytes | None:
    """Without XMP, and without profile and EXIF where those are not wanted."""
    if not (content.startswith(b"RIFF") and content[8:12] == b"WEBP"):
        return None
    kept, place = [], 12
    while place + 8 <= len(content):
        name, length = content[place : place + 4], int.from_bytes(content[place + 4 : place + 8], "little")
        chunk = content[place : place + 8 + length + length % 2]
        if name == b"VP8X":  # its flags speak of what is taken out
            chunk = chunk[:8] + bytes([chunk[8] & (0b00111010 if how_to_show_it else 0b00010010)]) + chunk[9:]
        if name not in WEBP_METADATA or (how_to_show_it and name != b"XMP "):
            kept.append(chunk)
        place += 8 + length + length % 2
    body = b"WEBP" + b"".join(kept)
    return b"RIFF" + len(body).to_bytes(4, "little") + body
