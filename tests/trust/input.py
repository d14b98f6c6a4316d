"""Hostile input by the thousand: mutated pictures, and replies made to do harm.

    python tests/trust/input.py [pictures]

Every picture is opened or refused by `ImageError`, and every reply is an answer or one of our errors, in time; both in
processes of their own, whose memory is measured. Exits with 1 where a claim fails.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import ttapi_nb as tt
from tests.server import Reply, Server, encoded, html_reply, json_reply
from tests.test_hostile import GOOD, ITEM, NOISE, ODD, REPLIES, TAKEN, b64, flat_png

PICTURES, REPLY_COUNT = 5000, 60
MOST_MB, DEADLINE, GRACE = 300, 5.0, 0.5
STALLS = 3


def peak() -> int:
    """The most memory this process has taken, in MB; on Linux."""
    # Not getrusage: there a process starts with the peak of the one that started it.
    found = re.search(r"VmHWM:\s*([0-9]+)", Path("/proc/self/status").read_text())
    return int(found[1]) // 1024 if found else 0


def pictures(count: int) -> dict[str, object]:
    """Open so many mutated pictures."""
    chance = random.Random(5)
    whole = [encoded(NOISE, format) for format in ("PNG", "JPEG", "WEBP")]
    whole += [make() for make in TAKEN.values()] + [encoded(NOISE, progressive=True, format="JPEG")]
    tt.open_image(tt.sample())
    before = peak()
    found: Counter[str] = Counter()
    slowest = 0.0
    for _ in range(count):
        data = bytearray(chance.choice(whole))
        for _ in range(chance.randint(0, 12)):
            place = chance.randrange(len(data))
            kind = chance.random()
            if kind < 0.5:
                data[place] = chance.randrange(256)
            elif kind < 0.8:
                data[place : place + 4] = chance.randbytes(4)
            else:
                del data[place : place + chance.randint(1, 40)]
        if chance.random() < 0.2:
            del data[chance.randrange(len(data)) :]
        began = time.monotonic()
        try:
            tt.open_image(bytes(data))
            found["opened"] += 1
        except tt.ImageError:
            found["refused"] += 1
        except Exception as error:  # noqa: BLE001 - this is what is looked for
            found[f"wrong: {type(error).__name__}"] += 1
        slowest = max(slowest, time.monotonic() - began)
    return {"found": found, "megabytes": peak() - before, "slowest": slowest}


def hostile_replies(server: Server) -> Iterator[Reply]:
    """At least `REPLY_COUNT` of them, and at the end some that never come to an end."""
    yield from (make() for make, _ in REPLIES.values())
    yield from (json_reply(GOOD | {name: value}) for name in ODD for value in ODD[name])
    yield from (
        html_reply(status)
        for status in (200, 201, 204, 301, 400, 401, 403, 404, 413, 429, 499, 500, 502, 524)
    )
    yield from (json_reply({"data": [ITEM] * count}) for count in (0, 2, 50))
    bad: list[object] = [
        {"b64_json": "%"},
        {"url": "file:///etc/passwd"},
        {"url": "https://127.0.0.1/"},
        None,
        7,
        "x",
        {},
        [],
    ]
    yield from (json_reply({"data": [item]}) for item in bad)
    yield json_reply({"data": [b64(flat_png(13_000, 13_000))]})
    yield from (Reply(drip=True) for _ in range(STALLS))


def replies(url: str, count: int) -> dict[str, object]:
    """Send so many requests, one after the other."""
    client = tt.Client(base_url=url, timeout=DEADLINE)
    tt.open_image(tt.sample())
    before = peak()
    found: Counter[str] = Counter()
    longest = 0.0
    for number in range(count):
        client = tt.Client(base_url=url, timeout=1.0) if number == count - STALLS else client
        began = time.monotonic()
        try:
            for item in client.images.edit(image=NOISE, prompt="x").data:
                try:
                    found["picture" if item.image.size else ""] += 1
                except tt.ResultError:
                    found["ResultError"] += 1
        except tt.TTAPIError as error:
            found[type(error).__name__] += 1
        except Exception as error:  # noqa: BLE001 - this is what is looked for
            found[f"wrong: {type(error).__name__}"] += 1
        late = time.monotonic() - began - (1.0 if number >= count - STALLS else DEADLINE)
        longest = max(longest, late)
    return {"found": found, "megabytes": peak() - before, "slowest": longest}


def _apart(*words: object) -> dict[str, object]:
    environment = os.environ | {"TT_API_KEY": "test-key-0123456789"}
    environment.pop("TTAPI_OFFLINE", None)
    command = [sys.executable, __file__, *map(str, words)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, object] = json.loads(done.stdout)
    return found


def main() -> int:
    """Run both, and say what came of them."""
    if sys.argv[1:2] == ["pictures"]:
        print(json.dumps(pictures(int(sys.argv[2]))))
        return 0
    if sys.argv[1:2] == ["replies"]:
        print(json.dumps(replies(sys.argv[2], int(sys.argv[3]))))
        return 0
    count = int(sys.argv[1]) if len(sys.argv) > 1 else PICTURES
    opened = _apart("pictures", count)
    print(f"{count:,} mutated pictures: {opened}")
    with Server() as server:
        waiting = list(hostile_replies(server))
        left = iter(waiting)
        server.answer = lambda request: next(left)
        answered = _apart("replies", server.url, len(waiting))
        posts = len(server.posts)
    print(f"{len(waiting)} hostile replies, {posts} POSTs: {answered}")
    wrong = "wrong" in str(opened) + str(answered) or len(waiting) < REPLY_COUNT or posts != len(waiting)
    large = max(int(str(part["megabytes"])) for part in (opened, answered)) >= MOST_MB
    late = float(str(answered["slowest"])) > GRACE
    return 1 if wrong or large or late else 0


if __name__ == "__main__":
    sys.exit(main())
