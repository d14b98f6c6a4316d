"""The pictures in answers that a gateway keeps: small ones to look at, and files to take home."""

from __future__ import annotations

import io
import json
import struct
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterator

from PIL import Image

from ..errors import ImageError
from ..metadata import KEY, jpeg_segments, packet_with
from ..picture import open_image, preview
from ..reply.addresses import Address
from ..reply.arriving import AnswerReader
from ..reply.base64s import decoded
from ..reply.meaning import interpret
from .ledger import Ledger
from .storing import Store

__all__ = ["Results", "with_text"]

SMALL = 512
KEPT = 64
MOST_RESULTS = 10
PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"


class Results:
    """The results of runs, from a gateway's files or, where several gateways share it, from its database.

    All of it is for threads. Raises `OSError` and `LedgerError`.
    """

    def __init__(self, ledger: Ledger, store: Store) -> None:
        self._ledger, self._store = ledger, store
        self._lock = threading.Lock()
        self._small: OrderedDict[tuple[int, int], bytes] = OrderedDict()

    def files(self, number: int) -> list[bytes]:
        """The results of a run as they came; empty where none is here, or only their addresses came."""
        reader = AnswerReader()
        try:
            for piece in self._pieces(number):
                reader.feed(piece)
            reader.end()
            plain = interpret(200, reader.parsed(str))
            return [data for item in plain["data"][:MOST_RESULTS] if (data := _bytes(item))]
        except Exception:  # noqa: BLE001 - whatever a service answered, the page shows the others
            return []

    def _pieces(self, number: int) -> Iterator[bytes]:
        if self._store.place(number) is not None:
            yield from self._store.pieces(number)
            return
        if self._ledger.database.is_file:
            return
        piece = 0
        while (data := self._ledger.pieces.get(number, piece)) is not None:
            yield data
            piece += 1

    def small(self, number: int, at: int) -> bytes | None:
        """Result `at` of a run, from 1, as a WebP of at most 512 pixels a side; None where it can't be shown."""
        with self._lock:
            if (number, at) in self._small:
                self._small.move_to_end((number, at))
                return self._small[number, at]
        files = self.files(number)
        if not 1 <= at <= len(files):
            return None
        try:
            picture = preview(open_image(files[at - 1]).pixels, SMALL)
        except ImageError:
            return None
        out = io.BytesIO()
        picture.save(out, "WEBP", quality=80)
        with self._lock:
            self._small[number, at] = out.getvalue()
            while len(self._small) > KEPT:
                self._small.popitem(last=False)
        return out.getvalue()


def _bytes(item: object) -> bytes | None:
    if not isinstance(item, dict) or isinstance(item.get("url"), Address):
        return None
    encoded = item.get("b64_json")
    return encoded if isinstance(encoded, bytes) else decoded(encoded) if isinstance(encoded, str) else None


def with_text(data: bytes, text: str) -> tuple[bytes, str]:
    """A picture's file with `text` in it as `metadata` has it, its pixels as they are, and how such a file's name ends.

    What is neither PNG nor JPEG stays as it is.
    """
    if data.startswith(PNG):
        chunk = KEY.encode() + b"\0\0\0\0\0" + text.encode("ascii")
        packed = b"iTXt" + chunk
        whole = struct.pack(">I", len(chunk)) + packed + struct.pack(">I", zlib.crc32(packed))
        # Behind the header, which has 13 bytes, its length, its name and its check sum.
        at = len(PNG) + 25
        return data[:at] + whole + data[at:], "png"
    if data.startswith(JPEG):
        return data[:2] + jpeg_segments(packet_with(text)) + data[2:], "jpg"
    with Image.open(io.BytesIO(data)) as head:
        return data, (head.format or "bin").lower()


def options_in(text: str) -> dict[str, object]:
    """What a run asked for besides model and prompt, as its row has it."""
    options = json.loads(text or "{}")
    return {name: value for name, value in options.items() if isinstance(value, str | int | float | bool)}
