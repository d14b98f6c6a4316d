"""Attacks on a class: on others' runs and tokens, on its code and its pages, and on the one key, through a gateway."""

from __future__ import annotations

import contextlib
import html
import itertools
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.server import Reply, Server, encoded, json_reply, pictures
from tests.support.gateways import KEY, ROOT, Running, environment, headers, process, running
from ttapi_nb.gateway.classes import Made
from ttapi_nb.gateway.ledger import Ledger
from ttapi_nb.gateway.terms import Limits, Terms
from ttapi_nb.serving import Lines

from .tries import PHOTO, Tries, attack

CLASS = "a class"
EDITS = "/v1/images/edits"
JSON = "application/json"
BODY = json.dumps({"prompt": "x", "mode": "gpt-image-1", "image": []}).encode()
CHUNK = b"20000\r\n" + b"x" * 0x20000 + b"\r\n"
SCRIPTS = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "'\"><svg onload=alert(1)>", "{{ 7*7 }}",
    "javascript:alert(1)", "</textarea><b>x", "<!--", "&lt;script&gt;", "a\\u003cscript\\u003e", "=cmd|' /C calc'!A0",
)  # fmt: skip


@contextlib.contextmanager
def classed(tries: Tries, people: int = 3) -> Iterator[tuple[Running, Made, Server]]:
    """A gateway with a class, before a service of ours."""
    ledger = Ledger(folder=tries.place("ledger"))
    made = ledger.classes.make("bowls", people, Terms(each=Limits(runs=50)), most_people=200)
    lines = Lines(head_seconds=0.5)
    with (
        Server() as service,
        running(ledger, service.url, lines=lines, most_body=200_000, body_seconds=0.5) as gateway,
    ):
        service.answer = json_reply(pictures(PHOTO))
        yield gateway, made, service
    ledger.close()


def ask(gateway: Running, method: str, path: str, given: Any, content: Any = None) -> httpx.Response:
    """Send a request as it is."""
    with httpx.Client(trust_env=False, timeout=30) as client:
        return client.request(method, f"{gateway.origin}{path}", headers=given, content=content)


def raw(gateway: Running, request: bytes) -> bytes:
    """What comes back for these very bytes."""
    address = ("127.0.0.1", gateway.port)
    with socket.create_connection(address, timeout=20) as line, contextlib.suppress(ConnectionError):
        line.sendall(request)
        return b"".join(iter(lambda: line.recv(65_536), b""))
    return b""


@attack(CLASS, "others' runs, and others' tokens")
def others(tries: Tries) -> None:
    """Nobody reads, joins or changes a run of another's, and a token opens nothing but its own."""
    with classed(tries) as (gateway, made, service):
        (_, ada), (_, bob), (_, eve) = made.people
        other = gateway.ledger.classes.make("vases", 1, Terms())
        kind = {"Content_Type": JSON}
        mine = ask(gateway, "POST", EDITS, headers(ada, Idempotency_Key="run-1", **kind), BODY)
        tries.held("one's own", mine.status_code == 200, mine.status_code)
        for run_id in (
            "run-1",
            "RUN-1",
            "run-1%20",
            "../run-1",
            "%72un-1",
            "x/../run-1",
            "run-1%00",
            "*",
            "1",
        ):
            got = ask(gateway, "GET", f"/v1/runs/{run_id}", headers(bob))
            tries.held(f"another's run, {run_id!r}", got.status_code == 404, got.status_code)
        posts = len(service.posts)
        theirs = ask(gateway, "POST", EDITS, headers(bob, Idempotency_Key="run-1", **kind), BODY)
        good = theirs.status_code == 200 and len(service.posts) == posts + 1
        tries.held("another's key with the same body", good, "a run of one's own")
        again = ask(gateway, "POST", EDITS, headers(ada, Idempotency_Key="run-1", **kind), BODY + b" ")
        tries.held("one's own key with another body", again.status_code == 409, again.status_code)
        posts = len(service.posts)
        tokens = {
            "the teacher's": made.teacher_token, "another teacher's": other.teacher_token, "the key": KEY,
            "half of one": ada[:-4], "one and more": f"{ada}x", "in capitals": ada.upper(), "its hash": "0" * 64,
            "very long": "x" * 5000, "SQL": "' OR '1'='1", "two in one": f"{ada}, {bob}",
        }  # fmt: skip
        for name, token in tokens.items():
            got = ask(gateway, "POST", EDITS, headers(token, **kind), BODY)
            tries.held(f"as a token, {name}", got.status_code == 401, got.status_code)
        gateway.ledger.classes.change_person(
            next(one.id for one in gateway.ledger.classes.people_of(made.room) if one.name == "person-3"),
            revoked=1,
        )
        got = ask(gateway, "POST", EDITS, headers(eve, **kind), BODY)
        tries.held("a token that was revoked", got.status_code == 401, got.status_code)
        tries.held("what reached the service", len(service.posts) == posts, "nothing")
        with httpx.Client(base_url=gateway.origin, trust_env=False, follow_redirects=True) as visitor:
            for name, token in {"a student's": ada, "the key": KEY, "none": ""}.items():
                page = visitor.post("/teacher/in", data={"token": token})
                tries.held(f"at the teacher's page, {name}", page.status_code == 403, page.status_code)
            visitor.cookies.set("ttapi_nb_teacher", ada)
            for path in (
                "",
                "/limits",
                "/runs.csv",
                "/results.zip",
                "/board",
                "/wall",
                "/live",
                "/small/1/1",
            ):
                page = visitor.get(f"/teacher{path}")
                tries.held(f"a student's cookie, {path}", page.status_code == 401, page.status_code)


@attack(CLASS, "tokens in addresses, and guessed codes")
def guesses(tries: Tries) -> None:
    """A token counts in its header alone, and codes are not guessed."""
    with classed(tries) as (gateway, made, service):
        ada, teacher = made.people[0][1], made.teacher_token
        for name, where in itertools.product(
            ("token", "key", "api_key", "access_token", "TT-API-KEY", "Authorization"),
            ("/v1/me", EDITS, "/teacher"),
        ):
            given = teacher if where == "/teacher" else ada
            got = ask(gateway, "POST" if where == EDITS else "GET", f"{where}?{name}={given}", {})
            tries.held(f"{where}?{name}=", got.status_code == 401 and given not in got.text, got.status_code)
        with httpx.Client(base_url=gateway.origin, trust_env=False) as visitor:
            codes = [f"{first}{'A' * 7}" for first in "ABCDEFGHJKMNPQRSTVWXYZ2345"]
            states = [
                visitor.post("/join", data={"code": code, "name": f"guest {at}"}).status_code
                for at, code in enumerate(codes)
            ]
            tries.held(
                "26 codes",
                states[:10] == [403] * 10 and set(states[10:]) == {429},
                "429 from the eleventh on",
            )
            right = visitor.post("/join", data={"code": made.room.code, "name": "guest"})
            tries.held("the right one behind them", right.status_code == 429, right.status_code)
        people = len(gateway.ledger.classes.people_of(made.room))
        tries.held("who got in", people == 3 and not service.posts, "nobody")


@attack(CLASS, "bodies and heads that are odd, too large or slow")
def bodies(tries: Tries) -> None:
    """None reaches the service, none stays on the disk, and none holds the gateway up."""
    with classed(tries) as (gateway, made, service):
        ada = made.people[0][1]
        start = f"POST {EDITS} HTTP/1.1\r\nHost: x\r\nTT-API-KEY: {ada}\r\nContent-Type: {JSON}\r\n".encode()
        length = b"Content-Length: %d\r\n" % len(BODY)
        odd = {
            "announced, 300 MB": start + b"Content-Length: 300000000\r\n\r\n",
            "chunked, too large": start + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNK * 2 + b"0\r\n\r\n",
            "a body that stops": start + length + b"\r\n{",
            "a head that stops": start[:40],
            "nothing": b"",
            "two lengths": start + length + b"Content-Length: 3\r\n\r\n" + BODY,
            "a length and chunks": start + length + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "a length below zero": start + b"Content-Length: -1\r\n\r\n",
            "chunks twice": start + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
            "a head of 200 kB": start + b"X: " + b"y" * 200_000 + b"\r\n\r\n",
            "a folded line": start + length + b"X: a\r\n b: c\r\n\r\n" + BODY,
            "a space before the colon": start + b"Content-Length : 3\r\n\r\n{} ",
            "a bare line feed": start.replace(b"\r\n", b"\n") + b"Content-Length: 9999\n\n{",
            "two keys": start + length + b"Idempotency-Key: a\r\nIdempotency-Key: b\r\n\r\n" + BODY,
            "a key with a line in it": start + length + b"Idempotency-Key: a\nX-Evil: 1\r\n\r\n" + BODY,
            "two types": start + length + b"Content-Type: text/plain\r\n\r\n" + BODY,
            "packed": start + length + b"Content-Encoding: gzip\r\n\r\n" + BODY,
        }  # fmt: skip
        for name, request in odd.items():
            said = raw(gateway, request)
            status = int(said[9:12]) if said.startswith(b"HTTP/1.1 ") else 0
            tries.held(name, status == 0 or 400 <= status <= 501, status or "hung up on")
        for name, fields in {
            "a line in the prompt": {"prompt": "x\r\nX-Evil: 1"}, "a line in the model": {"mode": "a\r\nX-Evil: 1"},
            "a zero in the prompt": {"prompt": "a\0b"}, "half a letter": {"prompt": "\ud800"},
        }.items():  # fmt: skip
            before = len(service.posts)
            got = ask(
                gateway, "POST", EDITS, headers(ada, Content_Type=JSON), json.dumps({"mode": "m"} | fields)
            )
            evil = [one for one in service.posts[before:] if one.get("x-evil") is not None]
            tries.held(name, got.status_code == 200 and not evil, "within the body alone")
        left = list((gateway.ledger.database.folder / "bodies").iterdir())
        tries.held("files that stay", not left and len(service.posts) == 4, "none")


@attack(CLASS, "names, prompts and answers that are scripts")
def scripts(tries: Tries) -> None:
    """They are shown as they were typed, on every page, and none is a formula in the CSV."""
    for text in SCRIPTS:
        with classed(tries) as (gateway, made, service):
            service.answer = json_reply(pictures(PHOTO) | {"note": text})
            with httpx.Client(base_url=gateway.origin, trust_env=False, follow_redirects=True) as visitor:
                joined = visitor.post("/join", data={"code": made.room.code, "name": text}).text
                tries.held(f"joined as {text}", escaped(text, joined), "as it was typed")
                token = html.unescape(joined.split('id="token">')[1].split("<")[0])
                body = json.dumps({"prompt": text, "mode": text, "image": []})
                ask(gateway, "POST", EDITS, headers(token, Content_Type=JSON), body)
                service.answer = json_reply({"error": {"message": text}}, 400)
                ask(gateway, "POST", EDITS, headers(token, Content_Type=JSON), body)
                visitor.post("/teacher/in", data={"token": made.teacher_token})
                for path in ("", "/live", "/wall", "/board", "/limits"):
                    tries.held(
                        f"{path}: {text}",
                        escaped(text, visitor.get(f"/teacher{path}").text),
                        "as it was typed",
                    )
                rows = visitor.get("/teacher/runs.csv").content.decode("utf-8-sig").splitlines()
                tries.held(f"CSV: {text}", not any(",=" in row for row in rows), "no formula")


def escaped(text: str, page: str) -> bool:
    """Whether a text stands in a page in no other way than escaped."""
    return not (set("<>\"'") & set(text)) or text not in page


@attack(CLASS, "the key, wherever it could be")
def key(tries: Tries) -> None:
    """It is in no command line, file, page, metric, answer or log, though the service quotes it wherever it can."""
    folder = tries.place("data")
    with Server() as service:
        made = json.loads(
            subprocess.run(
                [sys.executable, "-m", "ttapi_nb.cli", "class", "new", "bowls", "--people", "2", "--json"],
                env=environment(folder), cwd=ROOT, capture_output=True, text=True, check=True,
            ).stdout
        )  # fmt: skip
        started, port = process(folder, "--port", "0", "--upstream", service.url)
        try:
            token, url = made["people"][0]["token"], f"http://127.0.0.1:{port}"
            for name, reply in {
                "a refusal": json_reply({"error": {"message": f"The key {KEY} is wrong."}}, 401),
                "an answer": json_reply(pictures(PHOTO) | {"note": KEY}, headers={"X-Request-Id": KEY}),
                "a page": Reply(500, f"<html>{KEY}</html>".encode(), mime="text/html"),
                "an envelope": json_reply({"status": "FAILED", "message": KEY, "data": None}),
                "a picture": Reply(200, encoded(PHOTO) + KEY.encode(), mime="image/png"),
            }.items():
                service.answer = reply
                got = httpx.post(
                    f"{url}{EDITS}", content=BODY, headers=headers(token, Content_Type=JSON), trust_env=False
                )
                tries.held(f"{name} that quotes it", KEY not in got.text + str(got.headers), got.status_code)
            for path in ("/v1/me", "/metrics", "/health", "/join", "/teacher", "/nowhere"):
                got = httpx.get(f"{url}{path}", headers=headers(token), trust_env=False)
                tries.held(path, KEY not in got.text + str(got.headers), got.status_code)
            listed = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, check=False).stdout
            lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()] or [
                listed
            ]
            tries.held("the list of processes", not any(KEY.encode() in line for line in lines), "not in it")
        finally:
            started.terminate()
            said = started.communicate()[0]
        tries.held("what it printed", KEY not in said, "not in it")
        found = [
            path.name for path in folder.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()
        ]
        tries.held("ledger, answers and bodies", not found, found or "not in them")
        sent = {one.get("tt-api-key") for one in service.posts}
        tries.held("the service itself", sent == {KEY}, "gets it")
