"""Colours as 8-bit sRGB or grey, whatever a file holds: profiles, CMYK, LAB and deeper values."""

import io
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageCms

MOST_BYTES = 1 << 20  # of a profile: longer ones in a PNG are refused by programs that read it, Pillow among them
SPACES = {"RGB": "RGB ", "L": "GRAY", "CMYK": "CMYK", "LAB": "Lab "}  # of a profile that serves such pixels
ALPHA = ("LA", "RGBA")


class TooDeepError(ValueError):
    """The values of a picture say nothing of black and white."""


class Coloured(NamedTuple):
    """A picture of mode L, LA, RGB or RGBA, the profile that goes with it, and what had to be changed."""

    picture: Image.Image
    profile: bytes | None
    notes: list[str]


def coloured(picture: Image.Image, profile: bytes | None) -> Coloured:
    """Bring a decoded picture to 8 bits of grey or RGB, with alpha where it has any.

    An RGB profile stays with its pixels. Through every other one the pixels are converted to sRGB, since it would be
    wrong in the copy: a grey one in a file that holds RGB, one of CMYK anywhere.

    Raises:
        TooDeepError: floating point, or whole numbers of 32 bits.
    """
    notes = []
    if picture.mode.startswith("I") or picture.mode == "F":
        picture = _eight_bits(picture)
        notes.append("16 bits reduced to 8")
    if picture.mode == "LAB":
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    elif picture.mode == "CMYK":
        notes.append("CMYK converted to sRGB")
    else:
        picture = picture.convert(_plain_mode(picture))
    if picture.mode == "CMYK" and not _serves(profile, "CMYK"):
        return Coloured(picture.convert("RGB"), None, ["CMYK converted to sRGB, without a profile"])
    if profile is None:
        return Coloured(picture, None, notes)
    return _profiled(picture, profile, notes)


def _profiled(picture: Image.Image, profile: bytes, notes: list[str]) -> Coloured:
    """With a profile that is there."""
    space = "L" if picture.mode in ("L", "LA") else picture.mode.removesuffix("A")
    if space == "L" and _serves(profile, "RGB"):  # grey by its pixels alone
        converted = to_srgb(picture.convert("RGBA" if picture.mode == "LA" else "RGB"), profile)
        return Coloured(converted.convert(picture.mode), None, notes)
    if not _serves(profile, space):
        return Coloured(picture, None, [*notes, "its colour profile is damaged or of another kind, and was left out"])
    if space == "RGB" and len(profile) < MOST_BYTES:
        return Coloured(picture, profile, notes)
    if space in ("RGB", "L"):
        why = f"of {len(profile) / 1e6:.1f} MB" if space == "RGB" else "for grey"
        notes = [*notes, f"through its colour profile {why} converted to sRGB"]
    elif space == "LAB":
        notes = [*notes, "LAB converted to sRGB"]
    converted = to_srgb(picture, profile)
    return Coloured(converted.convert(picture.mode) if space == "L" else converted, None, notes)


def to_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    """A picture of mode L, RGB, CMYK or LAB as RGB, or with its alpha as RGBA, through a profile that serves it."""
    alpha = picture.getchannel("A") if picture.mode in ALPHA else None
    colours = picture.convert(picture.mode.removesuffix("A")) if alpha else picture
    srgb = ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(colours, io.BytesIO(profile), srgb, outputMode="RGB")
    assert converted is not None
    if alpha:
        converted.putalpha(alpha)
    return converted


def _serves(profile: bytes | None, mode: str) -> bool:
    """Whether it is a profile of such colours that can be used."""
    try:
        opened = ImageCms.getOpenProfile(io.BytesIO(profile or b""))
        if opened.profile.xcolor_space != SPACES[mode]:
            return False
        ImageCms.buildTransform(opened, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return False
    return True


def _plain_mode(picture: Image.Image) -> str:
    """L or RGB, with A where a part is transparent."""
    grey = picture.mode in ("1", "L", "LA", "La")
    return ("L" if grey else "RGB") + ("A" if picture.has_transparency_data else "")


def _eight_bits(picture: Image.Image) -> Image.Image:
    if not picture.mode.startswith("I;16"):
        raise TooDeepError(
            "expected 8 or 16 bits a channel, got floating point or 32 bits, of which nobody says what is white; "
            "convert it first"
        )
    values = np.asarray(picture).astype(np.uint32)
    grey = Image.fromarray(((values + 128) // 257).astype(np.uint8))
    if (clear := picture.info.get("transparency")) is not None:  # the one value that a PNG calls transparent
        grey.putalpha(Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8)))
    return grey
