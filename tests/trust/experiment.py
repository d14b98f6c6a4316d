"""Experiments killed, resumed by two at once, raced for a budget and spread over Dask workers that are killed: every
cell is sent at most once, and none is missing but those of which nobody knows.

    python -m tests.trust.experiment [--cells 120] [--kills 20]

A counting server stands for the service. The exit status says whether all of it held.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

import ttapi_nb as tt
from tests.server import Reply, Request, Server, json_reply, pictures
from ttapi_nb.experiment import Trial

MODEL = "gpt-image-1.5"
CHILD = """
import sys, ttapi_nb as tt
from tests.trust.experiment import carry_out
carry_out(*sys.argv[1:])
"""


def plan(cells: int, name: str = "trust") -> tt.Experiment:
    """So many different prompts."""
    return tt.Experiment([f"{name} {number}" for number in range(cells)], models=MODEL, name=name)


def carry_out(url: str, folder: str, cells: str, name: str, parallel: str, runs: str) -> None:
    """What a killed kernel did: the plan, from where the log says it is."""
    budget = tt.Budget(runs=int(runs)) if runs else None
    client = tt.Client("key", base_url=url)
    plan(int(cells), name).run(
        client, log=tt.RunLog(folder), budget=budget, parallel=int(parallel), progress=False
    )


@contextmanager
def child(
    url: str, folder: Path, cells: int, name: str = "trust", parallel: int = 3, runs: str = ""
) -> Iterator[Any]:
    """A kernel of its own."""
    command = [sys.executable, "-c", CHILD, url, str(folder), str(cells), name, str(parallel), runs]
    root = str(Path(__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
    environment.pop("TTAPI_OFFLINE", None)
    with subprocess.Popen(command, env=environment, cwd=root) as process:
        try:
            yield process
        finally:
            process.kill()


def slowly(seconds: float) -> Callable[[Request], Reply]:
    """An answer that takes so long."""
    good = json_reply(pictures(Image.new("RGB", (64, 64), "teal")))

    def answer(request: Request) -> Reply:
        time.sleep(seconds)
        return good

    return answer


def sent(server: Server) -> Counter[str]:
    """How often each prompt came in. A kernel that is killed between a head and its body has sent none."""
    return Counter(json.loads(request.body)["prompt"] for request in server.posts if request.body)


def held(server: Server, trial: Trial) -> list[str]:
    """What did not hold, in words."""
    wrong = []
    twice = [prompt for prompt, count in sent(server).items() if count > 1]
    if twice:
        wrong.append(f"sent more than once: {twice}")
    counts = trial.counts
    if set(counts) - {"done", "unknown"}:
        wrong.append(f"missing at the end: {dict(counts)}")
    unsent = [
        one.cell.text for one in trial.cells if one.cell.text not in sent(server) and one.state == "done"
    ]
    if unsent:
        wrong.append(f"done, and never sent: {unsent}")
    return wrong


def killed(cells: int, kills: int, seed: int = 1, seconds: float = 0.35) -> tuple[list[str], str]:
    """SIGKILL at so many random moments, a resume after each, and two at once at the end."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary, Server() as server:
        server.answer = slowly(seconds)
        folder = Path(temporary) / "log"
        for _ in range(kills):
            before = len(server.requests)
            with child(server.url, folder, cells) as process:
                end = time.monotonic() + 60
                while len(server.requests) == before and process.poll() is None and time.monotonic() < end:
                    time.sleep(0.005)
                time.sleep(chance.uniform(0, 2 * seconds))
                process.send_signal(signal.SIGKILL)
                process.wait()
        with child(server.url, folder, cells) as one, child(server.url, folder, cells) as other:
            codes = [one.wait(), other.wait()]
        trial = tt.Experiment.open("trust", log=tt.RunLog(folder))
        wrong = held(server, trial) + [f"a resuming kernel ended with {code}" for code in codes if code]
        told = f"{cells} cells, {kills} kills: {dict(trial.counts)}, {len(server.posts)} requests"
        return wrong, told


def raced(cells: int, runs: int, kernels: int = 4) -> tuple[list[str], str]:
    """An experiment in each of several kernels, all under one budget in one log."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary, Server() as server:
        server.answer = slowly(0.02)
        folder = Path(temporary) / "log"
        tt.RunLog(folder).rows()
        with ExitStack() as stack:
            begun = [
                stack.enter_context(child(server.url, folder, cells, f"kernel {number}", 4, str(runs)))
                for number in range(kernels)
            ]
            for process in begun:
                process.wait()
        count = len(server.posts)
        wrong = [f"{count} requests under a budget of {runs}"] if count != runs else []
        return (
            wrong,
            f"{kernels} kernels, a budget of {runs}: {count} requests, overspend {max(0, count - runs)}",
        )


def on_dask(cells: int, kills: int, seed: int = 2) -> tuple[list[str], str]:
    """On a local Dask cluster, whose workers are killed in mid-run."""
    from distributed import Client, LocalCluster

    chance = random.Random(seed)
    os.environ["TT_API_KEY"] = "a-key-of-the-workers-own"
    os.environ.pop("TTAPI_OFFLINE", None)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary, Server() as server:
        server.answer = slowly(0.5)
        log = tt.RunLog(Path(temporary) / "log")
        settings: dict[str, Any] = {"dashboard_address": None, "processes": True}
        with LocalCluster(n_workers=2, threads_per_worker=1, **settings) as cluster, Client(cluster) as on:
            client = tt.Client(base_url=server.url)
            trial = plan(cells).start(client, log=log, parallel=4, on=on)
            for _ in range(kills):
                before = len(server.requests)
                while len(server.requests) == before and trial.running:
                    time.sleep(0.01)
                time.sleep(chance.uniform(0, 0.5))
                workers = [worker for worker in cluster.workers.values() if worker.status.name == "running"]
                if workers:
                    os.kill(chance.choice(workers).pid, signal.SIGKILL)
            trial.wait(600)
            # What was lost with a worker before it left is sent now.
            trial.resume(on=on).wait(600)
        keys = {request.get("TT-API-KEY") for request in server.posts}
        wrong = held(server, trial) + (
            [] if keys == {"a-key-of-the-workers-own"} else ["another key was sent"]
        )
        return (
            wrong,
            f"{cells} cells on Dask, {kills} workers killed: {dict(trial.counts)}, {len(server.posts)} requests",
        )


def main() -> int:
    """Do all of it, and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=120)
    parser.add_argument("--kills", type=int, default=20)
    given = parser.parse_args()
    failed = False
    for what in (
        lambda: killed(given.cells, given.kills),
        lambda: raced(40, 25),
        lambda: on_dask(min(40, given.cells), min(6, given.kills)),
    ):
        wrong, told = what()
        print(told, flush=True)
        for one in wrong:
            print(f"  WRONG: {one}", flush=True)
        failed = failed or bool(wrong)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
