"""One text within a picture file, whatever the format: how it is written there, and how it is found again.

In a PNG it is an iTXt chunk called `ttapi_nb`. In a JPEG or WEBP it is the property `ttapi:lineage` of an XMP packet,
and where a JPEG's packet would be too long for its segment, of what Adobe calls extended XMP.
"""

from __future__ import annotations

import hashlib
import html
import re
from typing import TYPE_CHECKING, Any

from PIL import Image, PngImagePlugin

if TYPE_CHECKING:
    import re

__all__ = ["KEY", "TEXT_CAP", "jpeg_segments", "options_for", "packet_with", "text_in"]

TEXT_CAP = 1_000_000
"""The longest text, in characters, that is written or read."""

KEY = "ttapi_nb"
NAMESPACE = "urn:ttapi-nb:lineage:"
# What a JPEG's segment holds behind its marker, its length and the name of what is in it.
XMP_NAME = b"http://ns.adobe.com/xap/1.0/\0"
EXTENSION_NAME = b"http://ns.adobe.com/xmp/extension/\0"
SEGMENT = 65_533 - len(XMP_NAME)
PORTION = 65_000
# Escaping may make a text six times as long.
PACKET_CAP = 6 * TEXT_CAP + 10_000


def options_for(format: str, text: str) -> dict[str, Any]:
    """What to give to Pillow's `save` so that a file of `format` (PNG, JPEG or WEBP) carries `text`.

    `text` is ASCII without control characters, at most `TEXT_CAP` long: XML can't hold any other.
    """
    if format == "PNG":
        chunks = PngImagePlugin.PngInfo()
        chunks.add_itxt(KEY, text)
        return {"pnginfo": chunks}
    packet = packet_with(text)
    if format == "JPEG":
        return {"extra": jpeg_segments(packet)}
    return {"xmp": packet}


def packet_with(text: str, other: bytes = b"") -> bytes:
    """An XMP packet with `text`, and with all that is in `other`, a packet of UTF-8 that carries no text of ours.

    Where both are empty, so is it.
    """
    if not text:
        return _wrapped(other) if other else b""
    end = other.rfind(b"</", 0, max(0, other.rfind(b"RDF>")))
    if end < 0:
        return _packet(_property(text))
    description = (
        '<rdf:Description xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" rdf:about="" '
        f'xmlns:ttapi="{NAMESPACE}">{_property(text)}</rdf:Description>'
    )
    return _wrapped(other[:end] + description.encode() + other[end:])


def text_in(opened: Image.Image) -> str:
    """The text in a file that Pillow has opened, or "" where there is none, or none that can be one of ours.

    Reads what lies before the pixels, and decodes none of them.
    """
    text, packet = opened.info.get(KEY), opened.info.get("xmp")
    if not isinstance(text, str):
        text = ""
        if isinstance(packet, bytes) and len(packet) <= PACKET_CAP:
            text = _read(packet) or _read(_extension(opened, packet))
    # Who saves the picture again writes this again.
    ours = len(text) <= TEXT_CAP and text.isascii() and text.replace("\n", "").isprintable()
    return str(text) if ours else ""


def _property(text: str) -> str:
    return f"<ttapi:lineage>{html.escape(text, quote=False)}</ttapi:lineage>"


def _wrapped(inside: bytes) -> bytes:
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'.encode() + inside + b'<?xpacket end="r"?>'
    )


def _packet(properties: str) -> bytes:
    inside = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" xmlns:ttapi="{NAMESPACE}" xmlns:xmpNote="http://ns.adobe.com/xmp/note/">'
        f"{properties}</rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    return _wrapped(inside.encode())


def jpeg_segments(packet: bytes) -> bytes:
    """The packet as a JPEG's segments: one, or where it is too long for that, a pointer and the packet in portions."""
    if len(packet) <= SEGMENT:
        return _segment(XMP_NAME + packet)
    # The name of the rest, which Adobe's rules say is its MD5: it guards nothing.
    guid = hashlib.md5(packet, usedforsecurity=False).hexdigest().upper()
    pointer = _packet(f"<xmpNote:HasExtendedXMP>{guid}</xmpNote:HasExtendedXMP>")
    head = EXTENSION_NAME + guid.encode() + len(packet).to_bytes(4)
    portions = [
        _segment(head + start.to_bytes(4) + packet[start : start + PORTION])
        for start in range(0, len(packet), PORTION)
    ]
    return _segment(XMP_NAME + pointer) + b"".join(portions)


def _segment(data: bytes) -> bytes:
    return b"\xff\xe1" + (len(data) + 2).to_bytes(2) + data


def _extension(opened: Image.Image, pointer: bytes) -> bytes:
    """The rest of a JPEG's packet, put together from its segments."""
    named = re.search(rb"HasExtendedXMP(?:>|=[\"'])([0-9A-F]{32})", pointer)
    if named is None:
        return b""
    head = EXTENSION_NAME + named[1]
    portions = [data[len(head) :] for _, data in getattr(opened, "applist", ()) if data.startswith(head)]
    # Each portion tells the length of the whole, and where in it it belongs.
    whole = b""
    for portion in sorted(portions, key=lambda portion: portion[4:8]):
        if int.from_bytes(portion[4:8]) != len(whole) or len(whole) > PACKET_CAP:
            return b""
        whole += portion[8:]
    return whole if portions and int.from_bytes(portions[0][:4]) == len(whole) else b""


def _read(packet: bytes) -> str:
    """The property in a packet. Not by an XML parser, which a hostile packet could keep busy: one look finds it,
    written as an element or, as other programs rewrite it, as an attribute.
    """
    if b"lineage" not in packet:
        return ""
    match = re.search(rb"<ttapi:lineage>([^<]*)</ttapi:lineage>", packet) or re.search(
        rb"\sttapi:lineage=(?:\"([^\"<]*)\"|'([^'<]*)')", packet
    )
    if match is None:
        return ""
    escaped = next(part for part in match.groups() if part is not None).decode("utf-8", "replace")
    return re.sub(r"&(?:(amp|lt|gt|quot|apos)|#([0-9]{1,3})|#x([0-9A-Fa-f]{1,2}));", _unescaped, escaped)


def _unescaped(match: re.Match[str]) -> str:
    # Not html.unescape: a number of thousands of digits makes that raise.
    name, decimal, hexadecimal = match.groups()
    if name:
        return {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}[str(name)]
    return chr(int(decimal)) if decimal else chr(int(hexadecimal, 16))
