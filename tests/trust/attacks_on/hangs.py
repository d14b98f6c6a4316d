"""Attacks on time: observers, callbacks, logs, forks and files that would make somebody wait for ever."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import ttapi_nb as tt
from tests.server import Server

from .tries import ANSWERS, PHOTO, SMALL, Tries, attack, client_of, environment, held_back, offline

HANGS = "time"
VARIABLES = ("TT_API_KEY_FILE", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE")
OURS = ("SettingsError", "NotSentError", "MissingKeyError")
PATIENCE = 25.0


def in_time(work: Callable[[], object], seconds: float = PATIENCE) -> tuple[bool, str]:
    """Whether `work` comes to its end, and what it raised."""
    raised: list[str] = []

    def do() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - it is told
            raised.append(type(error).__name__)

    thread = threading.Thread(target=do, daemon=True)
    thread.start()
    thread.join(seconds)
    return not thread.is_alive(), (
        raised[0] if raised else "came to its end"
    ) if not thread.is_alive() else "HUNG"


def stroke(editor: tt.ImageEditor, number: int) -> None:
    """Paint as a browser does."""
    points = np.array([[10, 10, 5], [30, 30, 5]], np.float32)
    message = {"type": "mark", "view": "v", "number": number, "tool": "brush", "erase": False}
    editor.drawer._surface.stage._handle_custom_msg(message, [memoryview(points.tobytes())])


def elsewhere(work: Callable[[], object]) -> None:
    """Do it on another thread, and wait for that."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(PATIENCE)


def waits(editor: tt.ImageEditor, server: Server) -> None:
    """Wait for the run that is under way, whose answer may come now."""
    server.let_go()
    assert editor.current is not None
    editor.current.wait(PATIENCE)


OBSERVERS: dict[str, Callable[[tt.ImageEditor, Server], object]] = {
    "cancels the run": lambda editor, server: editor.cancel(),
    "lets it end, and waits for it": waits,
    "waits for a thread that paints": lambda editor, server: elsewhere(editor.drawer.undo),
    "waits for a thread that cancels": lambda editor, server: elsewhere(editor.cancel),
    "shows another photo": lambda editor, server: setattr(editor, "image", Image.new("RGB", (64, 64), "red")),
    "starts a run": lambda editor, server: editor.run(),
    "edits without the editor": lambda editor, server: tt.edit(
        PHOTO, "y", client=offline(), log=False, **SMALL
    ),
    "raises SystemExit": lambda editor, server: sys.exit(3),
    "closes the editor": lambda editor, server: editor.close(),
}


@attack(HANGS, "observers of a mask, in mid-run")
def observers(tries: Tries) -> None:
    """An observer does what it likes as somebody paints while a run is under way."""
    for name, does in OBSERVERS.items():
        for where in ("editor", "drawer"):
            with Server() as server:
                held_back(server)
                editor = tt.ImageEditor(PHOTO, prompt="x", client=client_of(server))
                run = editor.run()
                server.wait_for(1)
                once: list[object] = []

                def seen(
                    change: Any,
                    does: Any = does,
                    editor: Any = editor,
                    server: Any = server,
                    once: Any = once,
                ) -> None:
                    if not once:
                        once.append(change)
                        does(editor, server)

                (editor if where == "editor" else editor.drawer).observe(seen, "mask")
                good, came = in_time(partial(stroke, editor, 1))
                server.let_go()
                ended, _ = in_time(partial(run.wait, PATIENCE))
                tries.held(f"{where}: {name}", good and ended and once, came)


@attack(HANGS, "a photo from the web, in mid-run")
def web_photo(tries: Tries) -> None:
    """Each way to show one whose service hangs, drips or is not there, while a run is under way."""
    ways: dict[str, Callable[[tt.ImageEditor, str], object]] = {
        "drawer.show_both": lambda editor, url: editor.drawer.show_both(url),
        "editor.image": lambda editor, url: setattr(editor, "image", url),
        "editor.references": lambda editor, url: setattr(editor, "references", (url,)),
        "editor.restore": lambda editor, url: editor.restore(url),
    }
    for name, show in ways.items():
        with Server() as server:
            held_back(server)
            editor = tt.ImageEditor(PHOTO, prompt="x", client=client_of(server))
            run = editor.run()
            server.wait_for(1)
            good, came = in_time(partial(show, editor, f"{server.origin}/a.png"))
            editor.cancel()
            server.let_go()
            tries.held(name, good and run.status == "cancelled", came)


def recurses(run: tt.Run) -> None:
    """Without end."""
    recurses(run)


def raises(kind: type[BaseException]) -> Callable[[tt.Run], None]:
    """A callback that does."""

    def callback(run: tt.Run) -> None:
        raise kind("of a callback's")

    return callback


@attack(HANGS, "callbacks that block or raise anything")
def callbacks(tries: Tries) -> None:
    """Another run's answer after them is as fast as before, and their own run ends too."""
    never = threading.Event()
    kinds = (SystemExit, KeyboardInterrupt, asyncio.CancelledError, GeneratorExit, MemoryError, StopIteration)
    hostile: dict[str, Callable[[tt.Run], Any]] = {
        "blocks": lambda run: never.wait(),
        "sleeps 6 s": lambda run: never.wait(6),
        "waits for its own run": lambda run: run.wait(),
        "waits for a run that it starts": lambda run: tt.edit(
            PHOTO, "y", client=offline(), log=False, **SMALL
        ),
        "cancels": lambda run: run.cancel(),
        "recurses": recurses,
        **{f"raises {kind.__name__}": raises(kind) for kind in kinds},
    }
    log = tt.RunLog(tries.folder / "log")
    with Server() as server:
        server.answer = ANSWERS
        for name, callback in hostile.items():
            run = tt.start_edit(PHOTO, "x", client=client_of(server), log=log)
            run.on_change(callback)
            began = time.monotonic()
            other = tt.edit(PHOTO, "z", client=client_of(server, timeout=4.0), log=log)
            seconds = time.monotonic() - began
            good, came = in_time(partial(run.wait, PATIENCE))
            tries.held(
                name, good and other.results and seconds < 4, came if "Cancel" in came else "both ended"
            )
    never.set()


@attack(HANGS, "a log that is locked")
def locked(tries: Tries) -> None:
    """While a program holds the log, other runs are stopped at once, others' logs go on, and its own run ends later."""
    log, free = tt.RunLog(tries.folder / "log"), tt.RunLog(tries.folder / "free")
    with Server() as server:
        tt.edit(PHOTO, "first", client=client_of(server), log=log)
        for lock in ("BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"):
            held_back(server)
            before = len(server.requests)
            busy = [
                tt.start_edit(PHOTO, f"{lock} {at}", client=client_of(server), log=log) for at in range(2)
            ]
            server.wait_for(before + 2)
            with contextlib.closing(
                sqlite3.connect(log.folder / "runs.sqlite3", timeout=60, isolation_level=None)
            ) as db:
                db.execute(lock)
                began = time.monotonic()
                busy[0].cancel()
                tries.held(f"{lock}: cancel()", time.monotonic() - began < 1, "at once")
                server.answer = ANSWERS
                good, came = in_time(lambda: tt.edit(PHOTO, "free", client=client_of(server), log=free), 8)
                tries.held(f"{lock}: another log", good, came)
                server.let_go()
                db.execute("ROLLBACK")
            good, came = in_time(partial(busy[1].wait, PATIENCE))
            tries.held(f"{lock}: its run", good and busy[1].results, came)


FORK = """
import os, sys, threading, warnings
import ttapi_nb as tt
from PIL import Image
warnings.simplefilter("ignore")
photo, go = Image.new("RGB", (64, 64)), threading.Event()
def fill(image, *more):
    go.wait(60)
    return image
log = tt.RunLog(sys.argv[1])
runs = [tt.start_edit(photo, "x", client=tt.Client.offline(fill=fill), log=log) for _ in range(2)]
stop = threading.Event()
def write():
    while not stop.is_set():
        log.rows(), log.totals()
threads = [threading.Thread(target=write, daemon=True) for _ in range(2)]
[thread.start() for thread in threads]
def child(number):
    if number % 3 == 0:
        return len(log.rows()) >= 0
    if number % 3 == 1:
        return bool(tt.edit(photo, "y", client=tt.Client.offline(fill=lambda image, *more: image), log=log).results)
    try:
        runs[0].wait()
    except tt.ResultError:
        return True
    return False
for number in range(int(sys.argv[2])):
    child_id = os.fork()
    if child_id == 0:
        code = 1
        try:
            code = 0 if child(number) else 2
        finally:
            os._exit(code)
    for _ in range(2000):
        ended, status = os.waitpid(child_id, os.WNOHANG)
        if ended:
            break
        threading.Event().wait(0.01)
    else:
        os.kill(child_id, 9)
        os.waitpid(child_id, 0)
        status = "HUNG"
    print(number % 3, status, flush=True)
stop.set()
go.set()
[run.wait(30) for run in runs]
"""


@attack(HANGS, "forks in mid-run, as the log is written to")
def forks(tries: Tries) -> None:
    """Children that look into the log, edit, or wait for their parent's run."""
    if not hasattr(os, "fork"):
        tries.cannot("fork", "there is none on this system")
        return
    done = subprocess.run(
        [sys.executable, "-c", FORK, str(tries.folder / "log"), "15"],
        capture_output=True,
        text=True,
        timeout=140,
        check=False,
    )
    does = ("looks into the log", "edits", "waits for its parent's run")
    for line in done.stdout.splitlines():
        kind, _, status = line.partition(" ")
        tries.held(does[int(kind)], status == "0", "ended" if status == "0" else status)
    if done.returncode:
        tries.held("the parent", False, done.stderr[-300:])


def sent_nowhere(key: str | None) -> None:
    """An edit that can't leave, with all the set-up before it."""
    client = tt.Client(key, base_url="https://nowhere.invalid/v1", timeout=5.0)
    client.images.edit(image=PHOTO, prompt="x")


@attack(HANGS, "pipes, devices, sockets and folders as files")
def odd_files(tries: Tries) -> None:
    """Each opener with each kind of file that never ends, or is none."""
    pipe, sock, link = tries.folder / "pipe.png", tries.folder / "s.png", tries.folder / "link.png"
    os.mkfifo(pipe)
    link.symlink_to("/dev/zero")
    loop = tries.folder / "loop.png"
    loop.symlink_to(loop)
    openers: dict[str, Callable[[Path], object]] = {
        "open_image": tt.open_image,
        "open_image(str)": lambda path: tt.open_image(str(path)),
        "open_image(file:)": lambda path: tt.open_image(f"file://{path}"),
        "Mask.load": tt.Mask.load,
        "Mask.read": tt.Mask.read,
        "Mask.from_image": lambda path: tt.Mask.from_image(path, edit="white"),
        "open_result": tt.open_result,
        "edit(image)": lambda path: tt.edit(path, "x", client=offline(), log=False, **SMALL),
        "edit(mask)": lambda path: tt.edit(PHOTO, "x", mask=path, client=offline(), log=False, **SMALL),
        "ImageEditor": lambda path: tt.ImageEditor(path, client=offline()),
        "Client.replay": tt.Client.replay,
        "Client.record": lambda path: tt.Client.record(path, api_key="test-key-0123456789", base_url="http://127.0.0.1:1"),
        "RunLog": lambda path: tt.RunLog(path).rows(),
    }  # fmt: skip
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(sock))
        for name, opener in openers.items():
            for kind, path in {
                "a pipe": pipe,
                "/dev/zero": Path("/dev/zero"),
                "a link to it": link,
                "/dev/tty": Path("/dev/tty"),
                "a socket": sock,
                "a folder": tries.folder,
                "a link to itself": loop,
                "/proc/self/mem": Path("/proc/self/mem"),
            }.items():
                said: list[str] = []

                def work(opener: Any = opener, path: Path = path, said: list[str] = said) -> None:
                    try:
                        opener(path)
                    except tt.TTAPIError as error:
                        said.append(type(error).__name__)
                    except BaseException as error:  # noqa: BLE001 - this is what is looked for
                        said.append(f"raw {type(error).__name__}: {error}")

                good, came = in_time(work, 8)
                came = said[0] if said else came
                # A folder is what a log is made of.
                right = said or (name, kind) == ("RunLog", "a folder")
                tries.held(f"{name}, {kind}", good and right and not came.startswith("raw"), came)
    for variable in VARIABLES:
        for path in (pipe, Path("/dev/zero"), loop):
            # Whoever runs this may have some of their own.
            with environment(**dict.fromkeys(VARIABLES) | {variable: str(path)}):
                key = None if variable == "TT_API_KEY_FILE" else "test-key-0123456789"
                good, came = in_time(partial(sent_nowhere, key), 8)
                tries.held(f"{variable}, {path.name}", good and came in OURS, came)
