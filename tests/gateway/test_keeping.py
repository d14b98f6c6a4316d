"""The process beside a gateway: whatever goes wrong between the two, no run waits for ever and no answer is lost."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import ttapi_nb as tt
from tests.server import Server, json_reply
from tests.support import gateways
from tests.support.gateways import KEY, running
from ttapi_nb.client.key import Secret
from ttapi_nb.gateway.classes import Person
from ttapi_nb.gateway.keeping import Keeper
from ttapi_nb.gateway.ledger import Ledger
from ttapi_nb.gateway.runs import Asked, Run
from ttapi_nb.gateway.terms import Limits, Terms
from ttapi_nb.gateway.upstream import NetworkUpstream

PHOTO = Image.new("RGB", (64, 64), "navy")
service = gateways.answering_service
ledger = gateways.ledger_in_file


class Progress:
    """Who is told of an answer; where `fault` is one, that can't be done."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.fault, self.size = fault, 0

    async def begun(self, status: int, headers: Any, start: int, *, live: bool) -> None:
        """It begins."""
        if self.fault is not None:
            raise self.fault

    def grown(self, size: int) -> None:
        """So much is there."""
        self.size = size


def keeper_of(ledger: Ledger, service: Server) -> Keeper:
    """A keeper for this ledger, before the service."""
    settings = NetworkUpstream(service.url, Secret(KEY)).settings()
    return Keeper(lambda: settings | {"database": None, "folder": str(ledger.database.folder)})


def person_of(ledger: Ledger) -> Person:
    """Somebody with runs left, in a gateway that lives."""
    room = ledger.classes.make("bowls", 1, Terms(each=Limits(runs=9)))
    ledger.runs.live()
    found = ledger.classes.holder(room.people[0][1])
    assert found is not None
    return found


def taken(ledger: Ledger, person: Person, name: str, way: str) -> Run:
    """A run that is marked as sent by a keeper."""
    asked = Asked("/v1/images/edits", "application/json", name, 2, "gpt-image-1", "a bowl", {})
    assert isinstance(ledger.runs.admit(person, name, asked), Run)
    run, _ = ledger.runs.take(16, None, way)
    assert run is not None
    return run


async def settled(ledger: Ledger, person: Person, name: str) -> str:
    """How the ledger says that a run ended."""
    end = time.monotonic() + 30
    while (run := ledger.runs.find(person.id, name)) is None or not run.ended:
        assert time.monotonic() < end, "it does not end"
        await asyncio.sleep(0.05)
    return run.state


@pytest.mark.slow
@pytest.mark.parametrize("fault", [OSError(24, "too many"), AssertionError()], ids=repr)
def test_a_keeper_that_cannot_be_followed_is_left(
    ledger: Ledger, service: Server, tmp_path: Path, fault: Exception
) -> None:
    """Its run ends here, its answer comes into the ledger all the same, and the next run goes by a new one."""
    person = person_of(ledger)

    def body() -> Path:
        path = tmp_path / "body"
        path.write_bytes(b"{}")
        return path

    async def both() -> None:
        keeper = keeper_of(ledger, service)
        first = await keeper.ready()
        sent = await keeper.carry(taken(ledger, person, "one", first), body(), "", Progress(fault))
        assert (sent.lost, sent.end.state) == (True, "unknown")
        assert await settled(ledger, person, "one") == "done"
        second = await keeper.ready()
        assert second != first
        progress = Progress()
        sent = await keeper.carry(taken(ledger, person, "two", second), body(), "", progress)
        assert (sent.lost, sent.end.state) == (False, "done")
        assert progress.size > 0
        # Taken in the name of the one that was left.
        sent = await keeper.carry(taken(ledger, person, "three", first), body(), "", Progress())
        assert (sent.lost, sent.end.state) == (True, "not sent")
        await keeper.close()

    asyncio.run(both())
    assert len(service.posts) == 2


def children() -> set[int]:
    """The processes that this one has started."""
    return {
        int(one)
        for task in Path("/proc/self/task").iterdir()
        for one in (task / "children").read_text().split()
    }


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="it finds the process in /proc")
def test_a_keeper_that_is_killed(ledger: Ledger, service: Server) -> None:
    """The run that it had is in doubt and counts, its owner is told, and the next one goes by a new keeper."""
    room = ledger.classes.make("bowls", 1, Terms(each=Limits(runs=2)))
    before = children()
    answer = service.answer
    service.answer = json_reply({}, hold=service.event())
    with running(ledger, service.url, keeper=True) as gateway:
        client = tt.Client(room.people[0][1], base_url=gateway.url, timeout=60)
        run = tt.start_edit(PHOTO, "first", model="gpt-image-1", client=client)
        service.wait_for(1)
        (keeper,) = children() - before
        os.kill(keeper, signal.SIGKILL)
        with pytest.raises(tt.UnknownOutcomeError, match="may have been billed"):
            run.wait()
        service.answer = answer
        assert tt.edit(PHOTO, "second", model="gpt-image-1", client=client).status == "done"
    assert ledger.report(room.room)["states"] == {"settled": 1, "unknown": 1}
    assert len(service.posts) == 2
