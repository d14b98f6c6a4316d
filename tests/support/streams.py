"""A stream of events with drafts and a result, each of one colour, as TTAPI writes them."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator
from typing import Any

from PIL import Image

from tests.server import Reply, Server, encoded

__all__ = ["COLOURS", "DONE", "DRAFTS", "HEAD", "OVER", "STREAM", "event", "streaming"]

COLOURS = ("red", "orange", "green")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


def event(colour: str, kind: str = "partial_image", **more: Any) -> bytes:
    """An event with a picture of one colour."""
    file = encoded(Image.new("RGB", (1024, 1024), colour))
    said = {"type": f"image_edit.{kind}", "b64_json": base64.b64encode(file).decode()} | more
    return f"retry:3000\nid:null\ndata:{json.dumps(said)}\n\n".encode()


DRAFTS = [event(colour, partial_image_index=at) for at, colour in enumerate(COLOURS[:2])]
DONE = event(COLOURS[2], "completed", usage={"total_tokens": 30, "input_tokens": 10, "output_tokens": 20})
OVER = b"data:[DONE]\n\n"
STREAM = b"".join(DRAFTS) + DONE + OVER


@contextlib.contextmanager
def streaming() -> Iterator[Server]:
    """A server that streams two drafts and a result."""
    with Server() as running:
        running.answer = Reply(body=STREAM, mime="text/event-stream")
        yield running
