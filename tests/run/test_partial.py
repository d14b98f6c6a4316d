"""Drafts come while a result is made: shown where it will be, told on another thread, and never taken for a result."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageColor

import ttapi_nb as tt
from tests.server import PATIENCE, Reply, Server
from tests.support.streams import COLOURS, DONE, DRAFTS, HEAD, OVER, STREAM, streaming
from ttapi_nb import loop
from ttapi_nb.asked import Asked
from ttapi_nb.client.cassette.asks import ask_of
from ttapi_nb.run import Partial, to_code

SIDE = 64


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that streams two drafts and a result."""
    with streaming() as running:
        yield running


@pytest.fixture
def client(server: Server) -> tt.Client:
    """A client of it."""
    return tt.Client("any-key-1234", base_url=server.url, timeout=PATIENCE)


PHOTO = Image.new("RGB", (SIDE, SIDE), "blue")
MASK = tt.Mask((SIDE, SIDE)).rectangle((8, 16, 40, 48))


def colours(picture: Image.Image) -> set[str]:
    """Which of the colours above there are in it, and blue."""
    seen = {colour for _, colour in picture.convert("RGB").getcolors(1 << 16) or ()}
    return {name for name in (*COLOURS, "blue") if ImageColor.getrgb(name) in seen}


def test_drafts_before_the_result(server: Server, client: tt.Client, tmp_path: Path) -> None:
    """Each draft is told as it comes, in the photo where the mask is, and the result is what was completed."""
    told: list[Partial] = []
    threads: set[threading.Thread] = set()

    def see(draft: Partial) -> None:
        told.append(draft)
        threads.add(threading.current_thread())
        loop.not_here("a callback")

    log = tt.RunLog(tmp_path)
    run = tt.edit(PHOTO, "x", mask=MASK, client=client, log=log, partial_images=2, on_partial=see)
    assert tuple(told) == run.partials
    assert threading.main_thread() not in threads
    assert [(draft.number, draft.index) for draft in told] == [(1, 0), (2, 1)]
    assert [colours(draft.image) for draft in told] == [{"blue", "red"}, {"blue", "orange"}]
    assert [colours(draft.raw) for draft in told] == [{"red"}, {"orange"}]
    assert "green" in colours(run.results[0].raw)
    patch, box = told[0].patch(16) or (None, None)
    assert patch is not None
    assert (box, patch.size, patch.mode) == ((8, 16, 40, 48), (16, 16), "RGBA")
    (row,) = log.rows()
    assert (row.state, len(row.results), row.usage and row.usage["total_tokens"]) == ("done", 1, 30)
    sent = json.loads(server.posts[0].body)
    assert (sent["stream"], sent["partial_images"]) == (True, 2)
    assert "event-stream" in (server.posts[0].get("accept") or "")
    assert [draft.index for draft in pickle.loads(pickle.dumps(run)).partials] == [0, 1]


@pytest.mark.parametrize("wire", ["json", "multipart", "references"])
def test_each_form_asks_for_it(server: Server, wire: Any) -> None:
    """Every body form carries both fields, and a bare client gives the drafts with its answer."""
    client = tt.Client("any-key-1234", base_url=server.url, wire=wire, timeout=PATIENCE)
    response = client.images.edit(image=PHOTO, prompt="x", partial_images=2)
    assert [colours(draft.image) for draft in response.partials] == [{"red"}, {"orange"}]
    assert [colours(image) for image in response.images] == [{"green"}]
    body = server.posts[0].body
    assert b"stream" in body
    assert b"partial_images" in body


def test_a_draft_is_told_before_the_rest_comes(server: Server, client: tt.Client) -> None:
    """What came is told at once, however long the next takes; and what is cancelled then tells no more."""
    rest, first = server.event(), threading.Event()
    server.stream = (HEAD + DRAFTS[0], rest, DRAFTS[1] + DONE + OVER)
    told: list[Partial] = []

    def see(draft: Partial) -> None:
        told.append(draft)
        first.set()

    run = tt.start_edit(PHOTO, "x", client=client, log=False, partial_images=2, on_partial=see)
    assert first.wait(PATIENCE)
    assert not run.done
    run.cancel()
    server.let_go()
    with pytest.raises(tt.RunCancelledError):
        run.wait(PATIENCE)
    carrier = run._carrier
    if carrier is not None:
        carrier.over.result(PATIENCE)
    assert len(told) == len(run.partials) == 1
    assert run.results[0].image.size == (SIDE, SIDE)


@pytest.mark.slow
def test_a_callback_that_fails() -> None:
    """What it raises is logged, and costs neither the other drafts nor the result."""
    # In a process of its own: in this one, a callback that raises fails the test.
    code = """
import ttapi_nb as tt
def fails(draft):
    raise SystemExit(f"oh {draft.number}")
run = tt.generate("x", client=tt.Client.offline(), log=False, on_partial=fails, partial_images=2)
print(run.status, len(run.partials))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.split() == ["done", "2"], done.stderr
    assert "SystemExit: oh 1" in done.stderr
    assert "SystemExit: oh 2" in done.stderr


@pytest.mark.parametrize(
    ("body", "error", "state"),
    [
        (b"".join(DRAFTS) + OVER, tt.UnknownOutcomeError, "unknown"),
        (b"".join(DRAFTS) + DONE[:-200], tt.UnknownOutcomeError, "unknown"),
        (b"".join(DRAFTS) + b'data:{"status":"FAILED","message":"No."}\n\n', tt.RefusedError, "refused"),
    ],
    ids=["no result", "cut", "failed"],
)
def test_drafts_alone(
    server: Server, client: tt.Client, tmp_path: Path, body: bytes, error: type[Exception], state: str
) -> None:
    """Without a result they stay drafts: kept and shown, and what was paid stays as it is known."""
    server.answer = Reply(body=body, mime="application/json", headers={"Content-Length": ""})
    log = tt.RunLog(tmp_path)
    run = tt.start_edit(PHOTO, "x", client=client, log=log, partial_images=2)
    with pytest.raises(error) as caught:
        run.wait(PATIENCE)
    assert len(run.partials) == 2
    assert run.results == ()
    assert "Draft 2, not finished" in run._repr_html_()
    (row,) = log.rows()
    assert (row.state, row.results) == (state, ())
    assert log.totals().runs == (state == "unknown")
    if state == "unknown":
        # It counts as reckoned, its drafts too, and so would the next.
        enough = [tt.Budget(tokens=tokens, tokens_each=1000) for tokens in (2399, 2400)]
        assert [bool(log.problems(budget, run.request)) for budget in enough] == [True, False]
        assert f"partials('{run.id}') gives its drafts" in str(caught.value)
        assert log.keeps_answer(run.id)
        with pytest.raises(tt.ResultError, match="only drafts"):
            log.reread(run.id)
        assert [colours(draft.image) for draft in log.partials(run.id)] == [{"red"}, {"orange"}]
        # As it is where a process ended before it could read what came.
        kept = next((tmp_path / "answers").iterdir())
        kept.write_bytes(kept.read_bytes().partition(b"\n")[0] + b"\n" + STREAM)
        assert [colours(image) for image in log.reread(run.id).images] == [{"green"}]


@pytest.mark.slow
def test_offline_and_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded service sends drafts of its fill; a recording answers with or without them, with none."""
    path = tmp_path / "bowls.zip"
    monkeypatch.setenv("TTAPI_OFFLINE", "1")
    client, photo = tt.Client.record(path), Image.effect_noise((SIDE, SIDE), 60).convert("RGB")
    run = tt.edit(photo, "x", mask=MASK, client=client, log=False, partial_images=1, n=2)
    assert [draft.index for draft in run.partials] == [0, 0]
    assert all(draft.image.size == (SIDE, SIDE) for draft in run.partials)
    again = tt.edit(photo, "x", mask=MASK, client=tt.Client.replay(path), log=False, n=2, partial_images=3)
    assert again.partials == ()
    assert np.array_equal(np.asarray(again.results[1].image), np.asarray(run.results[1].image))
    plain = tt.EditRequest.make(image=photo, prompt="x", mask=MASK, n=2)
    assert ask_of(replace(plain, partial_images=2)) == ask_of(plain)


def test_words_alone() -> None:
    """A picture that is made of words alone has drafts too."""
    told: list[Partial] = []
    run = tt.generate(
        "a bowl", client=tt.Client.offline(), log=False, partial_images=1, on_partial=told.append
    )
    assert [one.image.size for one in told] == [run.results[0].image.size]


@pytest.mark.slow
def test_tiles(client: tt.Client) -> None:
    """Of an edit in tiles each tile's drafts are the whole's, one after the other, in the photo."""
    photo = Image.new("RGB", (3000, 420), "blue")
    mask = tt.Mask(photo.size).paint([(20, 30), (2900, 400)], radius=6)
    run = tt.start_edit(photo, "x", mask=mask, client=client, fit="tiles", log=False, partial_images=2)
    assert isinstance(run, tt.TiledRun)
    run.wait(PATIENCE)
    assert len(run.parts) > 1
    assert [one.number for one in run.partials] == list(range(1, 2 * len(run.parts) + 1))
    assert run.partials[-1].image.size == photo.size


def test_the_cost_of_drafts() -> None:
    """What is said before it is sent counts about 100 tokens for each draft of each result."""
    budget = tt.Budget(tokens=10_000, tokens_each=1000)

    def tokens(count: int | None) -> int | None:
        request = tt.EditRequest.make(image=PHOTO, prompt="x", n=2, partial_images=count)
        return budget.estimate(request).tokens

    assert [tokens(None), tokens(0), tokens(3)] == [2000, 2000, 2600]


def test_as_code() -> None:
    """A script asks for as many."""
    assert "partial_images=2" in to_code(
        Asked(tt.EditRequest.make(image=PHOTO, prompt="x", partial_images=2))
    )
