"""What a file is, by its first bytes and its name: a picture that is read, another kind of picture, or none at all.

Bytes decide where they say anything, as a name can be wrong. What cannot be protected is named together with the way
out: "not a JPEG" helps nobody who has a camera raw.
"""

from dataclasses import dataclass
from pathlib import PurePosixPath

HEAD = 160  # bytes at the start of a file that are enough to know it

READ = "JPEG, PNG, WebP, BMP, TIFF, GIF, HEIC or AVIF"


def _suffixes(text: str) -> frozenset[str]:
    return frozenset(f".{suffix}" for suffix in text.split())


READ_SUFFIXES = _suffixes("jpg jpeg jpe jfif png apng webp bmp dib tif tiff gif heic heif hif avif avifs")
RAW_SUFFIXES = _suffixes(
    "3fr ari arw bay braw cap cr2 cr3 crw dcr dcs dng erf fff gpr iiq k25 kdc mef mos mrw nef nrw orf pef ptx pxn r3d "
    "raf rw2 rwl rwz sr2 srf srw x3f"
)
# What lies beside a photo under its name: how it was developed, tags, words, a sound, a small copy.
SIDECAR_SUFFIXES = _suffixes(
    "aae acr arp cof comask cop cos csv dop dxo exif exv gpx icc icm ini json lmk m4a md mp3 nksc on1 onphoto out pp3 "
    "rpp rrdata spd thm tof txt url wav xmp xml yaml yml"
)
FILM_SUFFIXES = _suffixes("3gp avi flv insv lrv m2ts m4v mkv mov mp4 mpeg mpg mts webm wmv")
DOCUMENT_SUFFIXES = _suffixes("doc docx htm html key odt pages pdf ppt pptx rtf xls xlsx")

EXPORT = "open it in a picture editor, export a PNG or JPEG, and protect that"


@dataclass(frozen=True)
class Kind:
    """A kind of file that is not read.

    Attributes:
        name: in words.
        way_out: what its owner can do.
        picture: whether it shows a picture, so that without a copy something is left unprotected.
    """

    name: str
    way_out: str = ""
    picture: bool = True

    def __str__(self) -> str:
        return f"{self.name}; {self.way_out}" if self.way_out else self.name


RAW = Kind("a camera raw", "develop it, export a JPEG or TIFF, and protect that")
SIDECAR = Kind("a file beside a photo", picture=False)
FILM = Kind("a film", "export single frames as pictures", picture=False)
DOCUMENT = Kind("a document", "export its pages as pictures", picture=False)
ARCHIVE = Kind("an archive", "unpack it", picture=False)
NO_PICTURE = Kind("no picture", picture=False)

SIGNATURES: tuple[tuple[int, tuple[bytes, ...], Kind], ...] = (  # at which byte, one of what, is which
    (0, (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"), Kind("JPEG XL", EXPORT)),
    (0, (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"), Kind("JPEG 2000", EXPORT)),
    (0, (b"II\xbc", b"BPG\xfb"), Kind("JPEG XR or BPG", EXPORT)),
    (8, (b"CR\x02", b"CR\x03"), RAW),
    (4, (b"ftypcrx ",), RAW),
    (0, (b"FUJIFILMCCD-RAW", b"FOVb", b"\0MRM", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"II\x1a\0\0\0HEAPCCDR"), RAW),
    (0, (b"8BPS", b"gimp xcf"), Kind("a picture editor's document", EXPORT)),
    (0, (b"v/1\x01", b"#?RADIANCE", b"#?RGBE"), Kind("a picture of high dynamic range", EXPORT)),
    (0, (b"P1\n", b"P2\n", b"P3\n", b"P4\n", b"P5\n", b"P6\n", b"P7\n", b"Pf\n", b"PF\n"), Kind("a bitmap", EXPORT)),
    (0, (b"\0\0\1\0", b"\0\0\2\0", b"icns"), Kind("an icon", EXPORT)),
    (0, (b"DDS ", b"\xabKTX", b"SIMPLE  ="), Kind("a texture or a scientific picture", EXPORT)),
    (128, (b"DICM",), Kind("a medical picture", EXPORT)),
    (0, (b"%PDF", b"{\\rtf", b"\xd0\xcf\x11\xe0", b"%!PS"), DOCUMENT),
    (0, (b"PK\3\4", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!", b"BZh", b"\xfd7zXZ"), ARCHIVE),
    (0, (b"\x1aE\xdf\xa3", b"FLV\1", b"\0\0\1\xba", b"OggS", b"0&\xb2u"), FILM),
    (4, (b"moov", b"mdat", b"wide", b"free", b"skip"), FILM),
)
PICTURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"BM")
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"mif2", b"msf1")
PICTURE_BRANDS = (*HEIF_BRANDS, b"avif", b"avis")


def is_read(head: bytes) -> bool:
    """Whether a file that begins so is of a format that is read."""
    if kind_of(head):
        return False
    if head[4:8] == b"ftyp":
        return head[8:12] in PICTURE_BRANDS
    return head.startswith(PICTURES) or (head.startswith(b"RIFF") and head[8:12] == b"WEBP")


def kind_of(head: bytes) -> Kind | None:
    """What a file that is not read is, by how it begins; None where that says nothing."""
    for place, starts, kind in SIGNATURES:
        if head.startswith(starts, place):
            return kind
    if head[4:8] == b"ftyp" and head[8:12] not in PICTURE_BRANDS:
        return FILM
    if head.startswith(b"RIFF") and head[8:12] != b"WEBP":
        return Kind("a film or a sound", picture=False)
    markup = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in markup:
        return Kind("a vector drawing", EXPORT)
    if markup.startswith((b"<!doctype html", b"<html", b"<head")):
        return Kind("a web page", "what was to be downloaded was not: fetch the picture again", picture=False)
    return None


def kind_named(name: str) -> Kind | None:
    """What a file that is not read is, by its name alone; None where that may be a picture that is read."""
    suffix = PurePosixPath(name).suffix.lower()
    kinds = ((RAW_SUFFIXES, RAW), (SIDECAR_SUFFIXES, SIDECAR), (FILM_SUFFIXES, FILM), (DOCUMENT_SUFFIXES, DOCUMENT))
    return next((kind for suffixes, kind in kinds if suffix in suffixes), None)


def refused_kind(name: str, head: bytes) -> Kind | None:
    r"""What a file is that gets no copy; None of one that is to be decoded.

    A file whose name promises a picture is decoded whatever it holds, so that its owner hears what is wrong with it.

    Example:
        >>> refused_kind("IMG_1.xmp", b"<x:xmpmeta").name
        'a file beside a photo'
        >>> refused_kind("IMG_1", b"\xff\xd8\xff") is None
        True
    """
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in READ_SUFFIXES or (is_read(head) and suffix not in RAW_SUFFIXES):
        return None
    return kind_of(head) or kind_named(name) or NO_PICTURE
