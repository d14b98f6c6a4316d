"""Answers with pictures, mutated in envelope, base64, status and headers: the pictures come out, and none is *refused*.

    python tests/trust/answers.py [answers] [seed]

One of ten is also sent by a real server to a real client. Exits with 1 where a picture was lost or called refused.
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from PIL import Image

from tests.answers import Answer, mutated
from tests.server import PATIENCE, Reply, Server
from ttapi_nb import Client, ImagesResponse, RefusedError, UnknownOutcomeError, loop
from ttapi_nb.reply.meaning import interpret, parse
from ttapi_nb.reply.reading import ReplyReader
from ttapi_nb.reply.responses import read_response

ANSWERS, EACH, SEED = 1000, 10, 7
PHOTO = Image.new("RGB", (64, 64), "teal")
TYPES = ("application/json", "text/event-stream", "text/html", "application/octet-stream", "image/png", "")


async def _nothing_to_fetch(url: str) -> bytes:
    raise AssertionError(f"{url} is no address in any of these answers")


def read(answer: Answer, size: int) -> ImagesResponse:
    """What `answer` means that comes in pieces of `size` bytes. Raises `RefusedError` or `UnknownOutcomeError`."""
    reader = ReplyReader()
    for at in range(0, len(answer.body), size):
        reader.feed(answer.body[at : at + size])
    plain = interpret(answer.status, parse(reader.text, str, reader.pictures))
    return loop.call(read_response(plain, offline=False, fetch=_nothing_to_fetch))


def sent(answer: Answer, server: Server, client: Client, chance: random.Random) -> ImagesResponse:
    """What a client makes of `answer`, sent with headers that say whatever they like."""
    headers = {"X-Error": "yes", "Retry-After": "0", "X-Request-Id": "7"}
    server.answer = Reply(
        answer.status,
        answer.body,
        {name: value for name, value in headers.items() if chance.random() < 0.5},
        mime=chance.choice(TYPES),
    )
    return client.images.edit(image=PHOTO, prompt="x", n=len(answer.pictures))


def came(answer: Answer, response: ImagesResponse) -> bool:
    """Whether all pictures of `answer` are in `response`, in order."""
    return [item.data for item in response.data if item.data is not None] == list(answer.pictures)


def outcomes(count: int, seed: int, each: int = EACH) -> tuple[Counter[str], list[str]]:
    """How often each came of `count` answers, and how those were made that were lost; each `each`-th is sent, too."""
    chance = random.Random(seed)
    found: Counter[str] = Counter()
    lost: list[str] = []
    with Server() as server:
        client = Client("sk-test-0123456789", base_url=server.url, timeout=PATIENCE)
        for number in range(count):
            answer = mutated(chance)
            ways = [lambda answer=answer: read(answer, chance.choice((1000, 4096, 10**6)))]
            if number % each == 0:
                ways.append(lambda answer=answer: sent(answer, server, client, chance))
            for way in ways:
                try:
                    outcome = "read" if came(answer, way()) else "lost"
                except UnknownOutcomeError:
                    outcome = "unknown"
                except RefusedError:
                    outcome = "refused"
                found[outcome] += 1
                if outcome in ("lost", "refused"):
                    lost.append(f"{outcome}: {answer.how}")
    return found, lost


def main(count: int = ANSWERS, seed: int = SEED) -> int:
    """Try them and print what came of it."""
    found, lost = outcomes(count, seed)
    for how in lost[:20]:
        print(how)
    print(
        f"{count} mutated answers (seed {seed}), one of {EACH} also over a socket: "
        f"{json.dumps(dict(sorted(found.items())))}"
        f" - {'none was lost or called refused' if not lost else f'{len(lost)} WERE LOST'}"
    )
    return 1 if lost else 0


if __name__ == "__main__":
    # The embedded service would answer in the place of ours.
    os.environ.pop("TTAPI_OFFLINE", None)
    sys.exit(main(*map(int, sys.argv[1:])))
