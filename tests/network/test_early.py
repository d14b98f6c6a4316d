"""A service that refuses before it has read the whole request is heard."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator

import httpcore
import numpy as np
import pytest
from PIL import Image

from tests.secure import AUTHORITY, FIXTURES
from tests.server import PATIENCE, Server, json_reply, pictures
from ttapi_nb import Client
from ttapi_nb.errors import AuthenticationError, RefusedError
from ttapi_nb.network.early import PIECE, _Backend

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


class Blocking:
    """A service that refuses, and has hung up with the body unread before its client does anything more."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.may_answer, self.is_gone = threading.Event(), threading.Event()
        self._context = context
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        line, _ = self.listener.accept()
        # Otherwise its answer may wait here for the client's word on what came before, and is dropped with the line.
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._context is not None:
            line = self._context.wrap_socket(line, server_side=True)
        self.may_answer.wait(PATIENCE)
        line.recv(20)
        line.sendall(b"HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\n{}")
        line.close()
        self.is_gone.set()


@pytest.mark.parametrize("secure", [False, True])
def test_what_lies_in_this_machine_when_a_write_fails(secure: bool) -> None:
    """An answer that came together with the end of its line is heard, though asyncio reads nothing after a failure."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(FIXTURES / "tls_server.pem")
    service = Blocking(context if secure else None)

    async def ask() -> bytes:
        line: httpcore.AsyncNetworkStream = await _Backend(httpcore.AnyIOBackend()).connect_tcp(
            "127.0.0.1", service.listener.getsockname()[1]
        )
        if secure:
            line = await line.start_tls(ssl.create_default_context(cafile=AUTHORITY), "127.0.0.1")
        try:
            await line.write(b"POST / HTTP/1.1\r\nHost: x\r\n\r\n" + bytes(1000))
            service.may_answer.set()
            # The loop stands still meanwhile, as it may where the machine is busy.
            assert service.is_gone.wait(PATIENCE)
            with pytest.raises(httpcore.WriteError):
                await line.write(bytes(9 * PIECE))
            said = b""
            while more := await line.read(PIECE):
                said += more
            return said
        finally:
            await line.aclose()

    assert asyncio.run(ask()).startswith(b"HTTP/1.1 401 No\r\n")
    service.thread.join(PATIENCE)
    service.listener.close()


def test_a_refusal_behind_a_hint(photo: Image.Image) -> None:
    """Who is told to go on, and then no, hears that too."""
    with rude(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 401 No\r\n") as url, pytest.raises(AuthenticationError):
        Client(KEY, base_url=url, timeout=20).images.edit(image=noise(600), prompt="x", check=False)
