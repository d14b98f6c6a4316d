"""Attacks on budgets and bills: clocks that jump, interrupts that come twice, full disks, settings that lead astray."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import ttapi_nb as tt
from tests.server import Reply, Server

from .tries import ANSWERS, KEY, PHOTO, Tries, attack, client_of

MONEY = "money"


def later(really: Callable[[], float], by: float) -> float:
    """What a clock says that is so many seconds ahead."""
    return really() + by


@attack(MONEY, "a clock that jumps under a budget")
def clocks(tries: Tries) -> None:
    """Eight runs under a budget of three since now, with the clock set elsewhere at some moment."""
    really = time.time
    jumps = {
        "an hour back": -3600.0,
        "a second back": -1.0,
        "40 days back": -40 * 86_400.0,
        "to 1970": -really() + 9,
    }
    jumps |= {"an hour on": 3600.0, "ten years on": 10 * 365 * 86_400.0}
    for name, jump in jumps.items():
        for first in (0, 2):
            log = tt.RunLog(tries.place("log"))
            budget = tt.Budget(runs=3, since=really())
            refused = 0
            with Server() as server:
                server.answer = ANSWERS
                client = client_of(server)
                try:
                    for number in range(8):
                        if number == first:
                            time.time = partial(later, really, jump)
                        try:
                            tt.edit(PHOTO, f"x{number}", client=client, log=log, budget=budget)
                        except tt.BudgetError:
                            refused += 1
                finally:
                    time.time = really
                posts = len(server.posts)
            tries.held(f"{name}, before run {first}", (posts, refused) == (3, 5), f"{posts} of 8 sent")


TWICE = """
import os, random, signal, sys, threading, time
import ttapi_nb as tt
from PIL import Image
chance = random.Random(int(sys.argv[3]))
client = tt.Client("test-key-0123456789", base_url=sys.argv[1], timeout=30)
log, photo = tt.RunLog(sys.argv[2]), Image.new("RGB", (64, 64))
tt.edit(photo, "first", client=client, log=log)
def interrupts(first, second):
    time.sleep(first)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(second)
    os.kill(os.getpid(), signal.SIGINT)
for number in range(int(sys.argv[4])):
    thread = threading.Thread(target=interrupts, args=(chance.uniform(0, 0.03), chance.uniform(0, 0.004)))
    try:
        thread.start()
        tt.edit(photo, f"run {number}", client=client, log=log)
        time.sleep(0.05)
    except KeyboardInterrupt:
        pass
    while thread.is_alive():
        try:
            thread.join()
        except KeyboardInterrupt:
            pass
# What has left may still be answered.
for _ in range(1000):
    if not log.rows(state="open"):
        break
    time.sleep(0.02)
print(log.spent(tt.Budget()).runs)
print(*[f"{row.prompt}/{row.state}" for row in log.rows(None)], sep="\\n")
"""


@attack(MONEY, "Ctrl+C twice, as a run begins or goes")
def twice(tries: Tries) -> None:
    """What then counts as spent is what the service may have got, and no row stays open."""
    for seed in range(3):
        with Server() as server:
            server.answer = ANSWERS
            folder = tries.place("log")
            done = subprocess.run(
                [sys.executable, "-c", TWICE, server.url, str(folder), str(seed), "40"],
                capture_output=True, text=True, timeout=100, check=False,
            )  # fmt: skip
            got = {request.json["prompt"] for request in server.posts}
            posts = len(server.posts)
        lines = done.stdout.splitlines()
        if not lines:
            tries.held(f"seed {seed}", False, done.stderr[-200:])
            continue
        states = dict(line.split("/") for line in lines[1:])
        counted, spent = (
            sum(states.get(prompt) in ("done", "unknown", "failed") for prompt in got),
            int(lines[0]),
        )
        still = sum(state == "open" for state in states.values())
        good = posts == len(got) == counted and spent >= posts and still == 0
        # What was marked as leaving just before it was stopped counts as unknown, which is the safe side.
        doubtful = sum(state == "unknown" and prompt not in got for prompt, state in states.items())
        good = good and spent == posts + doubtful
        for number in range(40):
            state = states.get(f"run {number}", "no row")
            sent = f"run {number}" in got
            tries.held(f"seed {seed}, run {number}", good, f"{state}{', sent' if sent else ''}")


FULL = """
import json, resource, sys
import ttapi_nb as tt
from PIL import Image
client = tt.Client("test-key-0123456789", base_url=sys.argv[1], timeout=30)
log, photo = tt.RunLog(sys.argv[2]), Image.new("RGB", (64, 64))
tt.edit(photo, "first", client=client, log=log)
before = log.spent(tt.Budget()).runs
def fill(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, -1))
run = tt.start_edit(photo, "second", client=client, log=log)
def changed(run):
    if run.status == "waiting":
        fill(1)
        open(sys.argv[3], "x").close()
run.on_change(changed)
if run.status == "waiting":
    changed(run)
said = "done"
try:
    run.wait(40)
except BaseException as error:
    said = type(error).__name__
fill(-1)
budget = tt.Budget(runs=before + 1)
after = log.spent(budget).runs - before
try:
    tt.edit(photo, "third", client=client, log=log, budget=budget)
    third = "sent"
except tt.TTAPIError as error:
    third = type(error).__name__
print(json.dumps([said, after, third, bool(run.results), [row.state for row in log.rows()]]))
"""


@attack(MONEY, "a disk that is full when a run ends")
def full(tries: Tries) -> None:
    """What was refused does not count, what was answered does, and a paid picture is there, in memory at least."""
    refusal = json.dumps({"error": {"message": "no", "code": "invalid_value"}}).encode()
    for status, body, counts in ((400, refusal, 0), (401, refusal, 0), (200, ANSWERS.body, 1)):
        folder = tries.place("log")
        marker = folder.parent / f"{folder.name} is full"

        def answer(request: Any, marker: Any = marker, status: int = status, body: bytes = body) -> Reply:
            if request.json["prompt"] != "second":
                return ANSWERS
            for _ in range(1000):
                if marker.exists():
                    break
                threading.Event().wait(0.02)
            return Reply(status, body)

        with Server() as server:
            server.answer = answer
            done = subprocess.run(
                [sys.executable, "-c", FULL, server.url, str(folder), str(marker)],
                capture_output=True, text=True, timeout=100, check=False,
            )  # fmt: skip
        if not done.stdout:
            tries.held(f"HTTP {status}", False, done.stderr[-300:])
            continue
        said, after, third, results, states = json.loads(done.stdout)
        good = after == counts and third == ("BudgetError" if counts else "sent") and results == bool(counts)
        tries.held(f"HTTP {status}", good, f"{said}, counts as {after}, {states[-2:]}")


@attack(MONEY, "a budget without a log")
def no_log(tries: Tries) -> None:
    """It is refused where it is given, and nothing is sent."""
    budget = tt.Budget(runs=1)
    with Server() as server:
        client = client_of(server)
        more: dict[str, Any] = {"client": client, "log": False, "budget": budget}
        tries.refused("edit", lambda: tt.edit(PHOTO, "x", **more), tt.SettingsError, "log=False")
        tries.refused("start_edit", lambda: tt.start_edit(PHOTO, "x", **more), tt.SettingsError, "log=False")
        tries.refused("ImageEditor", lambda: tt.ImageEditor(PHOTO, **more), tt.SettingsError, "log=False")
        for give in ("budget", "run_log"):
            given = (
                {"log": False}
                if give == "budget"
                else {"budget": budget, "log": tt.RunLog(tries.place("log"))}
            )
            editor = tt.ImageEditor(PHOTO, prompt="x", client=client, **given)
            setattr(editor, give, budget if give == "budget" else False)
            tries.refused(f"given later: {give}", editor.run, tt.SettingsError, "log=False")
        tries.held("POSTs", not server.posts, "nothing sent")


@attack(MONEY, "settings that break or redirect a request")
def settings(tries: Tries) -> None:
    """Headers that a key must not stand in, and addresses that lead elsewhere, are refused as the client is made."""
    make = partial(tt.Client, KEY)
    headers = (
        "Host", "host", "HOST", "Content-Length", "content-length", "Transfer-Encoding", "Connection", "Content-Type",
        "Expect", "Upgrade", "TE", "Trailer", "Accept-Encoding", "Cookie", "Keep-Alive", "Proxy-Authorization", "", " ",
        "Host ", "X Y", "X\nY", "X:Y", "\0", "é", ":authority",
    )  # fmt: skip
    for header in headers:
        tries.refused(f"auth_header={header!r:.40}", partial(make, auth_header=header), tt.SettingsError)
    for scheme in ("Bearer\r\nHost: x", "a\0", "é"):
        tries.refused(f"auth_scheme={scheme!r:.40}", partial(make, auth_scheme=scheme), tt.SettingsError)
    with Server() as server:
        for url in (
            f"{server.url}?x=", f"{server.url}#", f"{server.url}?", f"{server.url}/#/x", f"{server.origin}?/v1",
            f"{server.url}\n", f"{server.url}/ /", "https://a b/v1", "https://\t/v1", "https://x:99999/v1", "//x/v1",
            "https:/x/v1", "https:x", "file:///etc/passwd", "javascript:alert(1)", f"{server.url}\\@evil.example",
            "https://[::1", "https://x:y:z/v1",
            "\ufeffhttps://api.ttapi.io/v1", "https://api.ttapi.io\u2044v1", "https://api.ttapi.io\uff0f@evil.example",
        ):  # fmt: skip
            variant = f"base_url={url!r:.60}".replace(server.origin, "http://127.0.0.1")
            tries.refused(variant, partial(make, base_url=url), tt.SettingsError)
        tries.held("POSTs", not server.posts, "nothing sent")


@attack(MONEY, "totals, where an outcome is not known")
def totals(tries: Tries) -> None:
    """Runs without an answer are not called billed, and count as spent all the same until somebody says otherwise."""
    log = tt.RunLog(tries.folder / "log")
    good = ANSWERS.body
    for name, reply in {
        "dropped": Reply(drop=True),
        "half answered": Reply(200, good, cut=len(good) // 2),
        "504": Reply(504, b"<html>"),
        "empty": Reply(200),
    }.items():
        with Server() as server:
            server.answer = reply
            before, spent = log.totals(), log.spent(tt.Budget()).runs
            with contextlib.suppress(tt.UnknownOutcomeError):
                tt.edit(PHOTO, name, client=client_of(server), log=log)
            after = log.totals()
            counted = (after.billed - before.billed, after.unknown - before.unknown)
            right = counted == (0, 1) and log.spent(tt.Budget()).runs == spent + 1
            tries.held(name, right and len(server.posts) == 1, "unknown, not billed, counts as spent")
    for row in log.rows():
        log.found(row.id, billed=False)
    tries.held(
        "said not to be billed", log.spent(tt.Budget()).runs == log.totals().unknown == 0, "counts as nothing"
    )
