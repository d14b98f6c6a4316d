"""A text travels within a picture of any format, and hostile files give none."""

from __future__ import annotations

import io
import re
import time
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, JpegImagePlugin, PngImagePlugin

from tests.server import decoded, encoded
from ttapi_nb import open_image
from ttapi_nb.metadata import TEXT_CAP, options_for, text_in

TEXT = """{"a": "]]> & &amp; <x> ' \\" &#10;"}"""
DOT = Image.new("RGB", (4, 4))


def _written(format: str, text: str, **more: Any) -> bytes:
    return encoded(DOT, format, **options_for(format, text), **more)


def _found(data: bytes) -> str:
    with Image.open(io.BytesIO(data)) as opened:
        return text_in(opened)


def _png(key: str, text: str) -> bytes:
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt(key, text)
    return encoded(DOT, pnginfo=chunks)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)), st.sampled_from(["PNG", "JPEG", "WEBP"]))
def test_there_and_back(text: str, format: str) -> None:
    """What is written is found again, beside whatever else is in the text."""
    for whole in (text, TEXT + text):
        assert _found(_written(format, whole)) == whole


@pytest.mark.parametrize("length", [64_000, 66_000, 131_000, TEXT_CAP])
def test_longer_than_a_segment(length: int) -> None:
    """A JPEG whose text is longer than one of its segments holds carries it all the same."""
    text = ("0123456789&" * length)[:length]
    data = _written("JPEG", text)
    assert _found(data) == text
    assert decoded(data).size == (4, 4)


def test_a_long_packet_as_the_standard_has_it() -> None:
    """The packet in a JPEG's extended XMP is XML, and its pointer is what others read as the picture's XMP."""
    text = "0123456789<" * 20_000
    with Image.open(io.BytesIO(_written("JPEG", text))) as opened:
        assert isinstance(opened, JpegImagePlugin.JpegImageFile)
        pointer = ET.fromstring(opened.info["xmp"].decode())
        portions = [data for _, data in opened.applist if data.startswith(b"http://ns.adobe.com/xmp/ext")]
    (guid,) = pointer.iter("{http://ns.adobe.com/xmp/note/}HasExtendedXMP")
    assert all(portion[35:67].decode() == guid.text for portion in portions)
    (found,) = ET.fromstring(b"".join(portion[75:] for portion in portions).decode()).iter(
        "{urn:ttapi-nb:lineage:}lineage"
    )
    assert found.text == text


def test_written_by_another_program() -> None:
    """Packets are read as other programs rewrite them: as an attribute, or within a PNG."""
    text = TEXT.replace("&", "&amp;").replace("<", "&#60;").replace(">", "&#x3e;")
    for quote, escape in (('"', "&quot;"), ("'", "&apos;")):
        packet = (
            '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
            '<rdf:Description xmlns:ttapi="urn:ttapi-nb:lineage:" '
            f"ttapi:lineage={quote}{text.replace(quote, escape)}{quote}/></rdf:RDF></x:xmpmeta>"
        )
        ET.fromstring(packet)
        assert _found(encoded(DOT, "WEBP", xmp=packet.encode())) == TEXT
        assert _found(_png("XML:com.adobe.xmp", packet)) == TEXT


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_no_text(format: str) -> None:
    """A picture without a text, or with those of other programs, has none."""
    assert _found(encoded(DOT, format)) == ""
    assert _found(encoded(DOT, format, xmp=b"<x><dc:title>lineage</dc:title></x>")) == ""
    assert _found(_png("Comment", TEXT)) == ""


@pytest.mark.parametrize(
    "text", ["x" * (TEXT_CAP + 1), "\u202ea", "a\0b", "a\x1bb", "\u00e9", "&#8238;"], ids=range(6)
)
def test_texts_that_are_none_of_ours(text: str) -> None:
    """A text that is too long, or holds what we never write, is not taken, and so never written again."""
    kept = text if text == "&#8238;" else ""
    assert _found(_png("ttapi_nb", text.replace("\0", "\x01"))) == kept
    assert _found(_written("WEBP", text)) == kept


@pytest.mark.parametrize(
    "packet",
    [
        b"<ttapi:lineage>" * 2_000_000,
        b"<ttapi:lineage>" * 300_000,
        b' ttapi:lineage="' * 300_000,
        b" ttapi:lineage='" * 300_000,
        b"<ttapi:lineage>" + b"&amp" * 1_000_000,
        b"<ttapi:lineage>" + b"&amp;" * 1_000_001 + b"</ttapi:lineage>",
        b"\xff\xfe<!ENTITY lineage>",
        b"HasExtendedXMP>" * 300_000,
        b"<ttapi:lineage>\xff\xfe</ttapi:lineage>",
    ],
    ids=range(9),
)
def test_hostile_packets(packet: bytes) -> None:
    """Packets that are huge, never end or would keep a parser busy are left quickly."""
    data = encoded(DOT, "WEBP", xmp=packet)
    start = time.monotonic()
    # An attribute that is opened over and over may be read, up to where it is closed.
    assert _found(data) in ("", " ttapi:lineage=")
    assert time.monotonic() - start < 5


def test_long_numbers() -> None:
    """A character's number of thousands of digits stays as it stands, and the picture opens."""
    number = b"&#" + b"9" * 9000 + b";"
    data = encoded(DOT, "WEBP", xmp=b"<ttapi:lineage>" + number + b"</ttapi:lineage>")
    assert _found(data) == number.decode()
    assert open_image(data).size == (4, 4)


def test_broken_extension() -> None:
    """A JPEG from which a part of a long text was cut, or in which it was mixed up, opens as a picture without it."""
    whole = _written("JPEG", "x" * 200_000)
    at = [found.start() for found in re.finditer(b"\xff\xe1", whole)]
    assert len(at) > 3
    guid = whole.index(b"HasExtendedXMP>") + len(b"HasExtendedXMP>")
    length = whole.index(b"xmp/extension") + len(b"xmp/extension\0") + 32
    assert _found(whole)
    for data in (
        whole[: at[2]] + whole[at[3] :],
        whole[: at[2]] + whole[at[1] : at[2]] + whole[at[2] :],
        whole.replace(b"xmp/extension", b"xmp/extenzion"),
        whole[:guid] + b"0" * 32 + whole[guid + 32 :],
        whole[:length] + b"\xff" * 8 + whole[length + 8 :],
    ):
        assert open_image(data).size == (4, 4)
        assert _found(data) == ""
