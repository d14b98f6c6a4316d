"""Answers with pictures, mutated in envelope, base64, status and headers: the pictures come out, and none is *refused*.

    python tests/trust/answers.py [answers] [seed]

One of ten is also sent by a real server to a real client, and once more with a mutated head, end and packing, on a line
that may stay open behind it. As many refusals are sent whose lines break anywhere behind the status, and as many
answers with two results whose lines break anywhere. Exits with 1 where a picture was lost or called refused, a refusal
was not told as such, or what came of an answer was neither read nor kept.
"""

from __future__ import annotations

import base64
import json
import os
import random
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from PIL import Image

from tests.answers import FRAMES, HEADS, Answer, line, mutated
from tests.answers import answer as answered
from tests.server import PATIENCE, Reply, Server
from ttapi_nb import Client, ImagesResponse, RefusedError, TTAPIError, UnknownOutcomeError, loop
from ttapi_nb.reply.arriving import AnswerReader
from ttapi_nb.reply.meaning import interpret
from ttapi_nb.reply.responses import read_response

ANSWERS, EACH, SEED = 1000, 10, 7
PHOTO = Image.new("RGB", (64, 64), "teal")
TYPES = ("application/json", "text/event-stream", "text/html", "application/octet-stream", "image/png", "")


async def _nothing_to_fetch(url: str) -> bytes:
    raise AssertionError(f"{url} is no address in any of these answers")


def read(answer: Answer, size: int) -> ImagesResponse:
    """What `answer` means that comes in pieces of `size` bytes. Raises `RefusedError` or `UnknownOutcomeError`."""
    reader = AnswerReader()
    for at in range(0, len(answer.body), size):
        reader.feed(answer.body[at : at + size])
    reader.end()
    plain = interpret(answer.status, reader.parsed(str))
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


def spoken(answer: Answer, server: Server, client: Client, chance: random.Random) -> ImagesResponse:
    """What a client makes of `answer` under a head, to an end and in a packing that are drawn."""
    sent = line(answer, chance.choice(list(HEADS)), chance.choice(list(FRAMES)))
    server.answer = Reply(line=sent)
    return client.images.edit(image=PHOTO, prompt="x", n=len(answer.pictures))


def refused(server: Server, client: Client, chance: random.Random) -> str:
    """What becomes of a refusal whose line breaks somewhere behind its status; nothing where that is right."""
    status = chance.choice((400, 401, 402, 403, 404, 408, 409, 413, 422, 425, 429, 451, 499))
    lines, body = FRAMES[chance.choice(list(FRAMES))](b'{"error": {"message": "No, and that is why."}}')
    head = HEADS[chance.choice([name for name in HEADS if name != "a script's"])](status, lines)
    first = re.search(
        rb"[1-9][0-9]{2}[^\r\n]*\r*\n", head[head.rfind(b"HTTP") :], re.IGNORECASE
    ) or re.search(rb"[2-9][0-9]{2}[^\r\n]*(\r*\n|\r)", head)
    least = head.find(first[0]) + len(first[0]) if first else len(head)
    sent = (head + body)[: chance.randint(least, len(head + body))]
    server.answer = Reply(line=sent)
    try:
        client.images.edit(image=PHOTO, prompt="x")
    except RefusedError as error:
        return "" if error.status == status else f"refused as {error.status}: {sent!r}"
    except TTAPIError as error:
        return f"{type(error).__name__}: {sent!r}"
    return f"read: {sent!r}"


def broken(server: Server, client: Client, chance: random.Random) -> str:
    """What becomes of an answer with two results whose line breaks anywhere; nothing where that is right."""
    paid = answered(seeds=(chance.randrange(10**6), chance.randrange(10**6)), side=chance.choice((12, 48)))
    names = list(FRAMES)
    sent = line(paid, chance.choice(list(HEADS)), chance.choice(names))
    sent = sent[: chance.randrange(len(sent))]
    server.answer = Reply(line=sent)
    try:
        response = client.images.edit(image=PHOTO, prompt="x", n=2)
    except UnknownOutcomeError as error:
        # Of a head that is not whole nothing is left that anybody could want.
        if "is kept in" not in str(error) and b"iVBOR" in sent:
            return f"not kept: {sent!r}"
        whole = base64.b64encode(paid.pictures[0]) + b'"'
        return f"not read: {sent!r}" if whole in sent else ""
    except TTAPIError as error:
        return f"{type(error).__name__}: {sent!r}"
    data = [item.data for item in response.data if item.data is not None]
    return "" if data and data == list(paid.pictures[: len(data)]) else f"other pictures: {sent!r}"


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
                ways.append(lambda answer=answer: spoken(answer, server, client, chance))
                for check in (refused, broken):
                    problem = check(server, client, chance)
                    found[f"{check.__name__} rightly" if not problem else f"{check.__name__} WRONGLY"] += 1
                    lost += [problem[:600]] if problem else []
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
    with tempfile.TemporaryDirectory() as folder:
        # Where what nobody can read is kept; it is full after some thousands.
        os.environ["TTAPI_DATA"] = folder
        sys.exit(main(*map(int, sys.argv[1:])))
