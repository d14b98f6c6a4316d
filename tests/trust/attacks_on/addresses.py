"""Attacks by address: pictures and results that would be fetched from what only this machine can reach."""

from __future__ import annotations

import socket
from functools import partial
from typing import Any

import ttapi_nb as tt
from tests.server import Reply, Server, encoded, json_reply

from .tries import PHOTO, Tries, attack, client_of

ADDRESSES = "addresses"
SECRET = encoded(PHOTO)
# PORT is that of a server on this machine.
HOSTS = (
    "127.0.0.1", "127.1", "127.0.1", "0x7f.1", "0x7f000001", "2130706433", "017700000001", "0177.0.0.1", "127.0.0.1.",
    "127.255.255.254", "localhost", "LOCALHOST", "localhost.", "a.localhost", "0.0.0.0", "0", "0x0", "[::1]", "[::]",
    "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[::7f00:1]", "[64:ff9b::127.0.0.1]",
    "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2002:a00:1::1]", "[2001:0:7f00:1::]",
    "[fec0::1]", "[fe80::1]", "[fe80::1%25lo]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[::ffff:0:127.0.0.1]",
    "10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200",
    "192.0.0.192", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "198.18.0.1", "192.0.2.1",
    "user@127.0.0.1", "example.com@127.0.0.1", "127.0.0.1#@example.com", "①②⑦.⓪.⓪.①", "１２７.0.0.1", "127。0。0。1",
    "ⓛocalhost", "localhoſt", "printer.local", "metadata.google.internal", "router.lan", "intranet", "x.internal",
)  # fmt: skip


@attack(ADDRESSES, "open_image of this machine's own addresses")
def own(tries: Tries) -> None:
    """Each way to write an address that is not public."""
    with Server() as server:
        server.answer = Reply(200, SECRET, mime="image/png")
        for host in HOSTS:
            for scheme in ("http",) if ":" in host else ("http", "https"):
                place, hash_, rest = host.partition("#")
                url = f"{scheme}://{place}:{server.port}{hash_}{rest}/a.png"
                tries.refused(f"{scheme}://{host}", partial(tt.open_image, url), tt.ImageError)
        tries.held("connections", server.connections == 0, "none was made")
        allowed = tt.open_image(f"{server.origin}/a.png", allow_private=True)
        tries.held("allow_private=True", allowed.size == PHOTO.size, "opened")


PRIVATE = (
    "127.0.0.1", "10.0.0.1", "192.168.1.1", "172.31.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
    "::1", "::", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "fec0::1", "fe80::1", "fd00::1",
    "ff02::1", "2001:0:7f00:1::",
)  # fmt: skip


@attack(ADDRESSES, "names that lead to private addresses")
def names(tries: Tries) -> None:
    """A public name that a look-up leads inside, alone or beside a public address, for pictures and for results."""
    really = socket.getaddrinfo
    asked: list[str] = []
    with Server() as server:
        for private in PRIVATE:
            for beside in ((), ("93.184.216.34",)):

                def look_up(
                    host: Any, port: Any, *given: Any, found: Any = (*beside, private), **more: Any
                ) -> Any:
                    name = host.decode() if isinstance(host, bytes) else host
                    if name != "pictures.example.com":
                        return really(host, port, *given, **more)
                    asked.append(name)
                    kinds = [socket.AF_INET6 if ":" in one else socket.AF_INET for one in found]
                    return [
                        (
                            kind,
                            socket.SOCK_STREAM,
                            6,
                            "",
                            (one, port, 0, 0) if kind == socket.AF_INET6 else (one, port),
                        )
                        for kind, one in zip(kinds, found, strict=True)
                    ]

                socket.getaddrinfo = look_up
                try:
                    url = f"https://pictures.example.com:{server.port}/a.png"
                    asked.clear()
                    variant = f"{private}{' and a public one' if beside else ''}"
                    tries.refused(f"a picture, {variant}", partial(tt.open_image, url), tt.ImageError)
                    looked = len(asked)
                    server.answer = json_reply({"data": [{"url": url}]})
                    item = client_of(server).images.edit(image=PHOTO, prompt="x").data[0]
                    refused = item.data is None and "private" in item.problem
                    tries.held(
                        f"a result, {variant}", refused and looked == 1, "not fetched, one look-up each"
                    )
                finally:
                    socket.getaddrinfo = really
        tries.held(
            "requests", {request.method for request in server.requests} == {"POST"}, "nothing was fetched"
        )


@attack(ADDRESSES, "redirects to private addresses")
def redirects(tries: Tries) -> None:
    """A result from a place that may be asked, which sends on to one that may not."""
    with Server() as server, Server() as private, Server() as files:
        private.answer = Reply(200, SECRET, mime="image/png")
        server.answer = json_reply({"data": [{"url": f"{files.origin}/a.png"}]})
        client = client_of(server, fetch_from=[files.origin])
        places = [host.partition("#")[0] for host in HOSTS[:40] if "@" not in host]
        for status, host in zip((301, 302, 303, 307, 308) * len(places), places, strict=False):
            files.answer = Reply(status, headers={"Location": f"http://{host}:{private.port}/a.png"})
            item = client.images.edit(image=PHOTO, prompt="x").data[0]
            tries.held(f"{status} to {host}", item.data is None and item.problem, "not followed")
        for place in (
            "file:///etc/passwd",
            "//127.0.0.1/",
            "ftp://x/",
            "gopher://x/",
            "data:image/png;base64,AAAA",
            "",
        ):
            files.answer = Reply(302, headers={"Location": place})
            item = client.images.edit(image=PHOTO, prompt="x").data[0]
            tries.held(f"302 to {place!r}", item.data is None and item.problem, "not followed")
        files.answer = Reply(302, headers={"Location": f"{files.origin}/a.png"})
        item = client.images.edit(image=PHOTO, prompt="x").data[0]
        tries.held("302 to itself, for ever", item.data is None and len(files.requests) < 80, "given up")
        tries.held("connections", private.connections == 0, "none was made")


@attack(ADDRESSES, "results of another origin")
def results(tries: Tries) -> None:
    """A result's URL that leads to private places, from a service that is itself on this machine."""
    with Server() as server, Server() as private:
        private.answer = Reply(200, SECRET, mime="image/png")
        for host in HOSTS:
            server.answer = json_reply({"data": [{"url": f"http://{host}:{private.port}/a.png"}]})
            try:
                item = client_of(server).images.edit(image=PHOTO, prompt="x").data[0]
            except tt.UnknownOutcomeError:
                tries.held(host, True, "kept as it came")
                continue
            tries.held(host, item.data is None and item.problem, "not fetched, its address kept")
        tries.held("connections", private.connections == 0, "none was made")
