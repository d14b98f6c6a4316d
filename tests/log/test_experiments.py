"""Cells that are sent once whoever asks, plans that are found again, and votes that count once."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from ttapi_nb import ClaimedError, ResultError, RunLog, SettingsError
from ttapi_nb.asked import Asked, Prepared, prepare
from ttapi_nb.log import Claim, Shown, Vote
from ttapi_nb.request import EditRequest

CLAIM = Claim("bowls", "cell-1")


@pytest.fixture
def log(tmp_path: Path) -> RunLog:
    """A log of its own."""
    return RunLog(tmp_path / "log")


@pytest.fixture
def prepared(photo: Image.Image) -> Prepared:
    """An edit that may be sent."""
    return prepare(Asked(EditRequest.make(image=photo, prompt="a bowl")))


def test_of_many_that_come_at_once_one_has_the_cell(log: RunLog, prepared: Prepared) -> None:
    """Eight threads begin a run of one cell: one row is written, and the others are told whose it is."""
    told: list[str] = []

    def begin(name: str) -> None:
        try:
            log.begin(name, prepared, offline=False, claim=CLAIM)
        except ClaimedError as error:
            told.append(error.run_id)

    threads = [threading.Thread(target=begin, args=(f"run-{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (row,) = log.experiments.rows("bowls")
    assert told == [row.id] * 7
    assert (row.experiment, row.cell, row.state) == ("bowls", "cell-1", "open")


@pytest.mark.parametrize("state", ["done", "unknown", "failed"])
def test_what_was_sent_stays_sent(log: RunLog, prepared: Prepared, state: str) -> None:
    """A cell that may be billed is not sent again, but for one who says so, or that it was not billed."""
    log.begin("first", prepared, offline=False, claim=CLAIM)
    log.mark_sent("first")
    log.settle("first", state)  # type: ignore[arg-type]  # one of the three above
    with pytest.raises(ClaimedError, match="not sent"):
        log.begin("second", prepared, offline=False, claim=CLAIM)
    # The embedded service's cells are others than the hosted one's.
    log.begin("offline", prepared, offline=True, claim=CLAIM)
    if state == "unknown":
        log.found("first", billed=False)
        log.begin("second", prepared, offline=False, claim=CLAIM)
    else:
        log.begin("second", prepared, offline=False, claim=replace(CLAIM, again=True))
    with pytest.raises(ClaimedError, match="under way"):
        log.begin("third", prepared, offline=False, claim=replace(CLAIM, again=True))


@pytest.mark.parametrize("state", ["not sent", "refused", "cancelled"])
def test_what_cost_nothing_may_be_sent(log: RunLog, prepared: Prepared, state: str) -> None:
    """A cell that never left, or was refused, is anybody's again."""
    log.begin("first", prepared, offline=False, claim=CLAIM)
    log.settle("first", state)  # type: ignore[arg-type]  # as above
    log.begin("second", prepared, offline=False, claim=CLAIM)
    assert [row.id for row in log.experiments.rows("bowls")] == ["first", "second"]


def test_plans_pictures_and_what_is_shown(log: RunLog, prepared: Prepared) -> None:
    """Each is found by its name, goes when it is forgotten, and a picture stays while a plan names it."""
    kept = log.experiments
    digests = {name: prepared.sent.image[0].digest[:-1] + name for name in "ab"}
    for name, digest in digests.items():
        kept.save(name, f'{{"photo": "{digest}"}}')
        kept.keep_picture(digest, name.encode())
    assert kept.names() == ["b", "a"]
    assert kept.picture(digests["a"]) == b"a"
    kept.forget("a")
    assert kept.picture(digests["a"]) is None
    assert kept.picture(digests["b"]) == b"b"
    assert kept.picture("../../runs.sqlite3") is None
    with pytest.raises(ResultError, match="It has 'b'"):
        kept.plan("a")
    log.begin("first", prepared, offline=False, claim=CLAIM)
    kept.show("first", 1, Shown(b"RIFF", (64, 48), (0.5, 3.0), True, "fine"))
    assert kept.with_shown("bowls")[1] == {("first", 1): Shown(b"RIFF", (64, 48), (0.5, 3.0), True, "fine")}
    log.settle("first", "done")
    log.prune(keep=0)
    assert kept.with_shown("bowls")[1] == {}
    with pytest.raises(ClaimedError):
        log.begin("second", prepared, offline=False, claim=CLAIM)


def test_a_vote_counts_once(log: RunLog) -> None:
    """What is read in twice is there once; what is no vote is refused."""
    vote = Vote("a.1", "b.1", "both bad", "Ana", 5.0, "v1")
    assert log.experiments.vote("bowls", [vote, vote]) == 1
    assert log.experiments.vote("bowls", [vote]) == 0
    assert log.experiments.votes("bowls") == [vote]
    with pytest.raises(SettingsError, match="A vote is"):
        log.experiments.vote("bowls", [replace(vote, choice="me")])
    with pytest.raises(SettingsError, match="no name"):
        log.experiments.vote(" ", [vote])
