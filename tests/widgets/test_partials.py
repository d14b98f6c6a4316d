"""Drafts of a run in the editor: asked for beside the other options, shown on the photo, and gone at its end."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image

import ttapi_nb as tt
from tests.server import PATIENCE, Reply, Server
from tests.support.controls import labelled, message, of_kind, press, said
from tests.support.streams import DONE, DRAFTS, HEAD, OVER, streaming
from tests.support.trays import tray_of
from ttapi_nb import loop
from ttapi_nb.widgets.history.grid import RunGrid
from ttapi_nb.widgets.pickers import OptionsPanel

PHOTO = Image.new("RGB", (64, 64), "blue")


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that streams two drafts and a result."""
    with streaming() as running:
        yield running


@pytest.fixture
def editor(server: Server) -> Iterator[tt.ImageEditor]:
    """An editor of it that asks for two drafts."""
    made = tt.ImageEditor(
        PHOTO, client=tt.Client("any-key-1234", base_url=server.url), prompt="a bowl", log=False
    )
    made.mask = tt.Mask((64, 64)).ellipse((8, 16, 40, 48))
    made.options = {"partial_images": 2}
    yield made
    made.close()


class Seen:
    """Watches what the stage shows of a run, and waits until that is so."""

    def __init__(self, editor: tt.ImageEditor) -> None:
        self.stage = editor.drawer.stage
        self._changed = threading.Condition()
        self.stage.observe(self._see, ["partial", "progress"])

    def _see(self, _: Any) -> None:
        with self._changed:
            self._changed.notify_all()

    def draft(self, number: int) -> dict[str, Any]:
        """The draft of that number, once it is shown, and said to be one."""

        def is_there() -> bool:
            said = str(self.stage.progress.get("doing"))
            return self.stage.partial.get("number") == number and f"Draft {number}, not finished" in said

        with self._changed:
            assert self._changed.wait_for(is_there, PATIENCE)
        return dict(self.stage.partial)

    def none(self) -> None:
        """Until no draft is shown."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.stage.partial == {}, PATIENCE)


@pytest.mark.slow
def test_the_newest_draft_is_on_the_photo(server: Server, editor: tt.ImageEditor) -> None:
    """A draft stands where the mask is, said to be one, until the result takes its place."""
    rest = server.event()
    server.stream = (HEAD + DRAFTS[0] + DRAFTS[1], rest, DONE + OVER)
    seen = Seen(editor)
    editor.drawer.stage.side = "result"
    run = editor.run()
    shown = seen.draft(2)
    assert shown["box"] == [8, 16, 40, 48]
    with Image.open(io.BytesIO(shown["picture"])) as picture:
        assert (picture.mode, picture.size) == ("RGBA", (32, 32))
        colours = picture.getpixel((16, 16)), picture.getpixel((0, 0))
    (red, green, blue, alpha), corner = colours  # type: ignore[misc]  # of RGBA
    assert min(red - 200, green - 120, 60 - blue) > 0
    assert (alpha, corner[3]) == (255, 0)  # type: ignore[index]  # as above
    assert editor.drawer.stage.side == "edit"
    server.let_go()
    run.wait(PATIENCE)
    seen.none()
    assert editor.drawer.stage.side == "result"
    assert len(editor.results) == 1


@pytest.mark.slow
def test_cancel_takes_the_draft_away(server: Server, editor: tt.ImageEditor) -> None:
    """Cancel is there while drafts come, and leaves none behind."""
    server.stream = (HEAD + DRAFTS[0], server.event(), DRAFTS[1] + DONE + OVER)
    seen = Seen(editor)
    run = editor.run()
    seen.draft(1)
    late = threading.Event()
    run.on_change(lambda one: late.set() if one.results else None)
    labelled(editor, "Cancel").click()
    with pytest.raises(tt.RunCancelledError):
        run.wait(PATIENCE)
    seen.none()
    server.let_go()
    assert late.wait(PATIENCE)
    # What is shown of it, too.
    assert loop.quiet(PATIENCE)
    assert editor.drawer.stage.partial == {}


def test_only_models_that_stream_have_the_option() -> None:
    """The option stands where the model's row has it, up to what that says, and leaves with the model."""
    panel = OptionsPanel("gpt-image-1.5")
    panel.unfolded = True
    box = labelled(panel, "Partial images")
    assert (box.min, box.max) == (0, 3)
    box.value = 2
    assert panel.value == {"partial_images": 2}
    box.value = 0
    assert panel.value == {}
    panel.value = {"partial_images": 3, "n": 2}
    panel.model = "dall-e-2"
    assert panel.value == {"n": 2}
    with pytest.raises(AssertionError):
        labelled(panel, "Partial images")
    panel.close()


def test_what_drafts_cost_is_said_before(server: Server) -> None:
    """Where tokens are reckoned, the plan says how many a run is about, with those of its drafts."""
    budget = tt.Budget(tokens=10_000, tokens_each=1000)
    client = tt.Client("any-key-1234", base_url=server.url)
    editor = tt.ImageEditor(PHOTO, client=client, prompt="a bowl", budget=budget)
    assert "about 1,000 tokens" in said(editor)
    editor.options = {"partial_images": 3}
    assert "about 1,300 tokens" in said(editor)
    editor.close()


@pytest.fixture
def broken_off(server: Server) -> Iterator[tt.ImageEditor]:
    """An editor whose run has ended with two drafts and no result."""
    server.answer = Reply(body=DRAFTS[0] + DRAFTS[1], mime="text/event-stream")
    editor = tt.ImageEditor(PHOTO, client=tt.Client("any-key-1234", base_url=server.url), prompt="a bowl")
    editor.mask = tt.Mask((64, 64)).ellipse((8, 16, 40, 48))
    editor.options = {"partial_images": 2}
    run = editor.run()
    with pytest.raises(tt.TTAPIError):
        run.wait(PATIENCE)
    yield editor
    editor.close()


@pytest.mark.slow
def test_drafts_alone_are_within_a_click(broken_off: tt.ImageEditor) -> None:
    """Where a run ends before its result, what came of it is offered, and put into the tray as what it is."""
    editor = broken_off
    press(editor, "Show the drafts that came")
    assert len(tray_of(editor).items) == 2
    assert editor.drawer.stage.side == "result"
    result = editor.viewer.session.entries[0].result
    assert "drafts" in result.note
    red = result.image.getpixel((24, 32))
    assert isinstance(red, tuple)
    assert min(red[0] - 200, 60 - red[2]) > 0
    assert result.image.getpixel((2, 2)) == (0, 0, 255)


@pytest.mark.slow
def test_drafts_alone_in_earlier_runs(broken_off: tt.ImageEditor) -> None:
    """Earlier runs show them too, until the kept answer is gone, which is then said."""
    editor = broken_off
    editor.history.unfolded = True
    grid = of_kind(editor.history, RunGrid)
    (card,) = grid.cards
    assert (card["count"], card["drafts"]) == (0, True)
    message(grid, {"type": "show", "id": card["id"]})
    assert len(tray_of(editor).items) == 2
    (kept,) = (tt.RunLog().folder / "answers").iterdir()
    kept.unlink()
    message(grid, {"type": "show", "id": card["id"]})
    editor.history.show()
    assert not grid.cards[0]["drafts"]
