"""A fork in the midst of runs: the child neither hangs nor touches what is its parent's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import os, sys, threading, warnings
import ttapi_nb as tt
from tests.support.preparing import prepared
warnings.simplefilter("ignore")
log = tt.RunLog(sys.argv[1])
request = tt.EditRequest(prompt="x")
log.rows()
end = threading.Event()

def writes(who):
    number = 0
    while not end.is_set():
        number += 1
        log.begin(f"{who} {number}", prepared(request), offline=False)
        log.settle(f"{who} {number}", "not sent")

threads = [threading.Thread(target=writes, args=(who,)) for who in range(2)]
for thread in threads:
    thread.start()
children = []
for number in range(25):
    child = os.fork()
    if child == 0:
        try:
            log.begin(f"child {number}", prepared(request), offline=False)
            log.settle(f"child {number}", "not sent")
            os._exit(0)
        except BaseException:
            os._exit(1)
    children.append(child)
codes = [os.waitpid(child, 0)[1] for child in children]
end.set()
for thread in threads:
    thread.join()
print(codes.count(0), len(log.rows(None, search="child")), len(log.rows(None, state="open")))
"""
INSIDE = """
import os, sys, warnings
import ttapi_nb as tt
from tests.support.preparing import prepared
from ttapi_nb.log.file import LogFile
warnings.simplefilter("ignore")
log = tt.RunLog(sys.argv[1])
with LogFile(log.folder, None).open() as db:
    child = os.fork()
    if child == 0:
        try:
            log.rows()
        except tt.ResultError as error:
            os._exit("forked" in str(error))
        os._exit(2)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(len(log.rows()))
"""


def printed(script: str, log: Path) -> list[str]:
    """The words that a script prints in a Python of its own, given the folder of a log."""
    command = [sys.executable, "-c", script, str(log)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=True)
    return done.stdout.split()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_forks_while_threads_write(tmp_path: Path) -> None:
    """Children that are made while other threads write can use the log, and none hangs."""
    assert printed(SCRIPT, tmp_path / "log") == ["25", "25", "0"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_a_fork_within_a_log(tmp_path: Path) -> None:
    """A child that is made by the very thread that has the log open is refused in words, and its parent goes on."""
    assert printed(INSIDE, tmp_path / "log") == ["1", "0"]
