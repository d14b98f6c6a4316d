"""Attacks that nobody means: what other people's clients and gateways send, rename and point elsewhere."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ttapi_nb as tt
from tests.server import Reply, Server, encoded, json_reply

from .bounds import serving
from .tries import ANSWERS, KEY, PHOTO, Tries, attack, client_of

GATEWAYS = "gateways"
ROOT = Path(__file__).parents[3]
PNG = encoded(PHOTO)


@attack(GATEWAYS, "a gateway that renames models")
def renames(tries: Tries) -> None:
    """The form has the model once at a gateway, and twice where that is asked for; lists go as repeated fields."""
    with Server() as server:
        server.answer = ANSWERS
        for name, setting, expected in (
            ("left out", None, 0),
            ("send_mode=True", True, 1),
            ("send_mode=False", False, 0),
        ):
            client_of(server, wire="multipart", send_mode=setting).images.edit(image=PHOTO, prompt="x")
            names = [part.name for part in server.posts[-1].parts]
            good = names.count("mode") == expected and names.count("model") == 1
            tries.held(f"mode, {name}", good, f"mode {expected} times, model once")
        for given in (["a", "b"], ("a", "b"), [1, 2]):
            client_of(server, wire="multipart").images.edit(
                image=PHOTO, prompt="x", extra_body={"tags": given}
            )
            parts = [part.data.decode() for part in server.posts[-1].parts if part.name.startswith("tags")]
            tries.held(f"extra_body, {given!r}", parts == [str(item) for item in given], "repeated fields")


@attack(GATEWAYS, "results on another origin")
def elsewhere(tries: Tries) -> None:
    """They are refused in a sentence that names the setting, and fetched with it, at once or again."""
    with Server() as server, Server() as files:
        files.answer = Reply(200, PNG, mime="image/png")
        server.answer = json_reply({"data": [{"url": f"{files.origin}/a.png"}]})
        log = tt.RunLog(tries.folder / "log")
        tries.refused(
            "tt.edit", lambda: tt.edit(PHOTO, "x", client=client_of(server), log=log), says="fetch_from="
        )
        (row,) = log.rows()
        tries.held("kept to be fetched", row.waiting and files.connections == 0, "its address is in the log")
        tries.refused("fetch_again", lambda: log.fetch_again(row.id), says="fetch_from")
        got = log.fetch_again(row.id, fetch_from=files.origin)
        tries.held("fetch_again(fetch_from=)", len(got.results) == 1, "fetched")
        for given in ([files.origin], (f"{files.origin}/",)):
            client = client_of(server, fetch_from=given)
            found = client.images.edit(image=PHOTO, prompt="x").data[0]
            tries.held(f"fetch_from={given!r}".replace(str(files.port), "PORT"), found.data == PNG, "fetched")
        sent = [request for request in files.requests if KEY.encode() in request.head]
        tries.held("the key", not sent, "not in any of these requests")


def boxed(**more: object) -> bytes:
    """A request's JSON."""
    import base64

    image = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    return json.dumps({"prompt": "a cat", "image": [image], "mode": "gpt-image-1", **more}).encode()


def pieces(body: bytes) -> Iterator[bytes]:
    """A body of which nobody says how long it is."""
    for at in range(0, len(body), 7000):
        yield body[at : at + 7000]


HEADERS = {"Content-Type": "application/json", "TT-API-KEY": "any"}
NODE = """
const http = require('http'), fs = require('fs');
const request = http.request({host: '127.0.0.1', port: process.argv[1], path: '/v1/images/edits', method: 'POST',
  headers: {'Content-Type': 'application/json', 'Authorization': 'Bearer any', 'Transfer-Encoding': 'chunked'}},
  answer => { answer.resume(); answer.on('end', () => console.log(answer.statusCode)); });
request.on('error', error => console.log(error.code));
fs.createReadStream(process.argv[2]).pipe(request);
"""


@attack(GATEWAYS, "clients that send chunks to ttapi-nb serve")
def chunks(tries: Tries) -> None:
    """Bodies of unknown length from Python, curl, node, requests, httpx and openai, good ones and bad ones."""
    good, bad = boxed(), boxed(size="1x1")
    with serving() as (port, _), tempfile.TemporaryDirectory() as folder:
        url = f"http://127.0.0.1:{port}/v1/images/edits"
        for name, body, expected in (("good", good, 200), ("refused", bad, 400), ("empty", b"", 400)):
            line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            line.request("POST", "/v1/images/edits", pieces(body), HEADERS, encode_chunked=True)
            status = line.getresponse().status
            line.close()
            tries.held(f"http.client, {name}", status == expected, f"HTTP {status}")
            path = Path(folder) / "body.json"
            path.write_bytes(body)
            if shutil.which("curl") is None:
                tries.cannot("curl", "it is not installed")
            else:
                # Told to go on, curl 7.88 never sends the end of an empty body.
                for more in ((), ("-H", "Expect: 100-continue"))[: 2 if body else 1]:
                    command = [
                        "curl",
                        "-s",
                        "-o",
                        "/dev/null",
                        "-w",
                        "%{http_code}",
                        "-H",
                        "Transfer-Encoding: chunked",
                        *more,
                    ]
                    command += [
                        "-H",
                        "Content-Type: application/json",
                        "-H",
                        "TT-API-KEY: any",
                        "--data-binary",
                        f"@{path}",
                        url,
                    ]
                    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
                    said = (
                        f"HTTP {done.stdout}" if done.returncode == 0 else f"curl's error {done.returncode}"
                    )
                    tries.held(
                        f"curl{' with Expect' if more else ''}, {name}", done.stdout == str(expected), said
                    )
            if shutil.which("node") is None:
                tries.cannot("node", "it is not installed")
            else:
                command = ["node", "-e", NODE, str(port), str(path)]
                done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
                tries.held(
                    f"node, {name}", done.stdout.strip() == str(expected), f"HTTP {done.stdout.strip()}"
                )
            for library in ("requests", "httpx"):
                try:
                    posted: Any = __import__(library)
                except ImportError:
                    tries.cannot(library, "it is not installed")
                    continue
                given = {"data" if library == "requests" else "content": pieces(body)}
                status = posted.post(url, headers=HEADERS, timeout=60, **given).status_code
                tries.held(f"{library}, {name}", status == expected, f"HTTP {status}")
        for name, broken in {
            "a size that is none": b"zz\r\nx\r\n0\r\n\r\n",
            "a huge size": b"ffffffffffffffff\r\nx",
            "a minus": b"-5\r\nhello\r\n0\r\n\r\n",
            "no end": b"5\r\nhello",
            "a length too": b"5\r\nhello\r\n0\r\n\r\n",
        }.items():
            with socket.create_connection(("127.0.0.1", port), timeout=30) as raw:
                length = b"Content-Length: 5\r\n" if name == "a length too" else b""
                head = (
                    f"POST /v1/images/edits HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nTT-API-KEY: x\r\n".encode()
                )
                raw.sendall(head + length + b"Transfer-Encoding: chunked\r\n\r\n" + broken)
                raw.shutdown(socket.SHUT_WR)
                came = raw.recv(1000)
            tries.held(
                f"chunks with {name}", came[:10] in (b"HTTP/1.1 4", b""), came[9:12].decode() or "hung up on"
            )
    for name in ("Go", "nginx", "litellm's proxy"):
        tries.cannot(name, "it is not installed; the suite sends what it sends")


@attack(GATEWAYS, "clients that read another's envelope")
def envelopes(tries: Tries) -> None:
    """Errors as OpenAI writes them for Authorization: Bearer, and as TTAPI does for TT-API-KEY; openai shows them."""
    with serving() as (port, _):
        for name, header, place in (
            ("Bearer", {"Authorization": "Bearer any"}, "error"),
            ("bearer", {"authorization": "bearer any"}, "error"),
            ("TT-API-KEY", {"TT-API-KEY": "any"}, "status"),
        ):
            line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            line.request(
                "POST", "/v1/images/edits", boxed(size="1x1"), {"Content-Type": "application/json"} | header
            )
            said = json.loads(line.getresponse().read())
            line.close()
            tries.held(name, place in said, f"an envelope with {place!r}")
        try:
            import openai
        except ImportError:
            tries.cannot("openai", "it is not installed")
            return
        client = openai.OpenAI(api_key="any", base_url=f"http://127.0.0.1:{port}/v1", max_retries=0)
        for size, words in (("1x1", "size"), ("1024x1024", "")):
            try:
                answer = client.images.edit(
                    image=("a.png", PNG, "image/png"), prompt="x", model="gpt-image-1", size=size
                )
                tries.held(f"openai {openai.__version__}, {size}", not words and answer.data, "a picture")
            except openai.BadRequestError as error:
                tries.held(
                    f"openai {openai.__version__}, {size}",
                    words and words in str(error),
                    "the service's words",
                )


@attack(GATEWAYS, "what development and CI install")
def supplies(tries: Tries) -> None:
    """Each package by its hash, each action by its commit."""
    lock = ROOT / "requirements-lock.txt"
    packages = re.findall(r"^[a-zA-Z0-9_.-]+==.*(?:\n[ ].*)*", lock.read_text(), re.MULTILINE)
    whole = [one for one in packages if "--hash=sha256:" in one]
    tries.held("the lock", len(whole) == len(packages) > 50, f"all of {len(packages)} packages with hashes")
    for path in sorted((ROOT / ".github" / "workflows").glob("*.y*ml")):
        uses = re.findall(r"uses:\s*(\S+)", path.read_text())
        pinned = [one for one in uses if re.search(r"@[0-9a-f]{40}$", one)]
        tries.held(path.name, uses == pinned, f"all of {len(uses)} actions by their commit")
