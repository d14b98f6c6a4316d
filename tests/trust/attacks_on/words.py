"""Attacks on keys and sentences: commands that a key is typed into, others' files, passwords in addresses, proxies."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import pickle
import subprocess
import sys
import traceback
from functools import partial
from pathlib import Path

import ttapi_nb as tt
from tests.server import Reply, Server
from ttapi_nb.cli import main
from ttapi_nb.widgets.history.grid import RunGrid

from .tries import PHOTO, SMALL, Tries, attack, client_of, environment, offline

WORDS = "words"
CANARY = "sk-canary-0123456789abcdef"
LINES = (
    "KEY", "--key KEY", "--key=KEY", "-k KEY", "-kKEY", "key KEY", "key --key KEY", "key --file KEY",
    "key --file=KEY", "key --where=KEY", "key --forget KEY", "key -KEY", "key --KEY", "key -- KEY",
    "serve KEY", "serve --port KEY", "serve --port=KEY", "serve --seed KEY", "serve --envelope KEY",
    "serve --envelope=KEY", "serve --leaky=KEY", "serve -KEY", "serve --port 0 KEY", "lab KEY", "lab KEY/x",
    "lab --api-key KEY", "lab --KEY", "lab -KEY", "lab --offline=KEY", "lab --offline KEY", "Key KEY",
    "--offline KEY", "-- KEY", "--help=KEY", "--version KEY", "KEY key", "lab --key=KEY", "TT_API_KEY=KEY",
    "key TT_API_KEY=KEY", "set-key KEY", "login KEY", "KEY --offline",
)  # fmt: skip
IN_LAB = (
    "lab --port KEY", "lab --port=KEY", "lab --no-browser=KEY", "lab --no-browser KEY", "lab --debug KEY",
    "lab --ServerApp.port=KEY", "lab --ServerApp.port KEY", "lab --port-retries KEY", "lab --log-level KEY",
    "lab --log-level=KEY", "lab --ip KEY", "lab --config KEY", "lab --notebook-dir KEY", "lab --KEY.x=1",
    "lab --x.KEY=1", "lab --LabApp.KEY=1", "lab --ServerApp.allow_root=KEY", "lab --sock KEY",
    "lab --autoreload=KEY", "lab --key.KEY KEY", "lab -y=KEY",
)  # fmt: skip


@attack(WORDS, "a key that is typed into a command")
def typed(tries: Tries) -> None:
    """Whatever it stands behind, it is not printed; what JupyterLab would repeat is not given to it."""
    before = sys.argv
    for line in LINES:
        out, code = io.StringIO(), 0
        sys.argv = ["ttapi-nb"]
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
                code = main(line.replace("KEY", CANARY).split())
        except SystemExit as ended:
            code = int(ended.code or 0)
        finally:
            sys.argv = before
        said = out.getvalue()
        tries.held(line, CANARY not in said and code and said, "refused, and not printed")
    for line in IN_LAB:
        command = [sys.executable, "-m", "ttapi_nb.cli", *line.replace("KEY", CANARY).split()]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=20, check=False, cwd=tries.folder
            )
            said = done.stdout + done.stderr
        except subprocess.TimeoutExpired as error:
            said = f"{error.stdout!r}{error.stderr!r}"
        where = next((words for words in said.splitlines() if CANARY in words), "")
        tries.held(line, CANARY not in said, where[:120] or "not printed")


@attack(WORDS, "key files")
def key_files(tries: Tries) -> None:
    """A name with ~ is the home's; those of others, or open to them, are not believed."""
    home = tries.place("home")
    with environment(HOME=str(home), TT_API_KEY_FILE="~/k"):
        here = Path.cwd()
        os.chdir(tries.folder)
        try:
            tt.store_key("k" * 30, "file")
            tries.held(
                "~/k is written", (home / "k").is_file() and not (tries.folder / "~").exists(), "in the home"
            )
            tries.held(
                "~/k is read", not tt.Client(base_url="http://127.0.0.1:1").is_offline, "from the home"
            )
        finally:
            os.chdir(here)
    for name, mode in (("open to all", 0o644), ("open to a group", 0o640), ("written by all", 0o666)):
        path = tries.place("open") / "k"
        path.write_text("k" * 30)
        path.chmod(mode)
        with environment(TT_API_KEY_FILE=str(path)):
            tries.refused(name, lambda: tt.Client(base_url="http://127.0.0.1:1"), tt.SettingsError)
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        tries.cannot("a file of another owner", "only root can make one")
        return
    for name in ("a file", "through a link"):
        path = tries.place("theirs") / "k"
        path.write_text("k" * 30)
        path.chmod(0o600)
        os.chown(path, 12345, 12345)
        if "link" in name:
            (path.parent / "link").symlink_to(path)
            path = path.parent / "link"
        with environment(TT_API_KEY_FILE=str(path)):
            tries.refused(
                f"another owner's: {name}", lambda: tt.Client(base_url="http://127.0.0.1:1"), tt.SettingsError
            )


class Seen(logging.Handler):
    """All that is logged."""

    def __init__(self) -> None:
        super().__init__(0)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.text += record.getMessage() + repr(record.args)


PASSWORDS = (
    "pa55-w0rd",
    "pa55@w0rd",
    "pa55/w0rd",
    "pa55%40w0rd",
    "pa55:w0rd",
    "pa55#w0rd",
    "pa55?w0rd",
    "pa55 w0rd",
)


@attack(WORDS, "passwords in base_url")
def passwords(tries: Tries) -> None:
    """They are in no repr, no sentence, no traceback, no log of httpx and no file."""
    seen, root = Seen(), logging.getLogger()
    logging.disable(logging.NOTSET)
    level = root.level
    root.addHandler(seen)
    root.setLevel(1)
    try:
        for password in PASSWORDS:
            for user in ("me:", "", "pa55w0rd@", ":"):
                with Server() as server:
                    seen.text = ""
                    said, came = [], "sent"
                    url = server.url.replace("://", f"://{user}{password}@")
                    try:
                        client = tt.Client("test-key-0123456789", base_url=url, timeout=10.0)
                        said += [repr(client), client.words, repr(client.core)]
                        log = tt.RunLog(tries.place("log"))
                        run = tt.edit(PHOTO, "x", client=client, log=log)
                        said += [
                            repr(run),
                            str([vars(row) if hasattr(row, "__dict__") else row for row in log.rows()]),
                        ]
                        server.answer = Reply(500)
                        tt.edit(PHOTO, "x", client=client, log=log)
                    except tt.TTAPIError as error:
                        came = type(error).__name__
                        said += [
                            "".join(traceback.format_exception(error)),
                            repr(error),
                            str(pickle.dumps(error)),
                        ]
                    for path in tries.folder.rglob("*"):
                        if path.is_file():
                            said.append(path.read_bytes().decode("latin-1"))
                    text = "".join(said) + seen.text
                    leaked = [part for part in ("w0rd", password) if part in text]
                    place = next(
                        (
                            one[max(0, one.find("w0rd") - 60) :][:120]
                            for one in (*said, seen.text)
                            if "w0rd" in one
                        ),
                        "",
                    )
                    tries.held(f"{user}{password}@", not leaked, f"nowhere; {came}" if not leaked else place)
    finally:
        root.setLevel(level)
        root.removeHandler(seen)
        logging.disable()


@attack(WORDS, "hosts that look like another")
def look_alikes(tries: Tries) -> None:
    """They are shown as what they are, in ASCII too."""
    for host, ascii_ in (
        ("api.ttаpi.io", "xn--"), ("xn--api-8cd.ttapi.io", "xn--"), ("ａpi.ttapi.io", "api.ttapi.io"),
        ("api.ttapi.іo", "xn--"), ("faß.example", "xn--"), ("ttapi.io.evil.example", "evil.example"),
        ("API.TTAPI.IO", "api.ttapi.io"),
    ):  # fmt: skip
        try:
            client = tt.Client("test-key-0123456789", base_url=f"https://{host}/v1")
        except tt.SettingsError:
            tries.held(host, True, "SettingsError")
        else:
            tries.held(host, ascii_ in repr(client).lower(), "shown in ASCII")


BROKEN = (
    ("ALL_PROXY", "socks5://127.0.0.1:1"), ("HTTPS_PROXY", "http://[::1"), ("https_proxy", "garbage here"),
    ("ALL_PROXY", "gopher://x:1"), ("SSL_CERT_FILE", "/nowhere/ca.pem"), ("SSL_CERT_DIR", "/nowhere"),
    ("SSLKEYLOGFILE", "/nowhere/keys"), ("HTTPS_PROXY", "http://user:pa55-w0rd@127.0.0.1:1"), ("HTTPS_PROXY", "http://x:99999"),
)  # fmt: skip


@attack(WORDS, "proxies and certificates that are broken")
def network(tries: Tries) -> None:
    """An error of ours names the variable before anything leaves, and offline touches none of it."""
    for variable, value in BROKEN:
        # Whoever runs this may have some of their own.
        with environment(**dict.fromkeys((*dict(BROKEN), "NO_PROXY", "no_proxy")) | {variable: value}):
            client = partial(
                tt.Client, "test-key-0123456789", base_url="https://nowhere.invalid/v1", timeout=10.0
            )
            try:
                client().images.edit(image=PHOTO, prompt="x")
            except (tt.NotSentError, tt.SettingsError) as error:
                named = variable in str(error) and "pa55" not in str(error)
                came = f"{type(error).__name__}, which names it" if named else str(error)
                tries.held(f"{variable}={value}", named, came)
            run = tt.edit(PHOTO, "x", client=offline(), log=False, **SMALL)
            tries.held(f"{variable}={value}, offline", run.results, "done")
    with (
        Server() as server,
        environment(NO_PROXY="::1,[::1],127.0.0.1,*.x", no_proxy=None, HTTP_PROXY="http://127.0.0.1:1"),
    ):
        tries.held(
            "NO_PROXY with IPv6",
            client_of(server).images.edit(image=PHOTO, prompt="x").data,
            "sent past the proxy",
        )
    with Server() as server:
        server.answer = Reply(407)
        with environment(HTTPS_PROXY=server.origin):
            url = "https://nowhere.invalid/v1"
            edit = tt.Client("test-key-0123456789", base_url=url, timeout=10.0).images.edit
            tries.refused(
                "a proxy's 407", partial(edit, image=PHOTO, prompt="x"), tt.NotSentError, "HTTPS_PROXY"
            )


@attack(WORDS, "Fill in again, on a run that is gone")
def fill_in(tries: Tries) -> None:
    """A pruned run says so, by each of the panel's buttons."""
    log = tt.RunLog(tries.folder / "log")
    editor = tt.ImageEditor(PHOTO, prompt="x", client=offline(), log=log)
    run = editor.run().wait(20)
    editor.prompt = "y"
    editor.run().wait(20)
    editor.history.unfolded = True
    (grid,) = [child for child in editor.history.children if isinstance(child, RunGrid)]
    log.prune(keep=1)
    tries.refused("restore_run", lambda: editor.restore_run(run.id), tt.ResultError)
    for name, kind in (("It was billed", "billed"), ("Fetch again", "fetch"), ("Fill in again", "fill")):
        grid.alert = ""
        grid._handle_custom_msg({"type": kind, "id": run.id}, [])
        tries.held(name, "no run" in grid.alert, "the panel says so")
