"""Attacks on memory and patience: answers, recordings, lineages and requests that are larger than they look."""

from __future__ import annotations

import base64
import contextlib
import http.client
import io
import json
import re
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from PIL import Image, PngImagePlugin

import ttapi_nb as tt
from tests.server import Reply, Server, encoded, json_reply
from tests.support.painting import mark
from tests.test_hostile import cost, flat_png
from tests.widgets import test_messages as messages

from .tries import KEY, MASK, PHOTO, SMALL, Tries, attack, client_of, offline

BOUNDS = "bounds"
TEAL = base64.b64encode(encoded(Image.new("RGB", (64, 64), "teal"))).decode()
EDIT = (
    "tt.edit(__import__('PIL.Image').Image.new('RGB', (64, 64)), 'x', "
    "client=tt.Client(base_url=sys.argv[1], timeout=60), strict=False)"
)


def one(data: bytes) -> dict[str, str]:
    """A result of these bytes."""
    return {"b64_json": base64.b64encode(data).decode()}


@attack(BOUNDS, "answers that are larger than they look")
def answers(tries: Tries) -> None:
    """Pictures of many pixels, more results than were asked for, junk by the hundred thousand: memory and time."""
    huge = flat_png(10_000, 10_000)
    large = flat_png(13_000, 13_000)
    replies: dict[str, tuple[dict[str, object], int]] = {
        "6 pictures of 10,000x10,000": ({"data": [one(huge)] * 6}, 1400),
        "6 pictures of 13,000x13,000": ({"data": [one(large)] * 6}, 500),
        "190,000 items that are none": ({"data": [{"b64_json": TEAL}, *[{"x": 1}] * 190_000]}, 300),
        "190,000 items that are null": ({"data": [None] * 190_000 + [{"b64_json": TEAL}]}, 300),
        "60,000 pictures": ({"data": [{"b64_json": TEAL}] * 60_000}, 400),
        "a prompt of 20 MB": ({"data": [{"b64_json": TEAL, "revised_prompt": "x" * 20_000_000}]}, 300),
        "usage of 100,000 fields": (
            {"data": [{"b64_json": TEAL}], "usage": {f"a{at}": at for at in range(100_000)}},
            300,
        ),
    }
    with Server() as server:
        for name, (content, most) in replies.items():
            server.answer = json_reply(content)
            said, megabytes, seconds = cost(EDIT, server.url)
            good = (
                megabytes < most and seconds < 30 and said in ("done", "ResultError", "UnknownOutcomeError")
            )
            tries.held(name, good, f"{said}, {megabytes} MB (at most {most}), {seconds:.1f} s")
        server.answer = json_reply({"data": [{"b64_json": TEAL}, *[{"x": "y" * 50}] * 190_000]})
        try:
            said = tt.edit(PHOTO, "x", client=client_of(server), strict=False).note
        except tt.UnknownOutcomeError as error:
            said = str(error) if "is kept in" in str(error) else ""
        tries.held("what is said of 190,000 items", 0 < len(said) < 2000, "a few sentences")


@attack(BOUNDS, "results by thousands of addresses")
def many_urls(tries: Tries) -> None:
    """No more are fetched than there are results, however many come, however long each one takes."""
    for name, count, reply in (
        ("3,000 that answer", 3000, Reply(200, encoded(PHOTO))),
        ("3,000 that are gone", 3000, Reply(404)),
        ("40 of 60 MB each", 40, Reply(200, bytes(60_000_000))),
    ):
        with Server() as server:
            for number in range(count):
                server.routes[f"/{number}.png"] = reply
            server.answer = json_reply(
                {"data": [{"url": f"{server.origin}/{number}.png"} for number in range(count)]}
            )
            began = time.monotonic()
            came = "answered"
            try:
                client_of(server, timeout=60.0).images.edit(image=PHOTO, prompt="x")
            except tt.TTAPIError as error:
                came = type(error).__name__
            asked, seconds = len(server.requests) - 1, time.monotonic() - began
            tries.held(name, asked <= 10 and seconds < 30, f"{came}, {asked} fetched")


def recording(folder: Path) -> Path:
    """One with one exchange in it."""
    path = folder / "lesson.zip"
    with Server() as server:
        tt.Client.record(path, api_key=KEY, base_url=server.url).images.edit(image=PHOTO, prompt="x")
    return path


def hostile_zips(good: bytes) -> Iterator[tuple[str, bytes]]:
    """Recordings that cost more than they look, by their names, their count, their texts and their packing."""
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    texts = [name for name in members if name.endswith((".json", ".jsonl"))]

    def packed(changed: dict[str, bytes]) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in changed.items():
                archive.writestr(name, data)
        return out.getvalue()

    yield "300 MB of nothing in each part", packed(dict.fromkeys(members, bytes(300_000_000)))
    for name in texts:
        yield f"{name} nested deeply", packed(members | {name: b"[" * 2_000_000})
        yield f"{name} a number of a million digits", packed(members | {name: b"1" * 1_000_000})
        yield f"{name} 30 MB of lists", packed(members | {name: b"[" + b"[]," * 10_000_000 + b"[]]"})
        line = members[name]
        yield f"{name} 20,000 times itself", packed(members | {name: (line.rstrip() + b"\n") * 20_000})
        yield f"{name} not UTF-8", packed(members | {name: b"\xff\xfe" + line})
    yield "100,000 empty parts", packed(members | {f"x{number}": b"" for number in range(100_000)})
    yield "names that lead out", packed({f"../../{name}": data for name, data in members.items()})
    yield "cut off", good[: len(good) // 2]
    yield "its end twice", good + good
    yield "not a zip", b"PK\x03\x04" + bytes(1000)


@attack(BOUNDS, "recordings that cost more than they look")
def recordings(tries: Tries) -> None:
    """They are opened, or refused in words, in a few seconds and little memory."""
    good = recording(tries.place("good")).read_bytes()
    photo = "__import__('PIL.Image').Image.new('RGB', (64, 64))"
    work = f"tt.Client.replay(sys.argv[1]).images.edit(image={photo}, prompt='x')"
    for name, data in hostile_zips(good):
        path = tries.place("bad") / "lesson.zip"
        path.write_bytes(data)
        try:
            said, megabytes, seconds = cost(work, path)
        except (AssertionError, subprocess.TimeoutExpired) as error:
            tries.held(name, False, f"{str(error)[-200:]}")
            continue
        came = f"{said}, {megabytes} MB, {seconds:.1f} s"
        tries.held(f"{name} ({len(data):,} bytes)", megabytes < 400 and seconds < 8, came)


@attack(BOUNDS, "lineages that cost more than they look")
def lineages(tries: Tries) -> None:
    """A small file whose lineage says that there is a mask of a billion pixels, or a million steps."""
    run = tt.edit(PHOTO, "x", mask=MASK, client=offline(), log=False, **SMALL)
    saved = run.results[0].save(tries.folder / "saved.png")
    with Image.open(saved) as image:
        text = image.text["ttapi_nb"]  # type: ignore[attr-defined]  # of Pillow's PNGs
        pixels = image.convert("RGB")
    kinds = {
        "a mask of 60,000x60,000": re.sub(r"\[\s*64,\s*64\s*\]", "[60000, 60000]", text),
        "a mask of 2**40 pixels": re.sub(r"\[\s*64,\s*64\s*\]", "[1048576, 1048576]", text),
        "negative sizes": re.sub(r"\[\s*64,\s*64\s*\]", "[-64, -64]", text),
        "coordinates without end": text.replace("40", "1e999"),
        "nested deeply": "[" * 500_000,
        "30 MB of lists": "[" + "[]," * 10_000_000 + "[]]",
        "a million times its step": text.replace('"steps"', f'"steps{"x" * 1_000_000}"'),
        "not JSON": text[: len(text) // 2],
        "half a character": text.replace('"x"', '"\\ud800"'),
    }
    work = (
        "found = tt.open_result(sys.argv[1]); found.step.mask and found.step.mask.coverage(); "
        "repr(found); tt.open_image(sys.argv[1])"
    )
    for name, changed in kinds.items():
        path = tries.place("bad") / "a.png"
        notes = PngImagePlugin.PngInfo()
        notes.add_itxt("ttapi_nb", changed, zip=True)
        pixels.save(path, pnginfo=notes)
        try:
            said, megabytes, seconds = cost(work, path)
        except (AssertionError, subprocess.TimeoutExpired) as error:
            tries.held(name, False, f"{str(error)[-300:]}")
            continue
        size = path.stat().st_size
        tries.held(
            f"{name} ({size:,} bytes)",
            megabytes < 300 and seconds < 10,
            f"{said}, {megabytes} MB, {seconds:.1f} s",
        )


@attack(BOUNDS, "messages of a browser")
def browser(tries: Tries) -> None:
    """Malformed marks, uploads that go on, fields of every wrong type: what the suite sends, all of it."""
    for kind in messages.GOOD:
        messages.test_any_message_does_no_harm(kind)
        tries.held(
            f"{kind}, {len(messages.ODD)} wrong values a field", True, "nothing raised, the next one works"
        )
    for kind in messages.BAD:
        messages.test_a_bad_mark_is_refused_as_it_comes(kind)
        tries.held(f"a mark: {kind}", True, "said and acknowledged, the mask as it was")
    messages.test_no_more_is_kept_than_was_announced()
    tries.held("an upload of 10 bytes that goes on", True, "refused at the eleventh")
    messages.test_views_are_forgotten_in_time()
    tries.held("200 views", True, "few are kept")
    with Server() as server:
        drawer = messages.drawer()
        client = client_of(server)
        for name, (points, rest) in messages.BAD.items():
            mark(drawer, 1, points, view=name, **rest)
            edited = tt.edit(drawer.image, name, mask=drawer.mask, client=client, log=False, strict=False)
            tries.held(
                f"a run after a mark: {name}",
                edited.asked.request.mask == drawer.mask,
                "goes out with the mask that is shown",
            )


@contextlib.contextmanager
def serving() -> Iterator[tuple[int, int]]:
    """`ttapi-nb serve` in a process of its own: its port and its id."""
    command = [sys.executable, "-m", "ttapi_nb.cli", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(re.findall(r":([0-9]+)/", process.stdout.readline())[0])
        try:
            yield port, process.pid
        finally:
            process.kill()


def status_of(process: int, field: str) -> int:
    """What Linux says of a process: `Threads`, or memory in KB."""
    found = re.search(rf"{field}:\s*([0-9]+)", Path(f"/proc/{process}/status").read_text())
    return int(found[1]) if found else 0


def asked(port: int, **headers: str) -> int:
    """The status that comes back for a request."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with contextlib.closing(line):
        line.putrequest("GET", "/v1/images/edits", skip_host="Host" in headers)
        for name, value in headers.items():
            line.putheader(name.replace("_", "-"), value)
        line.endheaders()
        return line.getresponse().status


@attack(BOUNDS, "ttapi-nb serve: slow lines, big pictures, Host")
def serve(tries: Tries) -> None:
    """Hundreds of lines that say little, pictures of 100 million pixels at once, and names that are not its own."""
    if not Path("/proc/self/status").exists():
        tries.cannot("threads and memory", "this system does not tell of other processes")
        return
    with serving() as (port, process):
        for name, said in (("300 lines with half a head", b"POST /v1/images/edits HTTP/1.1\r\nX: "),):
            with contextlib.ExitStack() as stack:
                for _ in range(300):
                    with contextlib.suppress(OSError):
                        line = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
                        line.sendall(said)
                threads = status_of(process, "Threads")
                tries.held(name, threads < 120, "fewer than 120 threads")
        began = time.monotonic()
        while time.monotonic() - began < 30:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if asked(port) == 405:
                    break
            time.sleep(0.05)
        tries.held("afterwards", asked(port) == 405, "others are answered")
        body = json.dumps(
            {"prompt": "x", "image": [one(flat_png(10_000, 10_000))["b64_json"]], "mode": "gpt-image-1"}
        )
        before = status_of(process, "VmHWM")
        # One after another, so that more of them take no more memory; only longer.
        lines = [http.client.HTTPConnection("127.0.0.1", port, timeout=100) for _ in range(2)]
        headers = {"TT-API-KEY": "any", "Content-Type": "application/json"}
        for posted in lines:
            posted.request("POST", "/v1/images/edits", body, headers)
        answered = {posted.getresponse().status for posted in lines}
        megabytes = (status_of(process, "VmHWM") - before) // 1024
        tries.held(
            "two pictures of 100 MP", megabytes < 2500 and answered <= {200, 413, 503}, f"{megabytes} MB"
        )
        good = (f"127.0.0.1:{port}", f"localhost:{port}")
        for host in good:
            tries.held(f"Host: {host.partition(':')[0]}", asked(port, Host=host) == 405, "answered")
        for host in (
            "evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", f"localhost.evil.example:{port}", "",
            "x" * 300, f"127.0.0.1:{port}@evil.example", "[::1].evil", "127.0.0.1:1", f"127.0.0.2:{port}",
        ):  # fmt: skip
            status = asked(port, Host=host)
            tries.held(
                f"Host: {host[:40]}".replace(str(port), "PORT"), status in (400, 403, 421), f"HTTP {status}"
            )
        for origin in ("http://evil.example", "null", "https://localhost.evil.example", "file://"):
            status = asked(port, Origin=origin)
            tries.held(f"Origin: {origin}", status in (400, 403), f"HTTP {status}")
        length = partial(asked, port)
        tries.held(
            "a body of a terabyte", length(Content_Length=str(10**12)) in (400, 405, 413), "refused at once"
        )
