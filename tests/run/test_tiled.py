"""An edit in tiles: each is a run of its own, sent once, and what is done is never lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.server import PATIENCE, Reply, Server, json_reply, pictures
from ttapi_nb import (
    Budget,
    BudgetError,
    Client,
    Experiment,
    FitError,
    Mask,
    RunCancelledError,
    RunLog,
    SettingsError,
    TiledRun,
    UnknownOutcomeError,
    edit,
    open_image,
    start_edit,
)
from ttapi_nb.fit import Fit
from ttapi_nb.log import default_log

SIZE = (640, 420)
GIVEN: dict[str, Any] = {"model": "dall-e-2", "size": "256x256"}


@pytest.fixture
def photo() -> Image.Image:
    """A large slope of colours."""
    across = np.linspace(40, 200, SIZE[0], dtype=np.float32)[None, :, None]
    down = np.linspace(-30, 30, SIZE[1], dtype=np.float32)[:, None, None]
    return Image.fromarray((across + down * np.array((1, 0, -1), np.float32)).clip(0, 255).astype(np.uint8))


@pytest.fixture
def mask() -> Mask:
    """A wire across it."""
    return Mask(SIZE).paint([(20, 30), (300, 150), (600, 400)], radius=6)


@pytest.fixture
def client(server: Server) -> Client:
    """A client of the test's server, which makes what it gets green."""
    server.answer = json_reply(pictures(Image.new("RGB", (256, 256), "lime")))
    return Client("test-key-0123456789", base_url=server.url)


def count_of(photo: Image.Image, mask: Mask) -> int:
    """How many tiles the wire takes."""
    return len(Fit.plan(open_image(photo), GIVEN["model"], GIVEN["size"], "tiles", mask).tiles)


def failing_at(number: int, how: Reply, rest: Reply) -> Callable[..., Reply]:
    """Answers so, but for one."""
    seen: list[object] = []

    def answer(request: object) -> Reply:
        seen.append(request)
        return how if len(seen) == number else rest

    return answer


@pytest.mark.slow
def test_offline_a_wire_goes_in_tiles_unasked(photo: Image.Image, mask: Mask) -> None:
    """Nothing is billed, so the fill is made near the photo's own size; outside the mask all stays, and the log has
    each tile.
    """
    run = edit(photo, "the wall behind", mask=mask, client=Client.offline(), **GIVEN)
    count = count_of(photo, mask)
    assert isinstance(run, TiledRun)
    assert [part.status for part in run.parts] == ["done"] * count
    (result,) = run.results
    outside = mask.coverage() == 0
    assert result.kept
    assert (np.asarray(result.image)[outside] == np.asarray(photo)[outside]).all()
    assert len(default_log().rows()) == count
    assert result.lineage is not None
    assert len(result.lineage.steps) == count
    assert result.raw.size == run.plan.sent_size
    assert run.left is None


@pytest.mark.slow
def test_what_is_billed_goes_in_tiles_only_when_asked(
    photo: Image.Image, mask: Mask, client: Client, server: Server
) -> None:
    """By itself an edit is one request; in tiles each is sent once, with what the ones before it made."""
    assert len(edit(photo, "green", mask=mask, client=client, **GIVEN).results) == 1
    assert len(server.posts) == 1
    run = edit(photo, "green", mask=mask, client=client, fit="tiles", **GIVEN)
    count = count_of(photo, mask)
    assert len(server.posts) == 1 + count
    assert run.estimate.runs == run.estimate.images == count
    made = np.asarray(run.results[0].image)
    deep = mask.shrink(4).to_array()
    # Evened out or not, what was sand is green all along the wire.
    assert (made[deep][:, 1].astype(int) > made[deep][:, 0] + 20).mean() > 0.95
    assert default_log().totals().runs == 1 + count


@pytest.mark.slow
def test_an_unknown_outcome_is_of_its_tile(
    photo: Image.Image, mask: Mask, client: Client, server: Server
) -> None:
    """The tiles before it are kept, none after it is sent, and going on asks only for what is left."""
    good = server.answer
    assert isinstance(good, Reply)
    server.answer = failing_at(3, Reply(drop=True), good)
    run = start_edit(photo, "green", mask=mask, client=client, fit="tiles", **GIVEN)
    with pytest.raises(UnknownOutcomeError):
        run.wait(PATIENCE)
    assert isinstance(run, TiledRun)
    assert len(server.posts) == 3
    assert [row.state for row in default_log().rows()] == ["unknown", "done", "done"]
    (result,) = run.results
    assert "Only 2 of" in result.note
    assert default_log().row(run.id).state == "done"
    left = run.left
    assert left is not None
    assert 0 < np.count_nonzero(left.coverage()) < np.count_nonzero(mask.coverage())
    done = np.asarray(result.image) != np.asarray(photo)
    assert not (done.any(axis=2) & (mask.coverage() == 0)).any()
    rest = edit(result.picture, "green", mask=left, client=client, fit="tiles", **GIVEN)
    assert len(server.posts) == 3 + len(rest.plan.tiles)
    assert (
        np.asarray(rest.results[0].image)[left.coverage() == 0]
        == np.asarray(result.image)[left.coverage() == 0]
    ).all()
    assert rest.results[0].lineage is not None


def test_a_budget_has_room_for_all_or_none_is_sent(
    photo: Image.Image, mask: Mask, client: Client, server: Server
) -> None:
    """Half of an edit is not what anybody wants to pay for."""
    budget = Budget(runs=count_of(photo, mask) - 1)
    with pytest.raises(BudgetError):
        edit(photo, "green", mask=mask, client=client, fit="tiles", budget=budget, **GIVEN)
    assert server.posts == []


def test_cancelled_between_two_tiles(photo: Image.Image, mask: Mask, client: Client, server: Server) -> None:
    """Cancelling keeps what is done and sends nothing more."""
    hold = server.event()
    good = server.answer
    assert isinstance(good, Reply)
    server.answer = failing_at(2, Reply(good.status, good.body, hold=hold), good)
    run = start_edit(photo, "green", mask=mask, client=client, fit="tiles", **GIVEN)
    server.wait_for(2)
    run.cancel()
    with pytest.raises(RunCancelledError):
        run.wait(PATIENCE)
    server.let_go()
    assert run.status == "cancelled"
    assert len(run.results) == 1
    assert len(server.posts) == 2


def test_what_tiles_do_not_do(photo: Image.Image, mask: Mask, client: Client, server: Server) -> None:
    """Several results, no strict mask, and a cell of an experiment: refused in a sentence, with nothing sent."""
    with pytest.raises(FitError, match="makes one result"):
        edit(photo, "green", mask=mask, client=client, fit="tiles", n=2, **GIVEN)
    with pytest.raises(FitError, match="strict=True"):
        edit(photo, "green", mask=mask, client=client, fit="tiles", strict=False, **GIVEN)
    with pytest.raises(SettingsError, match="a cell of an experiment is one"):
        Experiment(prompts=["green"], photos=[(photo, mask)], fit="tiles")
    assert server.posts == []


def test_a_recording_is_of_one_request(
    photo: Image.Image, mask: Mask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is recorded is what will be asked again, so nothing is cut unasked."""
    monkeypatch.setenv("TTAPI_OFFLINE", "1")
    client = Client.record(tmp_path / "wire.zip")
    assert client.is_offline
    run = edit(photo, "green", mask=mask, client=client, log=False, **GIVEN)
    assert not isinstance(run, TiledRun)


@pytest.mark.slow
def test_watchers_hear_of_each_tile(photo: Image.Image, mask: Mask) -> None:
    """The note counts the tiles, and the log's last row is the whole's."""
    notes: list[str] = []
    log = RunLog()
    run = start_edit(photo, "green", mask=mask, client=Client.offline(), log=log, fit="tiles", **GIVEN)
    run.on_change(lambda one: notes.append(one.note))
    run.wait(PATIENCE)
    assert any(note.startswith("Tile 2 of") for note in notes)
    assert log.rows()[0].id == run.id
