"""Files of real people, kind by kind: what is inside one file. Folders of them are in `test_any_folder`."""

import io
import json
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import outsider
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms, ImageDraw
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from samples import picture
from test_photos import saved
from unlearnable import verify_folder
from unlearnable.folder.manifest import read_manifest
from unlearnable.images.budget import Budget
from unlearnable.images.encode import encode_photo
from unlearnable.images.metadata import ASKED, Notice
from unlearnable.images.photos import Photo, UnreadablePhotoError, read_photo
from unlearnable.images.strength import within
from unlearnable.images.transparency import Seen
from unlearnable.images.xmp import Xmp

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "photos").mkdir()
    return tmp_path / "photos"


def logo(side=256, radius=24):
    image = picture(3, side, side).convert("RGBA")
    alpha = Image.new("L", image.size)
    middle = side // 2
    ImageDraw.Draw(alpha).ellipse((middle - radius, middle - radius, middle + radius, middle + radius), fill=255)
    image.putalpha(alpha)
    return image


@pytest.mark.parametrize("strength", ["standard", "full"])
@pytest.mark.parametrize("format", ["png", "webp"])
def test_the_budget_of_a_logo_is_that_of_what_is_seen_of_it(job, folder, tmp_path, strength, format):
    logo().save(folder / "logo.png")
    job(folder, strength=strength, format=format)
    (entry,) = read_manifest(tmp_path / "out").values()
    before, after = (np.asarray(Image.open(file)) for file in (folder / "logo.png", tmp_path / "out" / entry.output))
    assert np.array_equal(before[before[..., 3] == 0], after[after[..., 3] == 0])  # nothing where nobody sees it
    opaque = before[..., 3] > 0
    rms = np.sqrt(np.square(after[opaque][:, :3].astype(float) - before[opaque][:, :3]).mean())
    assert rms == pytest.approx(entry.quality.rms, abs=1e-4) and 0.5 < rms <= 8
    outsider.check(folder, tmp_path / "out")
    assert verify_folder(tmp_path / "out", folder).ok
    Image.fromarray(np.dstack([after[..., :3], np.full(after.shape[:2], 255, np.uint8)])).save(
        tmp_path / "out" / entry.output, lossless=True, exact=True
    )
    assert "transparency" in str(verify_folder(tmp_path / "out", folder).violations)


@given(seed=st.integers(0, 99), norm=st.sampled_from(["rms:4", "linf:3", "l0:5"]), levels=st.sampled_from([2, 4, 256]))
def test_what_is_not_seen_stays_and_what_is_seen_keeps_the_budget(seed, norm, levels):
    rng = np.random.default_rng(seed)
    original = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    alpha = (rng.integers(0, levels, (20, 30)) * (255 // (levels - 1))).astype(np.uint8)
    seen, change = Seen.through(alpha), rng.normal(0, 30, original.shape).astype(np.float32)
    published, _ = within(original, change, Budget.parse(norm), "full", seen)
    assert Budget.parse(norm).holds(seen.values(original), seen.values(published))
    assert np.array_equal(original[alpha == 0], published[alpha == 0])


def test_a_picture_that_is_transparent_everywhere_is_left_out_with_its_reason(job, folder):
    image = picture().convert("RGBA")
    image.putalpha(0)
    image.save(folder / "nothing.png")
    picture().save(folder / "a.png")
    assert "transparent everywhere" in job(folder).skipped[0]["reason"]


def raw_like():
    """A TIFF whose first picture is a preview, as NEF, ARW and SRW are: the sensor's is named in a tag alone."""
    tags = ImageFileDirectory_v2()
    tags[254], tags[330] = 1, 1234
    tags.tagtype[330] = 4
    return saved(picture(), "TIFF", tiffinfo=tags)


BYTES = {
    "a camera raw; develop it": [
        raw_like(),
        b"II*\0\x10\0\0\0CR\x02\0" + bytes(200),
        b"FUJIFILMCCD-RAW 0201" + bytes(99),
    ],
    "but JPEG XL; open it": [b"\xff\x0a" + bytes(99), b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(99)],
    "but a film": [b"\0\0\0\x18ftypmp42" + bytes(99), b"\x1aE\xdf\xa3" + bytes(99)],
    "but a web page; what was to be downloaded": [b"\n<!DOCTYPE html><html>404", b"\xef\xbb\xbf<html lang='en'>"],
    "but a document": [b"%PDF-1.7" + bytes(99)],
    "but a vector drawing": [b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>'],
    "but a medical picture": [bytes(128) + b"DICM" + bytes(99)],
    "expected 8 or 16 bits": [saved(Image.fromarray(np.full((4, 4), 5, np.int32)), "TIFF")],
}  # fmt: skip


@pytest.mark.parametrize("reason", BYTES)
def test_what_cannot_be_protected_is_named_with_the_way_out(reason):
    for content in BYTES[reason]:
        with pytest.raises(UnreadablePhotoError, match=reason):
            read_photo(content)


def test_heic_and_avif_are_read_whatever_their_name(folder, job):
    shutil.copy(GOLDEN / "small.heic", folder / "a.jpg")
    picture().save(folder / "b.avif", quality=90)
    report = job(folder)
    assert report.summary["protected"] == 2 and not report.skipped


def test_without_its_decoder_heic_is_named(monkeypatch):
    monkeypatch.setattr("unlearnable.images.photos._formats", lambda: ("JPEG",))
    with pytest.raises(UnreadablePhotoError, match="pi-heif"):
        read_photo((GOLDEN / "small.heic").read_bytes())


def large_profile():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return struct.pack(">I", 1_200_000) + profile[4:] + bytes(1_200_000 - len(profile))


def grey_profile():
    """Of grey with a gamma of 1.8, made by hand: 'gray' device class, one curve."""
    curve = b"curv" + struct.pack(">IIH", 0, 1, round(1.8 * 256)) + b"\0\0"
    white = b"XYZ " + struct.pack(">Iiii", 0, 63190, 65536, 54061)
    tags = [(b"wtpt", white), (b"kTRC", curve)]
    offset, table, body = 132 + 12 * len(tags), b"", b""
    for name, content in tags:
        table += name + struct.pack(">II", offset + len(body), len(content))
        body += content
    size = offset + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"lcms", 0x02100000, b"mntr", b"GRAY", b"XYZ ") + bytes(12) + b"acsp"
    head = head.ljust(68, b"\0") + struct.pack(">iii", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def damaged_png(name, content):
    """A PNG with one more chunk after its header."""
    plain = saved(picture())
    chunk = struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    return plain[:33] + chunk + plain[33:]


def photoshop(resources):
    block = b"Photoshop 3.0\0" + resources
    return b"\xff\xed" + struct.pack(">H", len(block) + 2) + block


def said(texts):
    return Xmp().with_texts(texts).to_bytes()


DAMAGED = {
    "EXIF of a PNG": lambda: damaged_png(b"eXIf", b"garbage that is no EXIF"),
    "EXIF of a WebP": lambda: saved(picture(), "WEBP", lossless=True, exif=b"Exif\0\0garbage"),
    "EXIF of a JPEG": lambda: saved(picture(), "JPEG", exif=b"Exif\0\0garbage that is none"),
    "profile of a PNG": lambda: damaged_png(b"iCCP", b"name\0\0" + zlib.compress(bytes(1_200_000))),
    "profile of a JPEG": lambda: saved(picture(), "JPEG", icc_profile=b"no profile at all"),
    "large profile of a JPEG": lambda: saved(picture(), "JPEG", icc_profile=large_profile()),
    "a text of a PNG": lambda: damaged_png(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(20_000_000))),
    "XMP of a PNG": lambda: damaged_png(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x:xmpmeta broken"),
    "XMP with entities": lambda: saved(picture(), "JPEG", xmp=b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'),
    "large XMP": lambda: saved(picture(), "WEBP", lossless=True, xmp=said({"dc:title": ["x" * 99_999]})),
    "IPTC of a JPEG": lambda: saved(picture(), "JPEG", extra=photoshop(b"8BIM\x04\x04\0\0\xff\xff\xff\xff")),
}  # fmt: skip


@pytest.mark.parametrize("kind", DAMAGED)
@pytest.mark.parametrize("format", ["png", "webp", "jpeg"])
def test_pixels_decide_whatever_lies_beside_them(kind, format):
    content = DAMAGED[kind]()
    photo = read_photo(content)
    assert photo.pixels.shape == (30, 40, 3)
    again = read_photo(encode_photo(photo, format, notice=Notice()))
    assert again.notes == () and (format == "jpeg" or np.array_equal(again.pixels, photo.pixels))


def test_a_grey_profile_becomes_srgb_for_every_format():
    content = saved(picture().convert("L"), "JPEG", quality=95, icc_profile=grey_profile())
    photo = read_photo(content)
    plain = read_photo(saved(picture().convert("L"), "JPEG", quality=95))
    assert photo.icc is None and "converted to sRGB" in photo.notes[0] and photo.pixels.shape[2] == 1
    brighter = photo.pixels.astype(int) - plain.pixels  # 1.8 is a weaker gamma than sRGB's 2.2
    assert 5 < brighter.mean() < 30
    assert read_photo(encode_photo(photo, "webp")).icc is None


def test_lab_is_converted():
    lab = ImageCms.profileToProfile(
        picture(), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    photo = read_photo(saved(lab, "TIFF"))
    assert np.abs(photo.pixels.astype(int) - np.asarray(picture())).mean() < 2  # fmt: skip


def sixteen_bits(values: np.ndarray, clear: tuple[int, ...] = ()) -> bytes:
    """A PNG of grey, or of red, green and blue, which Pillow does not write; one value may be transparent."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", *values.shape[1::-1], 16, 2 if values.ndim == 3 else 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    if clear:
        chunks.insert(1, (b"tRNS", struct.pack(f">{len(clear)}H", *clear)))
    parts = [struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_sixteen_bits_of_colour_are_cut_and_said_to_be():
    values = np.random.default_rng(0).integers(0, 65536, (9, 9, 3), dtype=np.uint16)
    photo = read_photo(sixteen_bits(values))
    assert photo.notes == ("16 bits a colour cut to the upper 8",) and np.array_equal(photo.pixels, values >> 8)


@pytest.mark.parametrize("clear", [(500,), (40_000, 500, 65_535)])
def test_the_transparent_value_of_sixteen_bits_stays_transparent(clear):
    shape = (20, 20) if len(clear) == 1 else (20, 20, 3)
    values = np.random.default_rng(0).integers(0, 65536, shape, dtype=np.uint16)
    values[:5] = clear if len(clear) > 1 else clear[0]
    photo = read_photo(sixteen_bits(values, clear))
    assert photo.alpha is not None and not photo.alpha[:5].any() and photo.alpha[5:].mean() > 250


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_whose_end_alone_is_missing_is_taken(progressive):
    whole = saved(picture(0, 200, 150), "JPEG", progressive=progressive)
    photo = read_photo(whole[:-2])
    assert np.array_equal(photo.pixels, read_photo(whole).pixels)
    assert photo.notes == ("its end is missing, all of its pixels are there",)
    for missing in (40, 400, len(whole) // 2):
        with pytest.raises(UnreadablePhotoError, match="broken"):
            read_photo(whole[:-missing])


def test_several_frames_leave_a_note_and_a_line_at_the_end(folder, job):
    frames = [picture(seed).quantize(8) for seed in (0, 1)]
    frames[0].save(folder / "a.gif", save_all=True, append_images=frames[1:])
    picture(0).save(folder / "b.jpg", "MPO", save_all=True, append_images=[picture(1)])
    notes = job(folder).summary["notes"]
    assert notes["only its first frame"] == 1
    assert any("gain map" in note for note in notes)


def documented_photo():
    """One with everything that photographers' programs write, and a thumbnail in its XMP."""
    exif, gps = Image.Exif(), ExifTags.GPS
    exif[ExifTags.Base.Copyright], exif[ExifTags.Base.Artist] = "(c) Ann", "Ann"
    sizes = {ExifTags.Base.ExifImageWidth: 4000, ExifTags.Base.ExifImageHeight: 3000}
    exif.get_ifd(ExifTags.IFD.Exif).update(sizes)
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({gps.GPSLatitudeRef: "N", gps.GPSLatitude: (52.0, 3.0, 0.0)})
    texts = {"dc:creator": ["Ann"], "dc:subject": ["tree", "river"], "dc:rights": ["(c) Ann"]}
    texts |= {"photoshop:City": ["Bonn"], "exif:GPSLatitude": ["52,3N"], "xmpRights:UsageTerms": ["Ask me."]}
    own = said(texts | {"tiff:ImageWidth": ["4000"], "xmp:Thumbnails": ["secret"]})
    iim = b"\x1c\x02\x69\x00\x05Hello\x1c\x02\x74\x00\x05other"  # headline; copyright, of which XMP has one already
    extra = photoshop(b"8BIM\x04\x04\0\0" + struct.pack(">I", len(iim)) + iim)
    return saved(picture(), "JPEG", quality=95, exif=exif, xmp=own, dpi=(240, 240), extra=extra)


@pytest.mark.parametrize("format", ["png", "webp", "jpeg"])
def test_the_photographers_words_are_kept_and_the_request_is_added(format):
    content = encode_photo(read_photo(documented_photo()), format, notice=Notice(terms="No bots."))
    with Image.open(io.BytesIO(content)) as opened:
        xmp, exif = Xmp.parse(opened.info["xmp"]), opened.getexif()
    assert (
        xmp.text("dc:creator") == "Ann"
        and xmp.text("dc:subject") == "tree river"
        and xmp.text("dc:rights") == "(c) Ann"
    )
    assert xmp.text("photoshop:Headline") == "Hello" and xmp.text("xmpRights:UsageTerms") == "Ask me. No bots."
    assert (
        xmp.text("plus:DataMining").endswith("DMI-PROHIBITED-AIMLTRAINING") and xmp.text("xmpRights:Marked") == "True"
    )
    assert "tiff:Orientation" not in xmp.properties and b"secret" not in content
    assert exif[ExifTags.Base.Copyright] == "(c) Ann"
    assert exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExifImageWidth] == 40
    assert exif.get_ifd(ExifTags.IFD.GPSInfo)
    dpi = exif[ExifTags.Base.XResolution] if format == "webp" else read_photo(content).dpi[0]
    assert dpi == pytest.approx(240, abs=0.1)


@pytest.mark.parametrize("format", ["png", "webp", "jpeg"])
def test_where_it_was_taken_can_be_left_out(format):
    content = encode_photo(read_photo(documented_photo()), format, notice=Notice(strip_location=True))
    with Image.open(io.BytesIO(content)) as opened:
        assert ExifTags.IFD.GPSInfo not in opened.getexif()
    assert not any(word in content for word in (b"Bonn", b"52,3N")) and b"(c) Ann" in content


def test_what_is_asked_is_a_choice_and_a_prohibition_of_ones_own_stays():
    photo = read_photo(saved(picture()))
    for ask, value in ASKED.items():
        notice = Notice(ask=ask)
        asked = Xmp.parse(notice.added_to(photo.xmp))
        assert asked.text("plus:DataMining").endswith(value) and asked.text("xmpRights:UsageTerms")
    own = Notice(ask="no-mining").added_to(b"")
    assert Xmp.parse(Notice().added_to(own)).text("plus:DataMining").endswith("DMI-PROHIBITED")
    assert Xmp.parse(Notice(ask="search-only").added_to(own)).text("plus:DataMining").endswith("INDEXING")
    assert Notice(ask="nothing").added_to(b"") == b""


@pytest.mark.skipif(not shutil.which("exiftool"), reason="needs exiftool, an independent reader of metadata")
@pytest.mark.parametrize("format", ["png", "webp", "jpeg"])
def test_an_independent_reader_agrees(tmp_path, format):
    file = tmp_path / f"a.{format}"
    file.write_bytes(encode_photo(read_photo(documented_photo()), format, notice=Notice()))
    (read,) = json.loads(subprocess.check_output(["exiftool", "-json", "-G1", file]))
    assert "ExifTool:Error" not in read and "ExifTool:Warning" not in read
    assert read["XMP-dc:Rights"] == read["IFD0:Copyright"] == "(c) Ann"
    assert read["XMP-dc:Subject"] == ["tree", "river"]
    assert read["XMP-plus:DataMining"].endswith("DMI-PROHIBITED-AIMLTRAINING")
    assert read["XMP-xmpRights:UsageTerms"] == "Ask me." and read["XMP-xmpRights:Marked"] is True
    assert read["ExifIFD:ExifImageWidth"] == 40
    assert (read["IFD0:XResolution"] if format == "webp" else 240) == 240


def test_formats_have_a_longest_side():
    long = Photo(np.zeros((1, 17_000, 3), np.uint8))
    with pytest.raises(UnreadablePhotoError, match="webp holds at most 16383 px a side, not 17000x1"):
        encode_photo(long, "webp")
    assert read_photo(encode_photo(long, "png")).pixels.shape == (1, 17_000, 3)


@pytest.mark.parametrize("format", ["png", "webp", "jpeg"])
@pytest.mark.parametrize("text", ["© 2024 Jörg Müller".encode(), "© Jörg".encode("latin-1"), "写真 太郎".encode()])
def test_texts_of_exif_keep_their_bytes(format, text):
    exif = Image.Exif()
    exif[ExifTags.Base.Copyright] = text.decode("latin-1")
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2026:01:02 03:04:05"
    tagged = exif.tobytes().replace(text.decode("latin-1").encode("ascii", "replace"), text)
    content = encode_photo(read_photo(saved(picture(), "JPEG", exif=tagged)), format)
    with Image.open(io.BytesIO(content)) as opened:
        assert opened.getexif()[ExifTags.Base.Copyright].encode("latin-1") == text


def test_damaged_xmp_costs_neither_direction_nor_colours():
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    nested = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>" + b"<a>" * 3000 + b"</a>" * 3000 + b"</x:xmpmeta>"
    photo = read_photo(saved(picture(), "JPEG", exif=exif, icc_profile=profile, xmp=nested))
    assert photo.pixels.shape[:2] == (40, 30) and photo.icc == profile


def test_places_are_left_out_whatever_the_program_calls_them():
    drone = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
    <r:Description xmlns:d="http://dji.com/drone-dji/1.0/" d:GpsLatitude="48.1" d:GpsLongtitude="11.5" d:Flight="a"/>
    <r:Description xmlns:g="http://www.w3.org/2003/01/geo/wgs84_pos#" g:lat="48.1"/></r:RDF></x:xmpmeta>"""
    kept, stripped = (Notice(strip_location=strip).added_to(drone) for strip in (False, True))
    assert kept.count(b"48.1") == 2 and b"48.1" not in stripped and b"11.5" not in stripped and b"Flight" in stripped


def test_a_prohibition_by_reference_stays_and_other_languages_stay():
    own = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
    <rdf:Description xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/"
      xmlns:xmpRights="http://ns.adobe.com/xap/1.0/rights/">
    <plus:DataMining rdf:resource="http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED"/><xmpRights:UsageTerms><rdf:Alt>
    <rdf:li xml:lang="x-default">All rights</rdf:li><rdf:li xml:lang="de">Alle Rechte</rdf:li></rdf:Alt>
    </xmpRights:UsageTerms></rdf:Description></rdf:RDF></x:xmpmeta>"""
    assert Xmp.parse(Notice().added_to(own)).text("plus:DataMining").endswith("DMI-PROHIBITED")
    assert b">All rights Mine</rdf:li>" in Notice(terms="Mine").added_to(own)
    assert b">Alle Rechte</rdf:li>" in Notice(terms="Mine").added_to(own)


def test_alpha_that_hides_nothing_is_no_transparency_to_jpeg():
    image = picture().convert("RGBA")
    assert read_photo(encode_photo(read_photo(saved(image)), "jpeg")).alpha is None
