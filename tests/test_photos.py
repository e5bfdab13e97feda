import io
import struct
import subprocess
import sys
import warnings
import zlib

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from samples import picture
from unlearnable.images.encode import encode_photo
from unlearnable.images.metadata import Notice
from unlearnable.images.photos import MAX_PIXELS, UnreadablePhotoError, read_limited, read_photo


def saved(image, format="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def pixels(content, mode="RGB"):
    return np.asarray(Image.open(io.BytesIO(content)).convert(mode))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"])
def test_every_format(format):
    content = saved(picture(), format)
    photo = read_photo(content)
    assert np.array_equal(photo.rgb, pixels(content))
    assert photo.alpha is None


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"])
def test_every_mode(mode):
    format = "TIFF" if mode in ("CMYK", "YCbCr") else "PNG"
    content = saved(picture().convert(mode), format)
    photo = read_photo(content)
    assert photo.pixels.shape == (30, 40, 1 if mode in ("1", "L", "LA") else 3)
    assert (photo.alpha is not None) == (mode in ("LA", "RGBA"))
    assert np.array_equal(photo.rgb, pixels(content))


def test_palette_with_transparency_keeps_it():
    palette = picture().quantize(16)
    photo = read_photo(saved(palette, transparency=3))
    assert photo.alpha is not None
    assert np.array_equal(photo.alpha == 0, np.asarray(palette) == 3)


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bits_are_reduced(format):
    values = np.linspace(0, 65535, 1200).astype(np.uint16).reshape(30, 40)
    photo = read_photo(saved(Image.fromarray(values), format))
    assert photo.pixels.shape == (30, 40, 1)
    assert np.array_equal(photo.pixels[..., 0], np.rint(values / 257))
    assert photo.notes == ("16 bits reduced to 8",)


@pytest.mark.parametrize("icc", [None, b"no profile at all"])
def test_cmyk_without_a_profile_that_serves_is_converted_plainly(icc):
    content = saved(picture().convert("CMYK"), "JPEG", quality=95, icc_profile=icc)
    photo = read_photo(content)
    assert photo.notes == ("CMYK converted to sRGB, without a profile",)
    assert photo.icc is None
    assert np.array_equal(photo.rgb, pixels(content))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_and_other_exif_kept(orientation):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Make] = "Camera"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2026:01:02 03:04:05"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.MakerNote] = b"maybe a preview"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    photo = read_photo(saved(picture(), "PNG", exif=exif))
    assert photo.pixels.shape[:2] == ((30, 40) if orientation < 5 else (40, 30))
    for format in ("png", "webp", "jpeg"):
        written = Image.open(io.BytesIO(encode_photo(photo, format)))
        kept = written.getexif()
        assert ExifTags.Base.Orientation not in kept
        assert kept[ExifTags.Base.Make] == "Camera"
        assert kept.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] == "2026:01:02 03:04:05"
        assert ExifTags.Base.MakerNote not in kept.get_ifd(ExifTags.IFD.Exif)
        assert kept.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] == "N"
    if orientation == 6:
        assert np.array_equal(photo.pixels, np.rot90(np.asarray(picture()), -1))


def test_the_clean_thumbnail_in_exif_is_not_published():
    """A camera's EXIF holds a small copy of the picture: published, it would be an unprotected one."""
    thumbnail = saved(picture(3, 16, 12), "JPEG")
    ifd1 = struct.pack("<HHHLLHHLLL", 2, 0x201, 4, 1, 56, 0x202, 4, 1, len(thumbnail), 0)
    ifd0 = struct.pack("<2sHLHHHL4sL", b"II", 42, 8, 1, 271, 2, 4, b"Cam\0", 26)
    exif = b"Exif\0\0" + (ifd0 + ifd1).ljust(56, b"\0") + thumbnail
    content = saved(picture(), "JPEG", exif=exif)
    assert Image.open(io.BytesIO(content)).getexif().get_ifd(ExifTags.IFD.IFD1)[0x202] == len(thumbnail)
    photo = read_photo(content)
    for format in ("png", "webp", "jpeg"):
        assert thumbnail not in encode_photo(photo, format)
    assert b"Cam" in photo.exif


def test_a_tiffs_structure_does_not_travel():
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "Ann"
    photo = read_photo(saved(picture(), "TIFF", exif=exif))
    kept = Image.open(io.BytesIO(encode_photo(photo, "png"))).getexif()
    assert dict(kept) == {ExifTags.Base.Artist: "Ann"}


@pytest.mark.parametrize("format", ["png", "webp"])
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_lossless_is_lossless_also_under_transparency(format, mode):
    image = picture().convert(mode)
    if "A" in mode:
        image.putalpha(Image.fromarray(np.arange(1200, dtype=np.uint8).reshape(30, 40) // 64 * 60))
    photo = read_photo(saved(image))
    again = read_photo(encode_photo(photo, format))
    assert np.array_equal(again.rgb, photo.rgb)
    assert np.array_equal(again.alpha, photo.alpha) if "A" in mode else again.alpha is None


def test_icc_profile_is_kept():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo = read_photo(saved(picture(), icc_profile=profile))
    for format in ("png", "webp", "jpeg"):
        assert Image.open(io.BytesIO(encode_photo(photo, format))).info["icc_profile"] == profile


@pytest.mark.parametrize("format", ["png", "webp", "jpeg"])
def test_it_asks_not_to_be_mined(format):
    photo = read_photo(saved(picture()))
    asked = encode_photo(photo, format, notice=Notice())
    assert b"plus:DataMining" in Image.open(io.BytesIO(asked)).info["xmp"]
    assert b"DMI-PROHIBITED-AIMLTRAINING" in asked
    assert b"DataMining" not in encode_photo(photo, format, notice=Notice(ask="nothing"))


def test_jpeg_cannot_hold_transparency():
    image = picture().convert("RGBA")
    image.putalpha(200)
    photo = read_photo(saved(image))
    with pytest.raises(UnreadablePhotoError, match="transparency"):
        encode_photo(photo, "jpeg")


def test_animation_gives_its_first_frame():
    frames = [picture(seed).quantize(8) for seed in (0, 1)]
    photo = read_photo(saved(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert np.array_equal(photo.rgb, np.asarray(frames[0].convert("RGB")))
    assert photo.notes == ("only its first frame",)


def bomb():
    """A PNG that announces 40,000 x 40,000 pixels in a few bytes."""
    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    body = struct.pack(">I", len(header)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return b"\x89PNG\r\n\x1a\n" + body + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))


BAD = {
    "empty": (b"", "empty"),
    "text": (b"hello, I am no picture", "not a JPEG, PNG"),
    "truncated": (saved(picture(0, 200, 200), "PNG")[:2000], "broken"),
    "truncated jpeg": (saved(picture(0, 200, 200), "JPEG")[:900], "broken"),
    "bomb": (bomb(), "decompression bomb"),
    "unsupported": (saved(picture(), "PPM"), "but a bitmap; open it"),
    "floating point": (saved(Image.fromarray(np.ones((9, 9), np.float32)), "TIFF"), "floating point"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_files_say_why(kind):
    content, reason = BAD[kind]
    with pytest.raises(UnreadablePhotoError, match=reason):
        read_photo(content)


def test_half_of_what_is_allowed_is_no_reason_to_warn(monkeypatch):
    """And what others hear of the warning is theirs to say: no filter is left behind."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = list(warnings.filters)
        assert read_photo(saved(picture(0, 40, 30))).pixels.shape == (30, 40, 3)
        assert warnings.filters == before
        with pytest.raises(Image.DecompressionBombWarning):
            Image.open(io.BytesIO(saved(picture(0, 40, 30))))


def test_importing_sets_no_filter_of_warnings():
    program = "import unlearnable.images.photos, warnings; from PIL.Image import DecompressionBombWarning as Warned; "
    program += "assert all(category is not Warned for _, _, category, _, _ in warnings.filters)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_limits(tmp_path, monkeypatch):
    monkeypatch.setattr("unlearnable.images.photos.MAX_PIXELS", 1000)
    with pytest.raises(UnreadablePhotoError, match="pixels"):
        read_photo(saved(picture()))
    assert MAX_PIXELS > 150_000_000  # medium-format cameras
    monkeypatch.setattr("unlearnable.images.photos.MAX_BYTES", 10)
    (tmp_path / "a").write_bytes(bytes(11))
    with pytest.raises(UnreadablePhotoError, match="larger than"):
        read_limited(tmp_path / "a")
    with pytest.raises(UnreadablePhotoError, match="cannot be read"):
        read_limited(tmp_path / "missing")
