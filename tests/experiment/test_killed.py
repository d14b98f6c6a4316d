"""Quick ones of what `tests/trust/experiment.py` does at length: kernels killed, a race for a budget, and Dask."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

import ttapi_nb as tt
from tests.server import PATIENCE, Server
from tests.trust.experiment import killed, plan, raced, sent
from ttapi_nb.experiment.cluster import Elsewhere


@pytest.mark.slow
def test_a_killed_kernel_sends_nothing_twice() -> None:
    """Killed, and resumed by two at once: each cell left at most once, and none is missing."""
    wrong, told = killed(6, 1)
    assert wrong == [], told


@pytest.mark.slow
def test_kernels_under_one_budget_spend_no_more_than_that() -> None:
    """Each has an experiment of its own, and together they send just what the budget allows."""
    wrong, told = raced(5, 6, kernels=2)
    assert wrong == [], told


@pytest.fixture
def workers() -> Any:
    """A Dask cluster in this process."""
    from distributed import Client, LocalCluster

    settings: dict[str, Any] = {"dashboard_address": None, "processes": False, "threads_per_worker": 2}
    with LocalCluster(n_workers=1, **settings) as cluster, Client(cluster) as client:
        yield client


@pytest.mark.slow
def test_workers_of_a_cluster_do_it(
    server: Server, workers: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cells are carried out on Dask with the worker's own key, saved where all see them, and sent once."""
    monkeypatch.setenv("TT_API_KEY", "the-workers-key")
    log, client = (
        tt.RunLog(tmp_path / "log"),
        tt.Client("the-key-of-here", base_url=server.url, per_minute=1000),
    )
    trial = plan(4, "dask").start(client, log=log, parallel=3, on=workers)
    assert trial.wait(PATIENCE).counts == {"done": 4}
    assert set(sent(server).values()) == {1}
    assert {request.get("TT-API-KEY") for request in server.posts} == {"the-workers-key"}
    trial.add("dask 9").resume(on=workers, save_to=tmp_path / "out").wait(PATIENCE)
    assert len(list((tmp_path / "out").iterdir())) == 1
    assert all(one.thumb for one in trial.cells)
    with pytest.raises(tt.SettingsError, match="no client of a Dask cluster"):
        trial.resume(on=3)


def test_nothing_secret_goes_to_the_scheduler(server: Server, tmp_path: Path) -> None:
    """What a task is made of holds no key and no picture, and is small; what has no key goes along as it is."""
    log, client = (
        tt.RunLog(tmp_path / "log"),
        tt.Client("the-key-of-here", base_url=server.url, fetch_from=["https://a.b"]),
    )

    class Cluster:
        submit = scheduler_info = staticmethod(lambda: None)

    made = Elsewhere(plan(2), log, client, tt.Budget(runs=3), None, Cluster())
    task = pickle.dumps(made._what)
    assert b"the-key-of-here" not in task
    assert len(task) < 3_000
    again = pickle.loads(task)["recipe"]
    with pytest.raises(tt.MissingKeyError):
        again.client()
    offline = Elsewhere(plan(2), log, tt.Client.offline(seed=3), None, None, Cluster())
    assert pickle.loads(pickle.dumps(offline._what))["recipe"].client().is_offline
    with pytest.raises(tt.SettingsError, match="without functions of your own"):
        Elsewhere(plan(2), log, tt.Client.offline(fill=lambda *_: None), None, None, Cluster())  # type: ignore[arg-type]
