"""A budget under many requests at once: the class's gateway, and LiteLLM beside it where that is there.

    python tests/trust/budget_race.py [requests] [the litellm program]

So many people send one edit each, at the same moment, under a budget of ten results. The service behind counts what it
gets. The same goes to LiteLLM's proxy with a `max_budget` of the same amount, first one after the other, to see that
the budget is kept to at all, and then at once. The budget is that of a deployment, which the proxy keeps in memory: one
of a key or a person needs its database, whose driver (Prisma's engine) comes from no package registry, so that is told
as not run. Nor do the two budgets need one that LiteLLM has without its proxy: that of a provider in its Router, and
BudgetManager, which knows chats alone, so a chat's price is its unit. The program is a `litellm` on the path, or the
one that is named, with its Python beside it; without one all of it is not run:

    python -m venv /tmp/litellm && /tmp/litellm/bin/pip install "litellm[proxy]"

Exits with 1 where the class's gateway lets through more than its budget.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.server import encoded, pictures
from tests.support.gateways import command, process
from tests.support.slow_service import SlowService

REQUESTS, RESULTS = 60, 10
# What LiteLLM itself reckons for this usage of gpt-image-1, in USD.
PRICE = 0.0875
USAGE = {
    "total_tokens": 3000, "input_tokens": 1000, "output_tokens": 2000,
    "input_tokens_details": {"text_tokens": 500, "image_tokens": 500},
}  # fmt: skip
STARTS = 180.0
ANSWER = pictures(Image.new("RGB", (64, 64), "teal")) | {"usage": USAGE}
# As a chat, and what LiteLLM reckons for this one by gpt-4o, in USD.
CHAT = {
    "id": "x", "object": "chat.completion", "created": 1, "model": "gpt-4o",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1000, "completion_tokens": 1000, "total_tokens": 2000},
}  # fmt: skip
CHAT_PRICE = 0.0125
IN_MEMORY = Path(__file__).parent / "budget_race_with" / "litellm_in_memory.py"
MORE = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_PROXY": "127.0.0.1"}
PICTURE = encoded(Image.new("RGB", (64, 64), "navy"))


async def send(url: str, tokens: list[str], *, at_once: bool) -> Counter[int]:
    """One edit with each token; the statuses that came."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(trust_env=False, timeout=120, limits=limits) as client:

        async def ask(number: int) -> int:
            answer = await client.post(
                f"{url}/images/edits",
                data={"model": "gpt-image-1", "prompt": f"bowl {number}"},
                files={"image": ("a.png", PICTURE, "image/png")},
                headers={"Authorization": f"Bearer {tokens[number]}"},
            )
            return answer.status_code

        if at_once:
            return Counter(await asyncio.gather(*(ask(number) for number in range(len(tokens)))))
        return Counter([await ask(number) for number in range(len(tokens))])


def told(name: str, posts: int, statuses: Counter[int] | None = None) -> None:
    """Print a row."""
    over = max(0, posts - RESULTS)
    answers = "" if statuses is None else f"; answers: {dict(statuses)}"
    print(f"{name:62} {posts:4} sent of {RESULTS}, over by {over:3}{answers}", flush=True)


def ours(place: Path, requests: int) -> bool:
    """The class's gateway; whether its budget was kept to."""
    service = SlowService(ANSWER)
    prices = place / "prices.json"
    prices.write_text(json.dumps({"gpt-image-1": PRICE}))
    made = command(
        place, "class", "new", "race", "--people", str(requests), "--cost-room", str(RESULTS * PRICE),
        "--prices", str(prices),
    )["people"]  # fmt: skip
    started, port = process(place, "--port", "0", "--upstream", service.url, "--at-once", str(requests))
    try:
        url = f"http://127.0.0.1:{port}/v1"
        statuses = asyncio.run(send(url, [one["token"] for one in made], at_once=True))
    finally:
        started.terminate()
        started.communicate()
    told(f"class's gateway, {requests} at once", service.posts, statuses)
    return service.posts == RESULTS


def theirs(program: str, place: Path, requests: int, *, at_once: bool) -> None:
    """LiteLLM's proxy."""
    service, key = SlowService(ANSWER), f"sk-{secrets.token_hex(24)}"
    (place / "config.json").write_text(
        json.dumps(
            {
                "model_list": [
                    {
                        "model_name": "gpt-image-1",
                        "litellm_params": {
                            "model": "openai/gpt-image-1", "api_key": "x",
                            "api_base": service.url,
                            "max_budget": RESULTS * PRICE, "budget_duration": "1d",
                        },
                    }
                ],
                "litellm_settings": {"num_retries": 0},
                "general_settings": {"master_key": key},
            }
        )
    )  # fmt: skip
    with socket.create_server(("127.0.0.1", 0)) as line:
        port = line.getsockname()[1]
    with Path(os.devnull).open("w") as nowhere:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        started = subprocess.Popen(
            [program, "--config", str(place / "config.json"), "--host", "127.0.0.1", "--port", str(port)],
            env=kept | MORE, stdout=nowhere, stderr=nowhere, cwd=place,
        )  # fmt: skip
    try:
        until_alive(port)
        statuses = asyncio.run(send(f"http://127.0.0.1:{port}/v1", [key] * requests, at_once=at_once))
    finally:
        started.kill()
        started.wait()
    how = "at once" if at_once else "one after the other"
    told(f"LiteLLM's proxy, budget of a deployment, {requests} {how}", service.posts, statuses)


def in_memory(program: str, requests: int) -> None:
    """LiteLLM without its proxy: first one after the other, then at once."""
    python = Path(program).parent / "python"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    for what, name, content, price in (
        ("router", "LiteLLM's Router, budget of a provider", ANSWER, PRICE),
        ("manager", "LiteLLM's BudgetManager", CHAT, CHAT_PRICE),
    ):
        for count, threads, how in ((2 * RESULTS, 1, "one after the other"), (requests, requests, "at once")):
            service = SlowService(content, 0.2)
            # Half a result less: sums of floats are to decide nothing.
            limit = (RESULTS - 0.5) * price
            given = [str(python), str(IN_MEMORY), what, service.url, str(count), str(threads), str(limit)]
            with tempfile.TemporaryDirectory() as place:
                subprocess.run(
                    given, env=kept | MORE, check=True, cwd=place, capture_output=True,
                    timeout=STARTS,
                )  # fmt: skip
            told(f"{name}, {count} {how}", service.posts)


def until_alive(port: int) -> None:
    """Wait until the proxy answers."""
    end = time.monotonic() + STARTS
    while time.monotonic() < end:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health/liveliness", trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(1)
    raise AssertionError("LiteLLM's proxy does not start")


def main() -> int:
    """Run both."""
    os.environ.pop("TTAPI_OFFLINE", None)
    given = sys.argv[1:]
    requests = int(given[0]) if given else REQUESTS
    program = given[1] if len(given) > 1 else shutil.which("litellm")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        good = ours(place, requests)
        if program is None:
            print("NOT RUN, LiteLLM's proxy: no litellm program is here. See the top of this script.")
            return 0 if good else 1
        in_memory(program, requests)
        theirs(program, place, 2 * RESULTS, at_once=False)
        theirs(program, place, requests, at_once=True)
        print(
            "NOT RUN, LiteLLM's budgets of keys and people: they need its database, and that Prisma's engine."
        )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
