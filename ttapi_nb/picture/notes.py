"""What a camera or a person wrote into a picture file, kept for another file: all of it but place and maker's notes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.dom import minidom

from .tiff import LONG, SHORT, Directory, Order, byte_order, fraction, header, number, read_directory, written

__all__ = ["Notes", "exif_of", "kept_notes", "photoshop", "turned", "with_density"]

# Tags of EXIF's directories.
ORIENTATION, EXIF, GPS, INTEROP, MAKER = 0x0112, 0x8769, 0x8825, 0xA005, 0x927C
WIDE, HIGH, ACROSS, DOWN, UNIT = 0xA002, 0xA003, 0x011A, 0x011B, 0x0128
# Of the first directory, what tells how a TIFF's own pixels lie, other metadata that has a place of its own, and what
# points to places that move.
STRUCTURE = {
    *(0xFE, 0xFF, *range(0x100, 0x104), 0x106, 0x10A, 0x111, *range(0x115, 0x11A), 0x11C, 0x13D, 0x140),
    *(*range(0x142, 0x146), 0x14A, 0x152, 0x153, 0x15B, *range(0x200, 0x20A), *range(0x211, 0x215)),
    *(0x2BC, 0x83BB, 0x8649, 0x8773, 0x935C, 0xC634, GPS),
}
# What the second one holds of a maker, and addresses within it.
PRIVATE = {MAKER, 0xEA1C, 0xEA1D}

# Names of XMP's properties by their namespaces; None: all of it. First place and maker's notes, then what tells of
# thumbnails and further pictures in the file, which are not kept.
XMP_OUT: dict[str, tuple[str, ...] | None] = {
    "http://ns.adobe.com/exif/1.0/": ("GPS", "MakerNote"),
    "http://ns.adobe.com/photoshop/1.0/": ("City", "State", "Country"),
    "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/": ("Location", "CountryCode"),
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/": (
        "LocationCreated",
        "LocationShown",
        "City",
        "Sublocation",
    ),
    "http://purl.org/dc/elements/1.1/": ("coverage",),
    "http://ns.adobe.com/xap/1.0/": ("Thumbnails",),
    "http://ns.adobe.com/xmp/note/": None,
    "http://ns.adobe.com/hdr-gain-map/1.0/": None,
    "http://ns.apple.com/HDRGainMap/1.0/": None,
    "http://ns.google.com/photos/1.0/camera/": None,
    "http://ns.google.com/photos/1.0/container/": None,
    "http://ns.google.com/photos/1.0/container/item/": None,
    "urn:ttapi-nb:lineage:": None,
}
TIFF_NAMESPACE = "http://ns.adobe.com/tiff/1.0/"
PACKET_CAP = 2_000_000
# In IPTC's second record: the places it may name, and a preview of the picture.
IPTC_OUT = {26, 27, 90, 92, 95, 100, 101, 200, 201, 202}


@dataclass(frozen=True)
class Notes:
    """Metadata that goes into a file: `exif` as a TIFF's directory and its byte order, `xmp` as a packet, `iptc` as
    records. `changes` tells what could not be kept.
    """

    exif: Directory = field(default_factory=dict)
    order: Order = "little"
    xmp: bytes = b""
    iptc: bytes = b""
    changes: tuple[str, ...] = ()


def kept_notes(metadata: Mapping[str, bytes], size: tuple[int, int], orientation: int = 1) -> Notes:
    """Of a file's `exif`, `xmp` and `iptc` what may be kept, for pixels of `size`, width and height, as they are filed,
    turned as `orientation` says.
    """
    changes = []
    exif: Directory = {}
    order: Order = "little"
    xmp = iptc = b""
    if metadata.get("exif"):
        try:
            exif, order = _exif(metadata["exif"], size, orientation)
        except (ValueError, IndexError, OverflowError):
            changes.append("Its EXIF is damaged, and was left out.")
    if metadata.get("xmp"):
        try:
            xmp = _xmp(metadata["xmp"], orientation)
        except Exception:  # noqa: BLE001 - a parser of hostile XML fails with any error, too deep a tree among them
            changes.append("Its XMP is damaged, and was left out.")
    if metadata.get("iptc"):
        try:
            iptc = _iptc(metadata["iptc"])
        except (ValueError, IndexError):
            changes.append("Its IPTC is damaged, and was left out.")
    return Notes(exif, order, xmp, iptc, tuple(changes))


def exif_of(notes: Notes) -> bytes:
    """The notes' EXIF as a block of its own, or nothing where there is none."""
    return header(notes.order) + written(notes.exif, 8, notes.order) if notes.exif else b""


def turned(orientation: int) -> Notes:
    """Nothing but how the picture is turned, and where it is not, nothing at all."""
    return Notes({ORIENTATION: number(SHORT, orientation, "little")} if orientation != 1 else {})


def with_density(notes: Notes, density: tuple[float, float]) -> Directory:
    """The notes' EXIF with this density, in pixels an inch."""
    pair = zip((ACROSS, DOWN), density, strict=True)
    return {
        **notes.exif,
        **{tag: fraction(value, notes.order) for tag, value in pair},
        UNIT: number(SHORT, 2, notes.order),
    }


def _exif(data: bytes, size: tuple[int, int], orientation: int) -> tuple[Directory, Order]:
    while data.startswith(b"Exif\0\0"):
        data = data[6:]
    order = byte_order(data)
    first = read_directory(data, _address(data[4:8], order), order)
    kept: Directory = {tag: value for tag, value in first.items() if tag not in STRUCTURE and tag != EXIF}
    if EXIF in first:
        second = read_directory(data, _address(first[EXIF][1], order), order)
        inner: Directory = {tag: value for tag, value in second.items() if tag not in PRIVATE}
        if INTEROP in inner:
            inner[INTEROP] = read_directory(data, _address(inner[INTEROP][1], order), order)
        for tag, pixels in zip((WIDE, HIGH), size, strict=True):
            if tag in inner:
                inner[tag] = number(LONG, pixels, order)
        kept[EXIF] = inner
    if ORIENTATION in kept or orientation != 1:
        kept[ORIENTATION] = number(SHORT, orientation, order)
    return kept, order


def _address(value: bytes, order: Order) -> int:
    return int.from_bytes(value[:4], order)


def _xmp(packet: bytes, orientation: int) -> bytes:
    # Entities are what a small packet grows to gigabytes by; XMP has none.
    plain = packet.replace(b"\0", b"").lower()
    if len(packet) > PACKET_CAP or b"<!doctype" in plain or b"<!entity" in plain:
        raise ValueError("It is no XMP.")
    tree = minidom.parseString(packet.rstrip(b"\0 \r\n\t"))  # noqa: S318 - what attacks it was refused above
    for element in list(tree.getElementsByTagName("*")):
        for name, value in list(element.attributes.items()):
            node = element.getAttributeNode(name)
            if node is None or name.startswith("xmlns"):
                continue
            if _is_out(node.namespaceURI, node.localName):
                element.removeAttribute(name)
            elif node.namespaceURI == TIFF_NAMESPACE and node.localName == "Orientation" and value:
                element.setAttribute(name, str(orientation))
        if _is_out(element.namespaceURI, element.localName) and element.parentNode is not None:
            element.parentNode.removeChild(element)
        elif element.namespaceURI == TIFF_NAMESPACE and element.localName == "Orientation":
            for child in list(element.childNodes):
                element.removeChild(child)
            element.appendChild(tree.createTextNode(str(orientation)))
    root = tree.documentElement
    if root is None or b"RDF" not in packet:
        raise ValueError("It is no XMP.")
    return root.toxml().encode()


def _is_out(namespace: str | None, name: str | None) -> bool:
    names = XMP_OUT.get(namespace or "", ())
    return names is None or any((name or "").startswith(one) for one in names)


def _iptc(data: bytes) -> bytes:
    """The records in Photoshop's resources, or as they are alone, without places."""
    records = b"".join(_resources(data)) if data.startswith(b"8BIM") else data
    kept, at = b"", 0
    while at + 5 <= len(records) and records[at] == 0x1C:
        record, field_, length = records[at + 1], records[at + 2], int.from_bytes(records[at + 3 : at + 5])
        end = at + 5 + length
        if length & 0x8000 or end > len(records):
            # A length of a length: nobody writes so much text.
            raise ValueError("Its records are damaged.")
        if not (record == 2 and field_ in IPTC_OUT):
            kept += records[at:end]
        at = end
    return kept


def _resources(data: bytes) -> list[bytes]:
    blocks, at = [], 0
    while data[at : at + 4] == b"8BIM" and at + 12 <= len(data):
        name = data[at + 6]
        start = at + 6 + (name + 2) // 2 * 2
        length = int.from_bytes(data[start : start + 4])
        if int.from_bytes(data[at + 4 : at + 6]) == 0x0404:
            blocks.append(data[start + 4 : start + 4 + length])
        at = start + 4 + length + length % 2
    return blocks


def photoshop(iptc: bytes) -> bytes:
    """IPTC's records as a JPEG's segment has them, without its marker."""
    return b"Photoshop 3.0\x008BIM\x04\x04\0\0" + len(iptc).to_bytes(4) + iptc + bytes(len(iptc) % 2)
