"""XMP: what a photographer said of a picture is kept, what would give it away is not, and a request is added.

XMP is RDF as XML (ISO 16684-1). Older blocks (IPTC-IIM, texts of a PNG) are brought into it by the mapping of the IPTC
Photo Metadata Standard, since PNG and WebP have no place for them. exiv2 does all this too, but is under the GPL.
"""

import copy
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree as Xml

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
PREFIXES = {
    "x": "adobe:ns:meta/",
    "rdf": RDF,
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpRights": "http://ns.adobe.com/xap/1.0/rights/",
    "xmpMM": "http://ns.adobe.com/xap/1.0/mm/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "plus": "http://ns.useplus.org/ldf/xmp/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "lr": "http://ns.adobe.com/lightroom/1.0/",
    "cc": "http://creativecommons.org/ns#",
}
for _prefix, _space in PREFIXES.items():
    Xml.register_namespace(_prefix, _space)
LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
# What speaks of other pictures in the file, small copies, depths, brighter versions, or holds them.
FOREIGN = (
    "http://ns.google.com/photos/",
    "http://ns.adobe.com/hdr-gain-map/",
    "http://ns.apple.com/HDRGainMap/",
    "http://ns.apple.com/pixeldatainfo/",
    "http://ns.apple.com/depthData/",
    "http://ns.adobe.com/xap/1.0/g/img/",
    "http://ns.adobe.com/xmp/note/",
)
STALE = {  # true of the file that was read
    *("tiff:Orientation", "tiff:ImageWidth", "tiff:ImageLength", "exif:PixelXDimension", "exif:PixelYDimension"),
    *("xmp:Thumbnails", "xmp:PageInfo", "photoshop:DocumentAncestors"),
}
LOCATION = {
    *("photoshop:City", "photoshop:State", "photoshop:Country"),
    *("Iptc4xmpCore:Location", "Iptc4xmpCore:CountryCode"),
    *("Iptc4xmpExt:LocationCreated", "Iptc4xmpExt:LocationShown"),
}
PLACE = re.compile(r"gps|geo(code|tag)?|lat$|lon$|lng$|lati|longi|altitude|location", re.IGNORECASE)  # as names begin
RIGHTS = {"dc", "xmpRights", "photoshop", "Iptc4xmpCore", "Iptc4xmpExt", "plus", "cc"}  # what a short packet keeps
MOST_TEXT = 8192  # characters of one property: words are shorter, encoded pictures longer
MOST_BYTES = 1 << 20  # of a packet that is read
LISTS = {"dc:creator": "Seq", "dc:subject": "Bag", "dc:title": "Alt", "dc:description": "Alt", "dc:rights": "Alt"}
LISTS |= {"xmpRights:UsageTerms": "Alt"}
DAMAGED = "its XMP data is damaged and was left out"


@dataclass
class Xmp:
    """The properties of a picture, each an XML element, by prefix and name.

    Attributes:
        properties: ``dc:rights`` to its element; prefixes that are not in `PREFIXES` are the packet's own namespaces.
    """

    properties: dict[str, Xml.Element] = field(default_factory=dict)

    @classmethod
    def parse(cls, packet: bytes) -> "Xmp":
        """Read a packet.

        Raises:
            ValueError: it is damaged, too large, or defines entities, which no XMP does.
        """
        if len(packet) > MOST_BYTES or re.search(rb"<!(DOCTYPE|ENTITY)", packet, re.IGNORECASE):
            raise ValueError(DAMAGED)
        text = re.sub(rb"<\?xpacket.*?\?>", b"", packet, flags=re.DOTALL).strip(b"\0 \t\r\n\xef\xbb\xbf")
        try:
            root = Xml.fromstring(text)
        except (Xml.ParseError, ValueError, LookupError):
            raise ValueError(DAMAGED) from None
        found, nested = cls(), _nested(root)
        for description in root.iter(f"{{{RDF}}}Description"):
            if description in nested:
                continue
            for name, value in description.attrib.items():
                if not name.startswith(f"{{{RDF}}}") and name.startswith("{"):
                    element = Xml.Element(name)
                    element.text = value
                    found.properties[_short(name)] = element
            found.properties |= {_short(element.tag): element for element in description}
        return found

    def cleaned(self, strip_location: bool) -> "Xmp":
        """Without what is not true of a copy, what may hold or name a clean picture, and, if asked, places."""
        unwanted = STALE | (LOCATION if strip_location else set())
        kept = {
            name: element
            for name, element in self.properties.items()
            if name not in unwanted
            and not element.tag.lstrip("{").startswith(FOREIGN)
            and not (strip_location and PLACE.match(name.rpartition(":")[2]))
            and len("".join(element.itertext())) <= MOST_TEXT
        }
        return Xmp(kept)

    def rights(self) -> "Xmp":
        """What is said of rights, author and content alone."""
        return Xmp({name: e for name, e in self.properties.items() if name.partition(":")[0] in RIGHTS})

    def without(self, *names: str) -> "Xmp":
        """Without some properties."""
        return Xmp({name: element for name, element in self.properties.items() if name not in names})

    def appended(self, name: str, text: str) -> "Xmp":
        """With a sentence after what a property says, in the language that is the default; other languages stay."""
        element = copy.deepcopy(self.properties.get(name))
        items = [] if element is None else list(element.iter(f"{{{RDF}}}li"))
        item = next((item for item in items if item.get(LANGUAGE) == "x-default"), items[0] if items else None)
        if element is None or item is None:
            return self.without(name).with_texts({name: [f"{self.text(name)} {text}".strip()]})
        item.text = f"{item.text or ''} {text}".strip()
        return Xmp(self.properties | {name: element})

    def with_texts(self, texts: Mapping[str, Iterable[str]]) -> "Xmp":
        """With more properties, each a text or several, where there is none of that name yet."""
        given = {name: list(values) for name, values in texts.items() if name not in self.properties}
        return Xmp(self.properties | {name: _element(name, values) for name, values in given.items() if values})

    def text(self, name: str) -> str:
        """What a property says; empty where there is none."""
        element = self.properties.get(name)
        if element is None:
            return ""
        said = " ".join(text.strip() for text in element.itertext() if text.strip())
        return said or element.get(f"{{{RDF}}}resource", "")

    def to_bytes(self) -> bytes:
        """The packet; empty where there is nothing."""
        if not self.properties:
            return b""
        root = Xml.Element(_long("x:xmpmeta"))
        description = Xml.SubElement(Xml.SubElement(root, _long("rdf:RDF")), _long("rdf:Description"))
        description.set(_long("rdf:about"), "")
        description.extend(self.properties[name] for name in sorted(self.properties))
        body = Xml.tostring(root, encoding="unicode")
        start = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        return f'{start}\n{body}\n<?xpacket end="w"?>'.encode()


def _nested(root: Xml.Element) -> set[Xml.Element]:
    """Descriptions that are values, not the picture's."""
    tops = {child for rdf in root.iter(f"{{{RDF}}}RDF") for child in rdf}
    return {element for element in root.iter(f"{{{RDF}}}Description") if element not in tops}


def _element(name: str, values: list[str]) -> Xml.Element:
    """A property that says so."""
    element = Xml.Element(_long(name))
    kind = LISTS.get(name)
    if kind is None:
        element.text = values[0]
        return element
    container = Xml.SubElement(element, _long(f"rdf:{kind}"))
    for value in values:
        item = Xml.SubElement(container, _long("rdf:li"))
        item.text = value
        if kind == "Alt":
            item.set(LANGUAGE, "x-default")
    return element


def _long(name: str) -> str:
    prefix, _, own = name.partition(":")
    return f"{{{PREFIXES[prefix]}}}{own}"


def _short(tag: str) -> str:
    space, _, own = tag.lstrip("{").rpartition("}")
    return f"{_PREFIX_OF.get(space, space)}:{own}"


_PREFIX_OF = {space: prefix for prefix, space in PREFIXES.items()}


def plain_texts(values: Iterable[str]) -> Iterator[str]:
    """Without what XML cannot hold, and without empty ones."""
    for value in values:
        if text := re.sub(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", value).strip():
            yield text[:MOST_TEXT]
