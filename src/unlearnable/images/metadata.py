"""What a file says besides its pixels: kept where it is the photographer's, mended where it would be wrong in a copy.

EXIF loses its clean thumbnail, its maker's notes and what the copy's size and direction contradict. IPTC-IIM and the
texts of a PNG come into XMP. The copy asks not to be mined, in the words of the IPTC Photo Metadata Standard 2023.1.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PIL import ExifTags, Image, ImageFile, IptcImagePlugin

from unlearnable.images.xmp import DAMAGED, Xmp, plain_texts
from unlearnable.options import Ask

MOST_BYTES = 60_000  # of EXIF or XMP: a JPEG holds 65,533 of each
MOST_VALUE = 8192  # of one value of EXIF that is no words: longer ones may be small copies of the picture
# What a TIFF says about itself rather than about the photo: of no use, or wrong, in another file.
TIFF_DESCRIPTIVE = {270, 271, 272, 282, 283, 296, 305, 306, 315, 316, 33432, 34665, 34853}
# Other formats' metadata, previews and layers inside EXIF, and how its file was put together.
FOREIGN_TAGS = {254, 256, 257, 258, 259, 262, 273, 277, 278, 279, 330, 513, 514, 700}
FOREIGN_TAGS |= {33723, 34377, 34675, 37724, 50341, 50740, 59932, int(ExifTags.Base.Orientation)}
VOCABULARY = "http://ns.useplus.org/ldf/vocab/"
ASKED: dict[Ask, str] = {
    "no-training": "DMI-PROHIBITED-AIMLTRAINING",
    "no-generative-training": "DMI-PROHIBITED-GENAIMLTRAINING",
    "search-only": "DMI-PROHIBITED-EXCEPTSEARCHENGINEINDEXING",
    "no-mining": "DMI-PROHIBITED",
}
WORDS: dict[Ask, str] = {
    "no-training": "No training of AI or machine learning models on this picture.",
    "no-generative-training": "No training of generative AI models on this picture.",
    "search-only": "No data mining of this picture, except to index it for search.",
    "no-mining": "No data mining of this picture.",
}
IIM = {  # data sets of record 2, and where the standard maps them
    5: "dc:title",
    25: "dc:subject",
    40: "photoshop:Instructions",
    80: "dc:creator",
    85: "photoshop:AuthorsPosition",
    90: "photoshop:City",
    92: "Iptc4xmpCore:Location",
    95: "photoshop:State",
    100: "Iptc4xmpCore:CountryCode",
    101: "photoshop:Country",
    103: "photoshop:TransmissionReference",
    105: "photoshop:Headline",
    110: "photoshop:Credit",
    115: "photoshop:Source",
    116: "dc:rights",
    120: "dc:description",
    122: "photoshop:CaptionWriter",
}
PNG_TEXTS = {
    "Title": "dc:title",
    "Author": "dc:creator",
    "Description": "dc:description",
    "Copyright": "dc:rights",
    "Source": "photoshop:Source",
}
EXIF_DAMAGED = "its EXIF data is damaged and was left out"


@dataclass(frozen=True)
class Notice:
    """What a copy's metadata says on top of the photographer's own.

    Attributes:
        ask: of those who collect pictures; None asks for no training, unless the file asks for something already.
        terms: the same for people to read; None for words that say it.
        strip_location: whether to leave out where the picture was taken.
    """

    ask: Ask | None = None
    terms: str | None = None
    strip_location: bool | None = None

    def added_to(self, xmp: bytes) -> bytes:
        """The photographer's packet with the request; his own words of the terms of use stay, before ours."""
        own = Xmp.parse(xmp).cleaned(bool(self.strip_location)) if xmp else Xmp()
        if self.ask == "nothing":
            return own.to_bytes()
        asked = own.text("plus:DataMining")
        if self.ask or "PROHIBITED" not in asked:
            asked = VOCABULARY + ASKED[self.ask or "no-training"]
        said = {"plus:DataMining": [asked], "xmpRights:Marked": ["True"]}
        before = own.text("xmpRights:UsageTerms")
        own = own.without("plus:DataMining")
        if self.terms and self.terms not in before:
            own = own.appended("xmpRights:UsageTerms", self.terms)
        elif not before:
            said["xmpRights:UsageTerms"] = [words for ask, words in WORDS.items() if asked.endswith(ASKED[ask])]
        return own.with_texts(said).to_bytes()

    def published(self, exif: bytes, width: int, height: int) -> bytes:
        """EXIF of a copy of that size in pixels."""
        kept = Image.Exif()
        kept.load(exif)
        if self.strip_location and ExifTags.IFD.GPSInfo in kept:
            del kept[ExifTags.IFD.GPSInfo]
        own = kept.get_ifd(ExifTags.IFD.Exif) if ExifTags.IFD.Exif in kept else {}
        for tag, length in ((ExifTags.Base.ExifImageWidth, width), (ExifTags.Base.ExifImageHeight, height)):
            if tag in own:
                own[tag] = length
        return serialised(kept)


class _Text(str):
    """A text of EXIF: Pillow reads its bytes as Latin-1, and would write a question mark for what is not ASCII."""

    def encode(self, encoding: str = "latin-1", errors: str = "replace") -> bytes:
        """The bytes that were read."""
        return str.encode(self, "latin-1", errors)


def serialised(exif: Image.Exif) -> bytes:
    """EXIF as bytes, its texts as they were; empty where it says nothing."""
    inner = [exif.get_ifd(tag) for tag in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo) if tag in exif]
    for directory in (exif, *inner):
        for tag, value in [*directory.items()]:
            if type(value) is str:
                directory[tag] = _Text(value)
    return exif.tobytes() if len(exif) else b""


def read_exif(picture: Image.Image) -> tuple[bytes, list[str]]:
    """The EXIF of a picture, as far as it is true of a copy, maybe empty; and notes for the owner."""
    try:
        exif = picture.getexif()
        for tag in [*exif]:
            foreign = picture.format == "TIFF" and tag not in TIFF_DESCRIPTIVE
            if tag in FOREIGN_TAGS or foreign or _is_long(exif[tag]):
                del exif[tag]
        if ExifTags.IFD.Exif in exif:
            own = exif.get_ifd(ExifTags.IFD.Exif)
            for number in [number for number, value in own.items() if _is_long(value)]:
                del own[number]
            own.pop(ExifTags.Base.MakerNote, None)  # may hold a clean preview, too
        content = serialised(exif)
    except Exception:  # what is not EXIF can be anything
        return b"", [EXIF_DAMAGED]
    if len(content) > MOST_BYTES:
        return b"", [f"its EXIF data of {len(content) // 1000} kB was left out"]
    return content, []


def read_xmp(picture: ImageFile.ImageFile) -> tuple[bytes, list[str]]:
    """The photographer's XMP, with what IPTC-IIM and the texts of a PNG say, maybe empty; and notes for the owner."""
    notes = []
    try:
        xmp = Xmp.parse(_packet(picture)).cleaned(strip_location=False)
        xmp.to_bytes()
    except (ValueError, RecursionError):  # elements can be nested deeper than anybody means it
        xmp, notes = Xmp(), [DAMAGED]
    xmp = xmp.with_texts(_iim(picture)).with_texts(_png_texts(picture))
    content = xmp.to_bytes()
    if len(content) > MOST_BYTES:
        notes.append(f"of its XMP data of {len(content) // 1000} kB only what it says of rights was kept")
        content = xmp.rights().to_bytes()
    return (content, notes) if len(content) <= MOST_BYTES else (b"", [DAMAGED])


def read_dpi(picture: Image.Image) -> tuple[float, float] | None:
    """Pixels an inch across and down, if the file says something that can be."""
    try:
        across, down = (float(value) for value in picture.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return (across, down) if 1 <= across < 65536 and 1 <= down < 65536 else None


def _packet(picture: Image.Image) -> bytes:
    packet = picture.info.get("xmp") or b"<a/>"
    return packet.encode() if isinstance(packet, str) else bytes(packet)


def _iim(picture: ImageFile.ImageFile) -> dict[str, list[str]]:
    """What IPTC-IIM says, by XMP's names; nothing where it is damaged."""
    try:
        records: Mapping[tuple[int, int], Any] = IptcImagePlugin.getiptcinfo(picture) or {}
    except Exception:  # what is not IPTC can be anything
        return {}
    found = {}
    for number, name in IIM.items():
        values = records.get((2, number), [])
        listed = values if isinstance(values, list) else [values]
        found[name] = list(plain_texts(_decoded(value) for value in listed))
    return {name: values for name, values in found.items() if values}


def _png_texts(picture: Image.Image) -> dict[str, list[str]]:
    texts = {name: picture.info.get(key) for key, name in PNG_TEXTS.items()} if picture.format == "PNG" else {}
    return {name: list(plain_texts([str(text)])) for name, text in texts.items() if text}


def _decoded(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")


def _is_long(value: Any) -> bool:
    return isinstance(value, bytes) and len(value) > MOST_VALUE
