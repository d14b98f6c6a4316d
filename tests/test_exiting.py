"""The end of Python: what has left is waited for and kept, what has not is not sent, and it is said in a sentence."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server import PATIENCE, Reply, Server, full_port
from ttapi_nb import RunLog

KEY = "test-key-0123456789"
PRELUDE = f"""
import os, signal, sys, threading
from PIL import Image
import ttapi_nb as tt
client = tt.Client({KEY!r}, base_url=sys.argv[1], timeout=30)
log = tt.RunLog(sys.argv[2])
photo = Image.new("RGB", (64, 64))
"""


@contextlib.contextmanager
def python(script: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A Python of its own that runs a script."""
    command = [sys.executable, "-c", PRELUDE + script, *map(str, arguments)]
    environment = {name: value for name, value in os.environ.items() if name != "TTAPI_OFFLINE"}
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=environment, cwd=Path(__file__).parents[1]
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "ends"),
    [
        ("run = tt.start_edit(photo, 'x', client=client, log=log)", 0),
        ("run = tt.start_edit(photo, 'x', client=client, log=log)\nraise SystemExit(3)", 3),
        ("tt.edit(photo, 'x', client=client, log=log)", -signal.SIGINT),
    ],
)
def test_the_answer_is_kept(server: Server, tmp_path: Path, script: str, ends: int) -> None:
    """A script that ends in mid-run, by its last line, an exit or Ctrl+C, has the answer in its log all the same."""
    held = server.event()
    server.answer = Reply(200, server.answer.body if isinstance(server.answer, Reply) else b"", hold=held)
    waits = "" if ends < 0 else "\nimport time\nwhile run.status == 'sending': time.sleep(0.01)"
    before, _, after = script.partition("\nraise")
    whole = f"{before}{waits}{'' if not after else chr(10) + 'raise' + after}"
    with python(whole, server.url, tmp_path / "log") as process:
        server.wait_for(1)
        if ends < 0:
            process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        said = ""
        while "1 edit was sent and may be billed: waiting at most" not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        held.set()
        said += process.stderr.read()
        code = process.wait(PATIENCE)
    assert code in (ends, 1) if ends < 0 else code == ends
    (row,) = RunLog(tmp_path / "log").rows()
    assert (row.state, len(row.results)) == ("done", 1)
    assert said.count("ttapi_nb:") == 1
    assert KEY not in said


@pytest.mark.slow
def test_what_has_not_left_is_not_sent(tmp_path: Path) -> None:
    """A run that has no line yet when its script ends is not sent, and the log and the script's end say so."""
    script = "tt.start_edit(photo, 'x', client=client, log=log)"
    with full_port() as port, python(script, f"http://127.0.0.1:{port}/v1", tmp_path / "log") as process:
        _, said = process.communicate(timeout=PATIENCE)
    assert "1 edit had not been sent when Python ended, and won't be: nothing is billed." in said
    (row,) = RunLog(tmp_path / "log").rows()
    assert (row.state, row.sent) == ("not sent", False)
    assert "nothing was sent or billed" in row.problem


@pytest.mark.slow
def test_a_second_interrupt_ends_it(server: Server, tmp_path: Path) -> None:
    """Ctrl+C while Python waits ends it at once, with what that means for the bill; the log has it as unknown."""
    server.answer = Reply(hold=server.event())
    with python("tt.edit(photo, 'x', client=client, log=log)", server.url, tmp_path / "log") as process:
        server.wait_for(1)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        while "waiting at most" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        process.wait(PATIENCE)
    assert "Stopped waiting. What had left may be billed" in said
    (row,) = RunLog(tmp_path / "log").rows()
    assert (row.state, row.sent) == ("unknown", True)


@pytest.mark.slow
def test_a_hanging_callback_does_not_keep_python(server: Server, tmp_path: Path) -> None:
    """A script whose run has a callback that never returns ends when the answer is kept."""
    script = (
        "from ttapi_nb.run import carrier; carrier.WATCHER_PATIENCE = 0.1\n"
        "run = tt.start_edit(photo, 'x', client=client, log=log)\n"
        "run.on_change(lambda run: threading.Event().wait())\n"
        "run.wait()"
    )
    with python(script, server.url, tmp_path / "log") as process:
        _, said = process.communicate(timeout=PATIENCE)
    assert (process.returncode, said) == (0, "")
    assert [row.state for row in RunLog(tmp_path / "log").rows()] == ["done"]


@pytest.mark.slow
def test_a_bare_clients_request(server: Server, tmp_path: Path) -> None:
    """Ctrl+C in a client's own call says that it may be billed, and Python waits for that request too."""
    held = server.event()
    server.answer = Reply(400, hold=held)
    with python("client.images.edit(image=photo, prompt='x')", server.url, tmp_path / "log") as process:
        server.wait_for(1)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        said = ""
        while "waiting at most" not in said:
            said += process.stderr.readline()
        held.set()
        said += process.stderr.read()
        process.wait(PATIENCE)
    assert "KeyboardInterrupt" in said
    assert "may be carried out and billed" in said
    assert len(server.posts) == 1
