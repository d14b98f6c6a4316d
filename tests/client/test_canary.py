"""A sample of `make trust`: an edit that fails leaves the key nowhere, and in IPython no traceback shows it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests import canary
from tests.canary import KEY, PLACES, Left, after
from tests.server import PATIENCE, Server, json_reply
from tests.support.folders import contents


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault", ["200 with URL", "403 page", "time-out", "words for the status", "disk full"]
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_key_is_nowhere(fault: str, tmp_path: Path) -> None:
    """After a failed edit by client, run and editor, no place that something is shown or kept in has the key."""
    left = after(fault, tmp_path)
    assert left.hits() == []
    assert left.texts["frames"] if fault != "200 with URL" else left.texts["saved result"]


def test_the_search_finds_keys() -> None:
    """A key in any of the places would be found there, also as another way of writing has it."""
    for place in PLACES:
        assert Left({place: f"a {KEY} b".encode()}, 0).hits() == [place]
        assert Left({place: KEY.encode().hex().encode()}, 0).hits() == [place]
    assert Left(dict.fromkeys(PLACES, b"sk-canary"), 0).hits() == []


def test_the_traceback_would_show_it() -> None:
    """IPython's most talkative traceback does show the variables of a frame, so that searching it means something."""

    def fails() -> None:
        key = canary.KEY
        raise ValueError(len(key))

    (error,) = canary._caught(lambda _: fails(), None)
    found = canary._of_errors([error])
    assert KEY.encode() in found["%xmode Verbose"]
    assert KEY.encode() not in found["%xmode Minimal"]


# What somebody types who gets it all wrong. The key is in the environment, or typed where nobody sees it.
CELLS = """
    import ttapi_nb as tt
    tt.Client(wire="xml")
    tt.Client(base_url=7)
    tt.Client(base_url="http://example.com")
    tt.Client(timeout="soon")
    tt.Client(auth_header="a b")
    tt.Client(nonsense=1)
    tt.Client.record("/nowhere/at/all.zip")
    tt.Client.record("b.zip", wire="xml")
    tt.Client.replay("/nowhere.zip")
    tt.store_key(tt.ask_key(), "cloud")
    tt.ask_key()
    tt.RunLog("~nobody-of-this-name/x")
    tt.RunLog("/dev/null/x").rows()
    tt.ImageEditor("nope.png")
    tt.edit("nope.png", "x")
    tt.edit(tt.sample(), "")
    tt.edit(tt.sample(), "x", fit="crop")
    tt.edit(tt.sample(), "x", nonsense=1)
    tt.edit(tt.sample(), "x", log=tt.RunLog("/dev/null/x"))
    tt.edit(tt.sample(), "x", log=False, client=client)
    tt.start_edit(tt.sample(), "x", log=False, client=client).wait(0)
    client.images.edit(image=tt.sample(), prompt="x")
    client.images.edit(image="nope.png", prompt="x")
    client.images.edit(image=tt.sample(), prompt="x", n=99)
    client.images.edit(image=tt.sample(), prompt=7, check=False)
    import asyncio; asyncio.run(tt.AsyncClient(base_url=base_url).images.edit(image=tt.sample(), prompt="x"))
    import pickle; pickle.dumps(client)
    import copy; copy.deepcopy(client)
    client.nonsense
    tt.Client.replay("/proc/self/environ")
    client.images.edit(image=tt.sample(), prompt="x", extra_body={"x": object()})
"""
SESSION = """
    import os, sys
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    base_url, cells = sys.argv[1], sys.argv[2].split(chr(10))
    shell.push({"base_url": base_url})
    shell.run_cell("import ttapi_nb as tt; client = tt.Client(base_url=base_url, timeout=20)")
    for mode in ("Plain", "Context", "Verbose", "Docs", "Minimal"):
        shell.run_line_magic("xmode", mode)
        # Of what this shows, Verbose shows all, and each takes a quarter of a second.
        for cell in cells[::4] if mode == "Context" else cells:
            result = shell.run_cell(cell, store_history=True)
            print("FAILED" if result.error_in_exec else "WORKED", mode, cell)
    # Last, a key that can't be one, and one that a file shows to others.
    for name, value in (("TT_API_KEY", os.environ["TT_API_KEY"] + " x"), ("TT_API_KEY", "")):
        os.environ[name] = value
        for mode in ("Context", "Verbose"):
            shell.run_line_magic("xmode", mode)
            for cell in ("tt.Client()", "tt.ImageEditor()", "tt.edit(tt.sample(), 'x')"):
                result = shell.run_cell(cell)
                print("FAILED" if result.error_in_exec else "WORKED", mode, cell)
    shell.history_manager.end_session()
"""


@pytest.mark.slow
def test_in_ipython(server: Server, tmp_path: Path) -> None:
    """Whatever is called wrongly in a real IPython, no traceback in any %xmode shows the key, nor does its history."""
    server.answer = json_reply({"error": f"wrong key {KEY}"}, 401)
    cells = textwrap.dedent(CELLS).strip().splitlines()
    key_file = tmp_path / "key"
    key_file.write_text(KEY)
    key_file.chmod(0o644)
    environment = {
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "TT_API_KEY": KEY,
        "TT_API_KEY_FILE": str(key_file),
    }
    environment |= {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "TTAPI_DATA": str(tmp_path / "data")}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SESSION), server.url, "\n".join(cells)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE * 10,
        check=False,
        start_new_session=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    # All but the import, which is the first in each mode.
    assert done.stdout.count("FAILED") >= 4 * (len(cells) - 1) + len(cells[::4]) - 1
    assert "base_url" in done.stdout
    assert KEY not in done.stdout + done.stderr
    written = contents(tmp_path)
    assert any(path.name == "history.sqlite" for path in written)
    assert [path for path, data in written.items() if KEY.encode() in data] == [key_file]
