"""A gateway that answers on a port of this machine while a `with` block lasts, in this process or in its own.

The fixtures here are taken by a line in a test's file: `service = gateways.answering_service`.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.server import Server, json_reply, pictures
from ttapi_nb.client.key import Secret
from ttapi_nb.gateway.answering import unread
from ttapi_nb.gateway.app import make_app
from ttapi_nb.gateway.classes import Made
from ttapi_nb.gateway.ledger import Ledger
from ttapi_nb.gateway.terms import Limits, Terms
from ttapi_nb.gateway.upstream import NetworkUpstream, Upstream
from ttapi_nb.network.tls import believes_nobody
from ttapi_nb.serving import Lines, listen, server_for

ROOT = Path(__file__).parents[2]
KEY = "the-one-key-0123456789"
PATIENCE = 30
ANSWER = pictures(Image.new("RGB", (64, 64), "teal"))


@dataclass(frozen=True)
class Running:
    """A gateway that answers; `url` is what a client is given."""

    port: int
    ledger: Ledger

    @property
    def origin(self) -> str:
        """Without a path."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """As `base_url`."""
        return f"{self.origin}/v1"


def plain_client(**more: Any) -> httpx.Client:
    """A client for lines without TLS: to read the system's certificates takes longer than most of what it asks."""
    return httpx.Client(verify=believes_nobody(), trust_env=False, **{"timeout": PATIENCE} | more)


@contextlib.contextmanager
def running(
    ledger: Ledger, upstream: Upstream | str, port: int = 0, lines: Lines | None = None, **settings: Any
) -> Iterator[Running]:
    """A gateway in this process, before `upstream`, which may be a base URL."""
    if isinstance(upstream, str):
        upstream = NetworkUpstream(upstream, Secret(KEY))
    ready = threading.Event()
    socket = listen("127.0.0.1", port)
    server = server_for(make_app(ledger, upstream, **settings), unread, ready.set, lines=lines)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
    thread.start()
    try:
        assert ready.wait(PATIENCE), "the gateway does not start"
        yield Running(socket.getsockname()[1], ledger)
    finally:
        server.stop()
        thread.join(PATIENCE)
        socket.close()
    assert not thread.is_alive()


def environment(folder: Path, **more: str) -> dict[str, str]:
    """The environment of a process of its own, with the key in it, as a teacher has it."""
    kept = {name: value for name, value in os.environ.items() if name != "TTAPI_OFFLINE"}
    path = os.pathsep.join([str(ROOT), *filter(None, [kept.get("PYTHONPATH")])])
    return kept | {"TTAPI_DATA": str(folder), "TT_API_KEY": KEY, "PYTHONPATH": path} | more


def command(folder: Path, *arguments: str) -> Any:
    """What a command of `ttapi-nb` prints as JSON."""
    given = [sys.executable, "-m", "ttapi_nb.cli", *arguments, "--json"]
    done = subprocess.run(
        given, env=environment(folder), cwd=ROOT, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def process(folder: Path, *arguments: str, **more: str) -> tuple[subprocess.Popen[str], int]:
    """`ttapi-nb gateway` with these arguments as a process of its own, once it answers, and its port."""
    given = [sys.executable, "-m", "ttapi_nb.cli", "gateway", *arguments]
    started = subprocess.Popen(
        given, env=environment(folder, **more), cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert started.stdout is not None
    line = started.stdout.readline()
    assert " answers at http://" in line, line
    return started, int(line.split("127.0.0.1:")[1].split("/")[0])


def headers(token: str, **more: str) -> dict[str, str]:
    """Those of a request with a token."""
    return {"TT-API-KEY": token} | {name.replace("_", "-"): value for name, value in more.items()}


@pytest.fixture
def answering_service() -> Iterator[Server]:
    """The service behind a gateway, which answers with one teal picture."""
    with Server() as server:
        server.answer = json_reply(ANSWER)
        yield server


@pytest.fixture
def ledger_in_file(environment: Path) -> Iterator[Ledger]:
    """An empty ledger in a file."""
    made = Ledger()
    yield made
    made.close()


def class_of(people: int, **limits: int) -> Any:
    """A fixture: a class of so many in the ledger, with these limits for each."""

    @pytest.fixture
    def room(ledger: Ledger) -> Made:
        return ledger.classes.make("bowls", people, Terms(each=Limits(**limits)))

    return room
