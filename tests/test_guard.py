"""The guard of the whole suite finds each kind of work that the loop's thread must not do, and nothing elsewhere."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.guard import Guard
from tests.server import Server
from ttapi_nb import Client, loop, start_edit
from ttapi_nb.log.budget import PriceTable
from ttapi_nb.service import Service
from ttapi_nb.widgets.drawer.turns import Turns

PICTURE = Image.new("RGB", (8, 8))


def _take(turns: Turns) -> None:
    with turns:
        pass


# What each does, given a folder of the test's own.
WORK: dict[str, Callable[[Path], Any]] = {
    "opens a database": lambda folder: sqlite3.connect(folder / "a.sqlite3"),
    "opens a picture": lambda folder: Image.open(folder / "old.png"),
    "reads its pixels": lambda folder: PICTURE.load(),
    "scales it": lambda folder: PICTURE.resize((4, 4)),
    "saves it": lambda folder: PICTURE.save(folder / "new.png"),
    "writes a file": lambda folder: (folder / "new.txt").write_bytes(b"x"),
    "adds to a file": lambda folder: (folder / "old.txt").open("a"),
    "renames a file": lambda folder: (folder / "old.txt").rename(folder / "newer.txt"),
    "replaces a file": lambda folder: (folder / "old.txt").replace(folder / "newer.txt"),
    "deletes a file": lambda folder: (folder / "old.txt").unlink(),
    "makes a folder": lambda folder: (folder / "new").mkdir(),
    "takes a lock of the widgets'": lambda folder: _take(Turns()),
    "asks for a price": lambda folder: PriceTable({"m": 1}, "USD").cost("m", {}, 1),
    "asks the embedded service": lambda folder: Service().handle("GET", "http://x/", {}, b""),
}


@pytest.mark.parametrize("kind", WORK)
def test_what_the_loop_may_not_do(kind: str, tmp_path: Path, only_network: Guard) -> None:
    """On the loop's thread it is refused, not done, and remembered with the stack; on another it is done."""
    PICTURE.save(tmp_path / "old.png")
    (tmp_path / "old.txt").write_text("old")
    before = sorted(tmp_path.iterdir())

    async def does_it() -> None:
        WORK[kind](tmp_path)

    with pytest.raises(RuntimeError):
        loop.call(does_it())
    assert sorted(tmp_path.iterdir()) == before
    (found,) = only_network.found
    assert "does_it" in found
    only_network.found.clear()
    done = WORK[kind](tmp_path)
    if hasattr(done, "close"):
        done.close()
    assert only_network.found == []


def test_a_statement_on_the_loop(tmp_path: Path, only_network: Guard) -> None:
    """A connection from elsewhere is not used there either, whoever opened it."""
    db = sqlite3.connect(tmp_path / "a.sqlite3", check_same_thread=False)

    async def asks() -> None:
        db.execute("SELECT 1")

    with pytest.raises(RuntimeError, match="SQLite"):
        loop.call(asks())
    assert len(only_network.found) == 1
    only_network.found.clear()
    db.close()


def test_a_callback_on_the_loop(server: Server, photo: Image.Image, only_network: Guard) -> None:
    """A run's callback that is called there is remembered, although what it raises is swallowed by whoever calls it."""
    run = start_edit(photo, "x", client=Client("test-key-0123456789", base_url=server.url), log=False)
    run.wait(20)
    called: list[str] = []
    run.on_change(lambda run: called.append(run.status))
    callback = run._callbacks[0]

    async def calls() -> None:
        with pytest.raises(RuntimeError):
            callback(run)
        await asyncio.sleep(0)

    loop.call(calls())
    assert called == []
    assert len(only_network.found) == 1
    only_network.found.clear()


def test_what_it_lets_through(tmp_path: Path, only_network: Guard) -> None:
    """Reading a file, and all that is no work on files, pictures or locks, is none of the guard's business."""
    (tmp_path / "a.txt").write_text("here")

    async def reads() -> str:
        await asyncio.sleep(0)
        return (tmp_path / "a.txt").read_text()

    assert loop.call(reads()) == "here"
    assert only_network.found == []
