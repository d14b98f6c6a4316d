"""A service that refuses before it has read the whole request is heard."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from tests.server import Server, json_reply, pictures
from ttapi_nb import Client
from ttapi_nb.errors import AuthenticationError, RefusedError

KEY = "tt-sk-0123456789abcdef"


@contextlib.contextmanager
def rude(head: bytes) -> Iterator[str]:
    """A service that answers as soon as it has a request's head, and reads no more of it.

    The line stays open until the end: one that is closed with the body unread may take its answer with it.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    seen = threading.Event()

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                line, _ = listener.accept()
                with line:
                    came = b""
                    while b"\r\n\r\n" not in came:
                        came += line.recv(4096)
                    body = b'{"error": {"message": "Too much of it."}}'
                    line.sendall(head + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)
                    seen.wait(60)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        seen.set()
        listener.close()


def noise(pixels: int) -> Image.Image:
    """A picture that no format makes smaller: three bytes a pixel."""
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (pixels, pixels, 3), np.uint8))


@pytest.mark.parametrize(
    ("status", "error"), [(b"413 Too Large", RefusedError), (b"401 No", AuthenticationError)]
)
@pytest.mark.parametrize("pixels", [16, 600, 1500])
@pytest.mark.parametrize("wire", ["json", "multipart"])
def test_what_it_said_is_read(status: bytes, error: type[Exception], pixels: int, wire: str) -> None:
    """However large the body is that it would not read, its refusal is told as such: nothing was billed."""
    with rude(b"HTTP/1.1 " + status + b"\r\nContent-Type: application/json\r\n") as url:
        client = Client(KEY, base_url=url, timeout=20, wire=wire)  # type: ignore[arg-type]  # each is a form
        with pytest.raises(error, match="Too much of it"):
            client.images.edit(image=noise(pixels), prompt="x", check=False)


def test_who_reads_it_all_gets_it_all(server: Server) -> None:
    """A large body arrives whole where nobody says no."""
    server.answer = json_reply(pictures(noise(8)))
    photo = noise(1200)
    Client(KEY, base_url=server.url).images.edit(image=photo, prompt="x")
    (post,) = server.posts
    assert len(post.body) == int(post.get("Content-Length") or 0) > 5_000_000
