"""Old answers go, and what a killed gateway left; the ledger keeps what they cost."""

from __future__ import annotations

import os
import time
from pathlib import Path

import httpx
import pytest
from PIL import Image
from sqlalchemy import update

from tests.server import Server, json_reply, pictures
from tests.support.gateways import headers, running
from ttapi_nb.gateway.ledger import Ledger
from ttapi_nb.gateway.pruning import Kept, prune, tidy
from ttapi_nb.gateway.runs import Asked, End, Run
from ttapi_nb.gateway.storing import Store
from ttapi_nb.gateway.tables import runs
from ttapi_nb.gateway.terms import Terms

DAY = 86400.0
BODY = b'{"prompt": "a bowl", "image": ["aGk="]}'


@pytest.fixture
def store(ledger: Ledger) -> Store:
    """The ledger's files."""
    return Store(ledger.database.folder)


def answered(ledger: Ledger, store: Store, ages: list[float], size: int = 1000) -> None:
    """Runs 1, 2, … of one person, each answered so many days ago, with so many bytes."""
    room = ledger.classes.make("bowls", 1, Terms())
    (person,) = ledger.classes.people_of(room.room)
    for number, age in enumerate(ages, 1):
        asked = Asked("/v1/images/edits", "application/json", str(number), 1, "", "a bowl", {"n": 1})
        run = ledger.runs.admit(person, str(number), asked)
        assert isinstance(run, Run)
        ledger.runs.take(16, None)
        file = store.new_answer(run.number, 200, [])
        file.put(b"x" * size)
        file.finish(whole=True)
        if not ledger.database.is_file:
            ledger.pieces.keep(run.number, store.pieces(run.number))
        ledger.runs.settle(run, End("done", status=200, came=1))
        os.utime(store.answers / str(run.number), (time.time() - age * DAY,) * 2)
        with ledger.database.begin() as db:
            db.execute(
                update(runs).where(runs.c.number == run.number).values(finished=time.time() - age * DAY)
            )


def there(ledger: Ledger, store: Store, count: int) -> list[int]:
    """Which runs still have their answers."""
    if ledger.database.is_file:
        return sorted(int(path.name) for path in store.answers.iterdir())
    return [number for number in range(1, count + 1) if ledger.pieces.size(number) is not None]


def test_answers_have_an_age(ledger: Ledger, store: Store) -> None:
    """What is older than so many days goes, and its cost stays."""
    answered(ledger, store, [40, 31, 29, 0])
    prune(ledger, store, Kept(days=30))
    assert there(ledger, store, 4) == [3, 4]
    assert ledger.report(ledger.classes.named("bowls"))["spent"]["images"] == 4


def test_answers_have_a_size_in_all(ledger: Ledger, store: Store) -> None:
    """Where all are too much the oldest go first, but none of the last hour, as its owner may be asking for it."""
    answered(ledger, store, [5, 4, 3, 0, 0], size=1000)
    prune(ledger, store, Kept(gigabytes=3500e-9))
    assert there(ledger, store, 5) == [3, 4, 5]
    prune(ledger, store, Kept(gigabytes=1e-9))
    assert there(ledger, store, 5) == [4, 5]


def test_bodies_that_nobody_wants_go(ledger: Ledger, store: Store) -> None:
    """Those that a killed gateway left go after a while, later where another gateway may have them; own ones stay."""
    paths = []
    for hours in (30, 2, 2, 0):
        path, file = store.new_body()
        file.close()
        os.utime(path, (time.time() - hours * 3600,) * 2)
        paths.append(path)
    tidy(store, {paths[1]}, alone=False)
    assert [path.exists() for path in paths] == [False, True, True, True]
    tidy(store, {paths[1]}, alone=True)
    assert [path.exists() for path in paths] == [False, True, False, True]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_gateway_prunes_as_it_starts(ledger: Ledger, store: Store, environment: Path) -> None:
    """An answer that is gone is told as such, is not sent again, and its cost stays."""
    room = ledger.classes.make("plates", 1, Terms())
    given = headers(room.people[0][1], Content_Type="application/json", Idempotency_Key="run-1")
    with Server() as service:
        service.answer = json_reply(pictures(Image.new("RGB", (64, 64), "teal")))
        with running(ledger, service.url) as gateway:
            assert httpx.post(f"{gateway.url}/images/edits", content=BODY, headers=given).status_code == 200
        (answer,) = store.answers.iterdir()
        os.utime(answer, (time.time() - 40 * DAY,) * 2)
        again = Ledger(None, ledger.database.folder)
        with running(again, service.url, kept=Kept(days=30)) as gateway:
            end = time.monotonic() + 20
            while answer.exists() and time.monotonic() < end:
                time.sleep(0.02)
            gone = httpx.post(f"{gateway.url}/images/edits", content=BODY, headers=given)
            me = httpx.get(f"{gateway.url}/me", headers=given).json()
        again.close()
    assert (gone.status_code, gone.json()["error"]["code"]) == (410, "class_gone")
    assert me["spent"]["runs"] == 1
    assert len(service.posts) == 1
