"""Attacks on answers that are paid for: folders and databases that go, answers that nobody foresaw, ends in mid-run."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import os
import random
import shutil
import socket
import struct
import threading
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

import ttapi_nb as tt
from tests.answers import mutated
from tests.server import Reply, Server, encoded, json_reply

from .tries import ANSWERS, KEY, PHOTO, Tries, attack, client_of, environment, held_back

PAID = "paid"
TEAL = encoded(Image.new("RGB", (64, 64), "teal"))
B64 = base64.b64encode(TEAL).decode()
GOOD: dict[str, Any] = {"data": [{"b64_json": B64}]}
PATIENCE = 30.0


@attack(PAID, "%cd in mid-run")
def moved(tries: Tries) -> None:
    """A log's relative folder, and another working directory before the answer is here."""
    home = Path.cwd()
    for name, make in {
        "RunLog('mine')": lambda: tt.RunLog("mine"),
        "RunLog('./a/../mine')": lambda: tt.RunLog("./a/../mine"),
        "RunLog('~/mine')": lambda: tt.RunLog("~/mine"),
        "TTAPI_DATA=mine": tt.RunLog,
    }.items():
        first = tries.place("first")
        (first / "below").mkdir()
        with Server() as server, environment(TTAPI_DATA="mine", HOME=str(first)):
            held_back(server)
            os.chdir(first)
            try:
                log = make()
                run = tt.start_edit(PHOTO, "x", client=client_of(server), log=log)
                server.wait_for(1)
                os.chdir(first / "below")
                server.let_go()
                run.wait(PATIENCE)
                (row,) = log.rows()
            finally:
                os.chdir(home)
        inside = [path.resolve().is_relative_to((first / "mine").resolve()) for path in row.results]
        whole = row.state == "done" and inside == [True]
        tries.held(name, whole and not any((first / "below").iterdir()), "row and result in the first folder")


@attack(PAID, "a log that goes under a run")
def gone(tries: Tries) -> None:
    """The database, the folder, or all of it for another one, while the service works or before it is asked."""
    for how in ("database", "folder", "another database", "an empty file", "a folder in its place"):
        for again in (1, 2):
            folder = tries.place("log") / "log"
            log, other = tt.RunLog(folder), tt.RunLog(folder.parent / "other")
            with Server() as server:
                tt.edit(PHOTO, "other", client=client_of(server), log=other)
                held_back(server)
                runs = [
                    tt.start_edit(PHOTO, f"x{at}", client=client_of(server), log=log) for at in range(again)
                ]
                server.wait_for(1 + again)
                if how == "folder":
                    shutil.rmtree(folder)
                for path in folder.glob("runs.sqlite3*"):
                    path.unlink()
                if how == "another database":
                    shutil.copy(other.folder / "runs.sqlite3", folder)
                elif how == "an empty file":
                    (folder / "runs.sqlite3").touch()
                elif how.startswith("a folder"):
                    (folder / "runs.sqlite3").mkdir()
                server.let_go()
                shown = [bool(run.wait(PATIENCE).results) for run in runs]
                noted = all(run.note for run in runs)
            if how.startswith("a folder"):
                # There is no place to write it: it must be said.
                tries.held(
                    f"{how}, {again} runs", all(shown) and noted, "the results, and a note that says so"
                )
                continue
            rows = {row.prompt: row for row in log.rows(None)}
            back = [rows.get(f"x{at}") for at in range(again)]
            whole = all(row is not None and row.state == "done" and row.results and row.sent for row in back)
            counts = log.spent(tt.Budget()).runs >= again
            tries.held(
                f"{how}, {again} runs", all(shown) and whole and counts, "rows written again, and they count"
            )


def lines(text: str, every: int = 60, by: str = "\n") -> str:
    """`text` in lines."""
    return by.join(text[at : at + every] for at in range(0, len(text), every))


NAMED: dict[str, tuple[int, bytes]] = {
    "error: {}": (200, json.dumps(GOOD | {"error": {}}).encode()),
    'error: "none"': (200, json.dumps(GOOD | {"error": "none"}).encode()),
    "error: false": (200, json.dumps(GOOD | {"error": False}).encode()),
    "empty message": (200, json.dumps(GOOD | {"error": {"message": ""}}).encode()),
    "a message too": (200, json.dumps(GOOD | {"message": "ok", "error": None}).encode()),
    "status: success": (200, json.dumps({"status": "success", "data": GOOD}).encode()),
    "code: 0": (200, json.dumps({"code": 0, "msg": "", "data": GOOD}).encode()),
    "data is one object": (200, json.dumps({"data": {"b64_json": B64}}).encode()),
    "data in data in data": (200, json.dumps({"data": {"data": {"data": [{"b64_json": B64}]}}}).encode()),
    "201": (201, json.dumps(GOOD).encode()),
    "202": (202, json.dumps(GOOD).encode()),
    "203": (203, json.dumps(GOOD).encode()),
    "206": (206, json.dumps(GOOD).encode()),
    "299": (299, json.dumps(GOOD).encode()),
    "500 with pictures": (500, json.dumps(GOOD).encode()),
    "BOM": (200, b"\xef\xbb\xbf" + json.dumps(GOOD).encode()),
    "UTF-16": (200, json.dumps(GOOD).encode("utf-16")),
    "text behind it": (200, json.dumps(GOOD).encode() + b"\n<!-- served by gw-7 -->"),
    "text before it": (200, b")]}',\n" + json.dumps(GOOD).encode()),
    "line breaks": (200, json.dumps({"data": [{"b64_json": lines(B64)}]}).encode()),
    "CR LF": (200, json.dumps({"data": [{"b64_json": lines(B64, 76, chr(13) + chr(10))}]}).encode()),
    "spaces": (200, json.dumps({"data": [{"b64_json": f" {lines(B64, 40, ' ')} "}]}).encode()),
    "no padding": (200, json.dumps({"data": [{"b64_json": B64.rstrip("=")}]}).encode()),
    "URL-safe": (200, json.dumps({"data": [{"b64_json": B64.replace("+", "-").replace("/", "_")}]}).encode()),
    "a data URL in url": (200, json.dumps({"data": [{"url": f"data:image/png;base64,{B64}"}]}).encode()),
    "a data URL in b64_json": (
        200,
        json.dumps({"data": [{"b64_json": f"data:image/png;base64,{B64}"}]}).encode(),
    ),
    "another name": (200, json.dumps({"images": [{"image": B64}]}).encode()),
    "strings": (200, json.dumps({"data": [B64]}).encode()),
}


def one_answer(tries: Tries, variant: str, server: Server, log: tt.RunLog, **more: Any) -> None:
    """Note whether the picture that an edit's answer holds is there, or the whole answer is kept, and says so."""
    client = more.pop("client", None) or client_of(server)
    try:
        run = tt.edit(PHOTO, variant, client=client, log=log, strict=False, **more)
    except tt.UnknownOutcomeError as error:
        kept = [path for path in (log.folder / "answers").glob("*") if str(path) in str(error)]
        tries.held(variant, kept and kept[0].stat().st_size > 100, "its raw body kept and named")
    except tt.TTAPIError as error:
        tries.held(variant, False, f"{type(error).__name__}: {error}")
    else:
        right = run.results[0].raw.getpixel((5, 5)) == (0, 128, 128)
        tries.held(variant, right and log.row(run.id).results, "the picture")


@attack(PAID, "envelopes and base64 of other gateways")
def envelopes(tries: Tries) -> None:
    """Those that are known, and a hundred more that are put together by chance, all over a socket."""
    log = tt.RunLog(tries.folder / "log")
    with Server() as server:
        for name, (status, body) in NAMED.items():
            server.answer = Reply(status, body)
            one_answer(tries, name, server, log)
        chance = random.Random(11)
        client = client_of(server)
        for _ in range(100):
            answer = mutated(chance)
            server.answer = Reply(answer.status, answer.body)
            try:
                found = client.images.edit(image=PHOTO, prompt="x", n=len(answer.pictures))
            except tt.UnknownOutcomeError as error:
                tries.held(answer.how, "is kept in" in str(error), "its raw body kept and named")
            except tt.TTAPIError as error:
                tries.held(answer.how, False, f"{type(error).__name__}: {error}")
            else:
                same = [item.data for item in found.data if item.data] == list(answer.pictures)
                tries.held(answer.how, same, "the picture")


def chunked(body: bytes) -> bytes:
    """`body` as HTTP's chunks."""
    pieces = [body[at : at + 1000] for at in range(0, len(body), 1000)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def packed() -> Iterator[tuple[str, dict[str, str], bytes]]:
    """Bodies that are packed as gateways do, under the headers that say so."""
    plain = json.dumps(GOOD).encode()
    half = len(plain) // 2
    raw = zlib.compressobj(wbits=-15)
    yield "gzip", {"Content-Encoding": "gzip"}, gzip.compress(plain)
    yield (
        "two gzip members",
        {"Content-Encoding": "gzip"},
        gzip.compress(plain[:half]) + gzip.compress(plain[half:]),
    )
    yield "identity, gzip", {"Content-Encoding": "identity, gzip"}, gzip.compress(plain)
    yield "gzip, gzip", {"Content-Encoding": "gzip, gzip"}, gzip.compress(gzip.compress(plain))
    yield "x-gzip", {"Content-Encoding": "X-GZIP"}, gzip.compress(plain)
    yield "deflate", {"Content-Encoding": "deflate"}, zlib.compress(plain)
    yield "raw deflate", {"Content-Encoding": "deflate"}, raw.compress(plain) + raw.flush()
    yield "gzip that is none", {"Content-Encoding": "gzip"}, plain
    yield "gzip, unsaid", {}, gzip.compress(plain)
    yield "snappy", {"Content-Encoding": "snappy"}, b"\xff\x06\x00\x00sNaPpY" + plain
    sent = {"Transfer-Encoding": "gzip, chunked", "Content-Length": ""}
    yield "Transfer-Encoding: gzip, chunked", sent, chunked(gzip.compress(plain))
    with contextlib.suppress(ImportError):
        import brotli

        yield "br", {"Content-Encoding": "br"}, brotli.compress(plain)
    with contextlib.suppress(ImportError):
        import zstandard

        yield "zstd", {"Content-Encoding": "zstd"}, zstandard.compress(plain)


@attack(PAID, "codings of an answer, and of a result's URL")
def codings(tries: Tries) -> None:
    """Whatever it is packed as, it is unpacked, or kept as it came."""
    log, came = tt.RunLog(tries.folder / "log"), {name for name, _, _ in packed()}
    with Server() as server:
        for name, headers, body in packed():
            server.answer = Reply(200, body, headers)
            one_answer(tries, name, server, log)
        for name, body in (("gzip", gzip.compress(TEAL)), ("deflate", zlib.compress(TEAL))):
            server.answer = json_reply({"data": [{"url": f"{server.origin}/a.png"}]})
            server.routes["/a.png"] = Reply(200, body, {"Content-Encoding": name}, mime="image/png")
            one_answer(tries, f"a result's URL, {name}", server, log)
    for name in {"br", "zstd"} - came:
        tries.cannot(name, "its packer is not installed")


@contextlib.contextmanager
def rude(head: bytes, body: bytes, closes: bool) -> Iterator[str]:
    """A service that answers when it has a request's head, reads no more, and closes the line or leaves it open."""
    ends, listener = threading.Event(), socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                line, _ = listener.accept()
                with line:
                    came = b""
                    while b"\r\n\r\n" not in came:
                        came += line.recv(4096)
                    line.sendall(head + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)
                    if closes:
                        # So that the answer is there before the line breaks, as behind a proxy.
                        line.shutdown(socket.SHUT_WR)
                        line.settimeout(0.5)
                        with contextlib.suppress(TimeoutError):
                            line.recv(1)
                        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    else:
                        ends.wait(PATIENCE)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        ends.set()
        listener.close()


@attack(PAID, "a service that refuses before it has read all")
def early(tries: Tries) -> None:
    """413, 401 and more, with the body unread, and the line then closed or not."""
    noise = Image.effect_noise((1200, 1200), 90).convert("RGB")
    body = json.dumps({"error": {"message": "Too much of it."}}).encode()
    for status in (b"413 Too Large", b"401 No", b"403 No", b"429 Slow", b"400 Bad"):
        for closes in (False, True):
            with rude(b"HTTP/1.1 " + status + b"\r\n", body, closes) as url:
                variant = f"{status.decode()}, {'closed' if closes else 'left open'}"
                edit = tt.Client(KEY, base_url=url, timeout=20.0).images.edit
                tries.refused(variant, partial(edit, image=noise, prompt="x"), tt.RefusedError)


@attack(PAID, "short keys")
def short_keys(tries: Tries) -> None:
    """Keys of local gateways, whose letters stand in a result's address."""
    log = tt.RunLog(tries.folder / "log")
    with Server() as server:
        for key in ("x", "t", "test", "7", "data", "png", "http", "b64_json", "1234567", "0"):
            path = f"/files/{key}/test-data-x-7.png?sig={key}{key}"
            server.routes[path] = Reply(200, TEAL, mime="image/png")
            server.answer = json_reply({"data": [{"url": f"{server.origin}{path}"}]})
            one_answer(tries, f"{key}, by URL", server, log, client=client_of(server, key=key))
            server.answer = ANSWERS
            one_answer(tries, f"{key}, as base64", server, log, client=client_of(server, key=key))


MEMORY = """
import json, resource, sys
import ttapi_nb as tt
from PIL import Image
photo = Image.new("RGB", (64, 64))
client = tt.Client("test-key-0123456789", base_url=sys.argv[1], timeout=40)
log = tt.RunLog(sys.argv[2])
tt.edit(photo, "first", client=client, log=log)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[3]), -1))
run = tt.start_edit(photo, "second", client=client, log=log)
try:
    said = "the picture" if run.wait(60).results else "nothing"
except tt.UnknownOutcomeError as error:
    said = "kept and named" if "is kept in" in str(error) else "unknown: " + str(error)
except tt.ResultError as error:
    kept = "not enough memory" in str(error) and log.row(run.id).results
    said = "the picture's file in the log, and a sentence" if kept else str(error)
except BaseException as error:
    said = "raw " + type(error).__name__ + ": " + str(error)
resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
print(json.dumps([said, log.row(run.id).state]))
"""


@attack(PAID, "no memory while an answer is read")
def no_memory(tries: Tries) -> None:
    """A process that may not grow any more, with an answer of 45 MB on its way."""
    import subprocess
    import sys

    noise = base64.b64encode(encoded(Image.effect_noise((3400, 3400), 120).convert("RGB"))).decode()
    body = json.dumps({"data": [{"b64_json": noise}]}).encode()
    for megabytes in (120, 60, 30):
        with Server() as server:
            answers = iter((ANSWERS, Reply(200, body)))
            server.answer = lambda request, answers=answers: next(answers)
            done = subprocess.run(
                [sys.executable, "-c", MEMORY, server.url, str(tries.place("log")), str(megabytes * 10**6)],
                capture_output=True, text=True, timeout=120, check=False,
            )  # fmt: skip
        said, state = json.loads(done.stdout) if done.stdout else (done.stderr[-200:], "")
        good = (said, state) in (
            ("the picture", "done"),
            ("kept and named", "unknown"),
        ) or "in the log" in said
        tries.held(f"{megabytes} MB left, an answer of {len(body) / 1e6:.0f} MB", good, f"{said}, {state}")


@attack(PAID, "a log that raises whatever it likes")
def raising(tries: Tries) -> None:
    """Each step of a log raises each kind of error: the answer is there all the same, and nobody waits for ever."""
    kinds = (RuntimeError, MemoryError, KeyboardInterrupt, SystemExit, GeneratorExit, RecursionError)
    for step in ("settle", "store"):
        for kind in kinds:

            def fails(*given: object, kind: type[BaseException] = kind, **more: object) -> None:
                raise kind("of a log's")

            made = type("Trouble", (tt.RunLog,), {step: fails})(tries.place("log"))
            with Server() as server:
                server.answer = ANSWERS
                run = tt.start_edit(PHOTO, "x", client=client_of(server), log=made)
                try:
                    run.wait(PATIENCE)
                except TimeoutError:
                    tries.held(f"{step}, {kind.__name__}", False, "wait() did not return")
                except BaseException as error:  # noqa: BLE001 - this is what is looked for
                    tries.held(
                        f"{step}, {kind.__name__}", bool(run.results), f"{type(error).__name__}: {error}"
                    )
                else:
                    tries.held(
                        f"{step}, {kind.__name__}", run.results and run.note, "the picture, and a note"
                    )
