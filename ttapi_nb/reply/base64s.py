"""Base64 as services write it: with line breaks, without padding, in the alphabet for URLs, behind a `data:` prefix."""

from __future__ import annotations

import binascii
import io
import re

__all__ = ["PREFIX", "Decoder", "decoded", "is_picture", "is_picture_text"]

PREFIX = b"base64,"
BLANKS = b" \t\r\n\f\v"
# The alphabet for URLs (RFC 4648, section 5) beside the usual one.
USUAL = bytes.maketrans(b"-_", b"+/")
MOST_PADDING = 2
# What stands before base64 in a data URL (RFC 2397).
DATA_URL = re.compile(rb'\s*(?:data:[^\s"<>{}\[\]]*)?', re.IGNORECASE)
# In letters: what a picture's first bytes take, with a prefix and some line breaks before them.
HEAD = 200


class Decoder:
    """Takes base64 piece by piece; a piece may end anywhere."""

    def __init__(self) -> None:
        self.damaged = False
        self._out = io.BytesIO()
        self._rest = b""
        self._padding = 0

    def feed(self, letters: bytes | bytearray) -> None:
        """Take the next letters."""
        if self.damaged:
            return
        letters = letters.translate(USUAL, BLANKS)
        start = letters.find(b"=") if not self._padding else 0
        if start >= 0:
            letters, padding = letters[:start], letters[start:]
            self._padding += len(padding)
            if self._padding > MOST_PADDING or padding.strip(b"="):
                self._damage()
                return
        letters = self._rest + letters if self._rest else bytes(letters)
        whole = len(letters) // 4 * 4
        self._rest = letters[whole:]
        self._write(letters[:whole])

    def end(self) -> bytes | None:
        """The bytes, or None where the text is damaged."""
        if not self.damaged and self._rest:
            self._write(self._rest + b"=" * (-len(self._rest) % 4))
        # Not copied, as the bytes of a bytearray would be.
        return None if self.damaged else self._out.getvalue()

    def _write(self, letters: bytes) -> None:
        try:
            self._out.write(binascii.a2b_base64(letters, strict_mode=True))
        except binascii.Error:
            self._damage()

    def _damage(self) -> None:
        self.damaged, self._out, self._rest = True, io.BytesIO(), b""


def decoded(text: str) -> bytes | None:
    """The bytes that `text` stands for, or None where it is damaged. Of several prefixes the last one counts."""
    decoder = Decoder()
    decoder.feed(text.encode(errors="replace").rsplit(PREFIX, 1)[-1])
    return decoder.end()


def is_picture(data: bytes) -> bool:
    """Whether `data` begins like a PNG, JPEG, WebP or GIF file."""
    return data.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")) or (
        data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    )


def is_picture_text(text: str) -> bool:
    """Whether `text` is base64, with or without a prefix, that begins like a picture. Only its head is looked at."""
    head = text[:HEAD].encode(errors="replace")
    before, prefix, after = head.rpartition(PREFIX)
    if prefix and not DATA_URL.fullmatch(before):
        return False
    head = after.translate(USUAL, BLANKS).partition(b"=")[0][:24]
    # The shortest of all those beginnings takes four letters.
    try:
        return is_picture(binascii.a2b_base64(head[: len(head) // 4 * 4], strict_mode=True))
    except binascii.Error:
        return False
