"""Attacks on the user's own files: what a log deletes, opens and believes, and what saving leaves of an old file."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import ttapi_nb as tt
from tests.server import Reply, Server, json_reply, pictures

from .tries import MASK, PHOTO, SMALL, Tries, attack, client_of, environment, offline, open_modes

FILES = "files"
Ask = Callable[[tt.RunLog], Any]


def edited(log: tt.RunLog, prompt: str = "x") -> tt.Run:
    """One edit, offline."""
    return tt.edit(PHOTO, prompt, mask=MASK, client=offline(), log=log, **SMALL)


LOOKS: dict[str, Ask] = {
    "an edit": lambda log: edited(log, "another"),
    "rows()": lambda log: log.rows(None, search="x"),
    "totals()": lambda log: log.totals(),
    "spent()": lambda log: log.spent(tt.Budget(runs=1)),
    "recover()": lambda log: log.recover(),
    "prune(keep=0)": lambda log: log.prune(keep=0),
    "prune(limit_bytes=0)": lambda log: log.prune(limit_bytes=0),
    "prune(older_than=0)": lambda log: log.prune(older_than=0),
}
OF_ONE: dict[str, Callable[[tt.RunLog, str], Any]] = {
    "row()": lambda log, run: log.row(run),
    "restore()": lambda log, run: log.restore(run),
    "found()": lambda log, run: log.found(run, billed=True),
    "fetch_again()": lambda log, run: log.fetch_again(run),
    "reread()": lambda log, run: log.reread(run),
}


def told(ask: Callable[[], object]) -> str:
    """What came of a call that may be refused by an error of ours."""
    try:
        ask()
    except tt.TTAPIError as error:
        return type(error).__name__
    return "done"


@attack(FILES, "a results folder of somebody else's")
def foreign_results(tries: Tries) -> None:
    """A log in a folder that has a `results` already."""
    for name, ask in LOOKS.items():
        folder = tries.place("thesis")
        mine = folder / "results"
        mine.mkdir(mode=0o755)
        names = ("figure1.png", "thesis.csv", hashlib.sha256(b"mine").hexdigest(), "f" * 64)
        for one in names:
            (mine / one).write_text("mine")
        log = tt.RunLog(folder, limit_bytes=0)
        came = told(partial(ask, log))
        whole = {path.name: path.read_text() for path in mine.iterdir()} == dict.fromkeys(names, "mine")
        tries.held(name, whole and mine.stat().st_mode & 0o777 == 0o755, came)


@attack(FILES, "links out of the log's folder")
def links(tries: Tries) -> None:
    """Parts of a log's folder that lead to somebody else's, before there is a log and after."""
    for name in ("results", "alive", "answers", "runs.sqlite3", "runs.sqlite3-wal"):
        for before in (True, False):
            folder = tries.place("log")
            log, theirs = tt.RunLog(folder / "log", limit_bytes=0), folder / "theirs"
            theirs.mkdir(mode=0o755)
            (theirs / "file").write_text("theirs")
            log.folder.mkdir()
            if not before:
                edited(log)
            place = log.folder / name
            if place.exists():
                place.rename(folder / "moved")
            place.symlink_to(theirs / "file" if "." in name else theirs)
            came = {told(partial(ask, log)) for ask in LOOKS.values()}
            whole = [path.name for path in theirs.iterdir()] == ["file"]
            whole = (
                whole and (theirs / "file").read_text() == "theirs" and theirs.stat().st_mode & 0o777 == 0o755
            )
            tries.held(f"{name}, {'before' if before else 'after'}", whole, " or ".join(sorted(came)))


VALUES: tuple[object, ...] = (
    None, "", "\0", "../../thesis.csv", "/etc/passwd", "x" * 70_000, -1, 2**62, 1e300, float("inf"), -0.5, b"\xff\xfe",
    b"x\0y", "\ufffe", "{", "[]", "[" * 9999, '{"n": NaN, "size": [1], "mask": 1, "image": 2, "extra_body": 7}',
    '{"a": 1e999}', "a" * 32, "f" * 64, "http://127.0.0.1:1", "javascript:alert(1)", "<script>alert(1)</script>",
)  # fmt: skip


@attack(FILES, "rows of a database that somebody else made")
def hostile_rows(tries: Tries) -> None:
    """Any value in any column, before any call."""
    chance, thesis = random.Random(11), tries.folder / "thesis.csv"
    thesis.write_text("mine")
    log = tt.RunLog(tries.folder / "log")
    run = edited(log)
    path = log.folder / "runs.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = [(name, row[1]) for name in tables for row in db.execute(f'PRAGMA table_info("{name}")')]
    clean = path.read_bytes()
    asks: dict[str, Callable[[], object]] = {
        **{name: partial(ask, log) for name, ask in LOOKS.items() if name != "an edit"},
        **{name: partial(ask, log, run.id) for name, ask in OF_ONE.items()},
    }
    for table, column in columns:
        for name in chance.sample(sorted(asks), 6):
            value, state = chance.choice(VALUES), chance.choice(("open", "unknown", "done"))
            for left in log.folder.glob("runs.sqlite3-*"):
                left.unlink()
            path.write_bytes(clean)
            with (
                contextlib.closing(sqlite3.connect(path)) as db,
                db,
                contextlib.suppress(sqlite3.IntegrityError),
            ):
                db.execute("UPDATE runs SET state = ?", (state,))
                db.execute(f'UPDATE "{table}" SET "{column}" = ?', (value,))
            variant = f"{table}.{column} = {value!r:.30}, {name}"
            try:
                tries.held(variant, thesis.read_text() == "mine", told(asks[name]))
            except Exception as error:  # noqa: BLE001 - this is what is looked for
                tries.held(variant, False, f"{type(error).__name__}: {error}")


@attack(FILES, "a row's mark that is a path")
def marks(tries: Tries) -> None:
    """A mark that leads to a file, which a log would open, lock and delete."""
    log = tt.RunLog(tries.folder / "log")
    run = edited(log)
    outside = tries.folder / "thesis.csv"
    inside = log.folder / "alive" / ("b" * 32)
    for path in (outside, inside):
        path.write_text("mine")
    for mark in (str(outside), "../../thesis.csv", "../thesis.csv", "b" * 32, f"file://{outside}", "\0", "."):
        for ask in (*LOOKS.values(), lambda log: log.row(run.id)):
            with contextlib.closing(sqlite3.connect(log.folder / "runs.sqlite3")) as db, db:
                db.execute("UPDATE runs SET state = 'open', started = 0, mark = ?", (mark,))
            came = told(partial(ask, log))
            tries.held(mark, (outside.read_text(), inside.read_text()) == ("mine", "mine"), came)


@attack(FILES, "a row's hash that is a path")
def hashes(tries: Tries) -> None:
    """A result's name that leads out of the folder of results."""
    thesis = tries.folder / "thesis.csv"
    thesis.write_text("mine")
    for name in ("../../thesis.csv", str(thesis), "..", "F" * 64, "f" * 63 + "/", "\0" * 64, b"x" * 64):
        log = tt.RunLog(tries.place("log") / "log")
        run = edited(log)
        with contextlib.closing(sqlite3.connect(log.folder / "runs.sqlite3")) as db, db:
            db.execute("UPDATE results SET sha256 = ?", (name,))
        given = log.row(run.id).results
        for ask in LOOKS.values():
            told(partial(ask, log))
        tries.held(repr(name), not given and thesis.read_text() == "mine", "no result, no file touched")


@attack(FILES, "a row's address that is private")
def row_addresses(tries: Tries) -> None:
    """An address in a row, which lets *Fetch again* reach what only this machine can."""
    with Server() as server, Server() as private:
        server.answer = json_reply({"data": [{"url": f"{private.origin}/secret.png"}]})
        log = tt.RunLog(tries.folder / "log")
        with contextlib.suppress(tt.TTAPIError):
            tt.edit(PHOTO, "x", client=client_of(server), log=log)
        (row,) = log.rows()
        here = private.origin
        for address in (
            here,
            f"{here}/v1",
            here.replace("//", "//me@"),
            here.replace("127.0.0.1", "localhost"),
            "*",
        ):
            with contextlib.closing(sqlite3.connect(log.folder / "runs.sqlite3")) as db, db:
                db.execute("UPDATE runs SET address = ?", (address,))
            came = told(lambda: log.fetch_again(row.id))
            tries.held(address, private.connections == 0, came)


SAVES = """
import contextlib, json, os, resource, sys
from pathlib import Path
import ttapi_nb as tt
from PIL import Image
folder = Path(sys.argv[1])
photo = Image.effect_noise((200, 200), 90).convert("RGB")
mask = tt.Mask((200, 200)).rectangle((8, 8, 100, 100)).paint([(number, number % 7) for number in range(190)], radius=3)
client = tt.Client.offline(fill=lambda image, *more: image)
run = tt.edit(photo, "x " * 400, mask=mask, client=client, model="dall-e-2", size="256x256")
result, item = run.results[0], run.response.data[0]
tapes = {name: folder / name for name in ("a.zip",)}
os.environ["TT_API_KEY_FILE"] = str(folder / "key")
def tape():
    made = tt.Client.record(folder / "a.zip", api_key="test-key-0123456789", base_url=sys.argv[2])
    note = made.images.edit(image=photo, prompt="y").note
    if "could not" in note or "recorded" in note:
        raise tt.ResultError(note)
saves = {
    "a.png": lambda: result.save(folder / "a.png"),
    "a.jpg": lambda: result.save(folder / "a.jpg"),
    "a.webp": lambda: result.save(folder / "a.webp"),
    "a.tif": lambda: result.save(folder / "a.tif"),
    "raw.png": lambda: item.save(folder / "raw.png"),
    "photo.png": lambda: tt.open_image(photo).save(folder / "photo.png"),
    "mask.json": lambda: mask.save(folder / "mask.json"),
    "mask.png": lambda: mask.save(folder / "mask.png"),
    "key": lambda: tt.store_key("k" * 900, "file"),
    "a.zip": tape,
}
for name, save in saves.items():
    if name == "a.zip":
        save()
    else:
        (folder / name).write_bytes(b"the old one")
        (folder / name).chmod(0o600)
    old = (folder / name).read_bytes()
    files = {path.name for path in folder.iterdir()}
    # Larger files than this can't be written, as on a disk that is full.
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
    said = "no error"
    try:
        save()
    except tt.TTAPIError as error:
        said = type(error).__name__
    except BaseException as error:
        said = "raw " + type(error).__name__ + str(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    more = sorted({path.name for path in folder.iterdir()} - files)
    print(json.dumps([name, said, (folder / name).read_bytes() == old, more]), flush=True)
"""


@attack(FILES, "saving over a file on a full disk")
def full_disk(tries: Tries) -> None:
    """Whatever writes over a file, where the new one can't be written whole."""
    with Server() as server:
        server.answer = json_reply(pictures(PHOTO.resize((200, 200))))
        done = subprocess.run(
            [sys.executable, "-c", SAVES, str(tries.place("saved")), server.url], capture_output=True, text=True,
            timeout=100, check=False,
        )  # fmt: skip
    for line in done.stdout.splitlines():
        name, said, whole, more = json.loads(line)
        good = whole and not more and said != "no error" and not said.startswith("raw")
        tries.held(name, good, f"{said}, the old file {'whole' if whole else 'LOST'}{more or ''}")
    if done.returncode:
        tries.held("the script", False, done.stderr[-300:])


@attack(FILES, "what other users of the machine can read")
def modes(tries: Tries) -> None:
    """Logs, answers, recordings and keys under an ordinary umask and under none, and those of an older version."""
    for mask in (0o022, 0o000):
        before = os.umask(mask)
        try:
            folder = tries.place("umask")
            with (
                Server() as server,
                environment(TTAPI_DATA=str(folder / "data"), TT_API_KEY_FILE=str(folder / "c" / "k")),
            ):
                taped = tt.Client.record(folder / "t.zip", api_key="test-key-0123456789", base_url=server.url)
                tt.edit(PHOTO, "x", client=taped)
                server.answer = Reply(200, b"what is that")
                with contextlib.suppress(tt.UnknownOutcomeError):
                    tt.edit(PHOTO, "x", client=client_of(server))
                tt.store_key("k" * 30, "file")
            kinds = {"data": folder / "data", "key": folder / "c", "recording": folder / "t.zip"}
            for name, path in kinds.items():
                tries.held(
                    f"{name}, umask {mask:03o}", path.exists() and not open_modes(path), "the owner's alone"
                )
            for path in (folder / "data", *(folder / "data").rglob("*")):
                path.chmod(0o755 if path.is_dir() else 0o644)
            with contextlib.closing(sqlite3.connect(folder / "data" / "runs.sqlite3")) as db, db:
                db.execute("DELETE FROM folders")
            tt.RunLog(folder / "data").rows()
            tries.held(
                f"an older log, umask {mask:03o}",
                not open_modes(folder / "data"),
                "tightened as it is opened",
            )
        finally:
            os.umask(before)
