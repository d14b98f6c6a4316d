"""The session's tray: what joins, what is chosen and compared, and what is kept of stars, notes and verdicts."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import ttapi_nb as tt
from tests.support.controls import message, of_kind, press, said
from tests.support.trays import chosen, do, seen, tray_of
from ttapi_nb import loop
from ttapi_nb.log import Rating
from ttapi_nb.widgets.compare import Compare
from ttapi_nb.widgets.viewer import ResultViewer

COLOURS = ("red", "lime", "blue")


def answer(prompt: str, **more: Any) -> tt.Run:
    """A run whose results are of the colour that the prompt names."""
    client = tt.Client.offline(fill=lambda image, *_: Image.new("RGB", image.size, prompt))
    options: dict[str, Any] = {"model": "dall-e-2", "size": "256x256", "client": client}
    return tt.edit(Image.new("RGB", (64, 64)), prompt, **options | more)


def colour(data: bytes) -> tuple[int, ...]:
    """The colour in the middle of a picture's file, each channel to the nearest of two levels."""
    level = Image.open(io.BytesIO(data)).convert("RGB").resize((3, 3)).getpixel((1, 1))
    assert isinstance(level, tuple)
    return tuple(round(one / 255) for one in level)


@pytest.fixture
def log(tmp_path: Path) -> tt.RunLog:
    """A log of the test's own."""
    return tt.RunLog(tmp_path / "log")


@pytest.fixture
def viewer(log: tt.RunLog) -> ResultViewer:
    """Three runs of one result each."""
    return ResultViewer([answer(name, log=log) for name in COLOURS])


def rated(log: tt.RunLog) -> list[dict[int, Rating]]:
    """What the log has of its runs, oldest first, once all that was said is written."""
    assert loop.quiet(30)
    return [dict(row.ratings) for row in reversed(log.rows())]


def test_several_runs_are_one_row_of_thumbnails(viewer: ResultViewer) -> None:
    """Each answer has a thumbnail of its own, its prompt and model, and any of them can be looked at."""
    assert seen(viewer, "prompt") == list(COLOURS)
    assert set(seen(viewer, "model")) == {"dall-e-2"}
    assert [colour(data) for data in tray_of(viewer).thumbs] == [(1, 0, 0), (0, 1, 0), (0, 0, 1)]
    assert max(Image.open(io.BytesIO(data)).width for data in tray_of(viewer).thumbs) <= 256
    for at in (2, 0, 1):
        do(viewer, "choose", at)
        assert (viewer.index, chosen(viewer)) == (at, at)
        assert viewer.run is viewer.runs[at]
        assert viewer.result is viewer.runs[at].results[0]
    assert repr(viewer) == "ResultViewer(3 runs, 3 results)"


def test_runs_are_assigned_and_joined(viewer: ResultViewer) -> None:
    """Runs can be assigned, joined, and chosen by assigning one that is there; one that is not is shown alone."""
    first, second, third = viewer.runs
    viewer.runs = (third, first, third)
    assert seen(viewer, "prompt") == ["blue", "red"]
    viewer.join(second)
    viewer.join(second)
    assert seen(viewer, "prompt") == ["blue", "red", "lime"]
    assert viewer.run is second
    viewer.run = first
    assert (viewer.index, len(viewer.runs)) == (1, 3)
    viewer.run = answer("white")
    assert seen(viewer, "prompt") == ["white"]


def test_any_two_can_be_compared(viewer: ResultViewer, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies below is the photo, or any other result, named as such; and never the result itself."""
    panes = of_kind(viewer, Compare)
    sent: dict[str, bytes] = {}
    monkeypatch.setattr(panes, "send", lambda head, data: sent.update({head["name"]: data[0]}))

    def below() -> tuple[str, tuple[int, ...]]:
        before = panes.shown["before"]
        message(panes, {"type": "want", "name": before["name"]})
        return before["label"], colour(sent[before["name"]])

    assert below() == ("Before", (0, 0, 0))
    do(viewer, "compare", 2)
    assert below() == ("Result 3", (0, 0, 1))
    assert panes.shown["item"]["label"] == "Result 1"
    assert viewer.against == 2
    do(viewer, "choose", 2)
    assert viewer.against is None
    assert below()[0] == "Before"
    viewer.against = 1
    assert below() == ("Result 2", (0, 1, 0))
    do(viewer, "compare", 2)
    assert viewer.against is None
    viewer.against = 1
    message(tray_of(viewer), {"type": "compare", "key": ""})
    assert viewer.against is None


def test_what_was_thought_is_in_the_log(viewer: ResultViewer, log: tt.RunLog) -> None:
    """Stars, notes and verdicts are written beside their results, and found there by whoever comes later."""
    do(viewer, "rate", 0, stars=5)
    do(viewer, "rate", 0, note="the light")
    do(viewer, "rate", 2, verdict="kept")
    assert seen(viewer, "stars") == [5, 0, 0]
    assert seen(viewer, "verdict") == ["", "", "kept"]
    assert rated(log) == [{1: Rating(5, "the light")}, {}, {1: Rating(verdict="kept")}]
    assert [row.prompt for row in log.rows(search="light")] == ["red"]


def test_a_discarded_result_comes_back(viewer: ResultViewer, log: tt.RunLog) -> None:
    """Discarded, a result leaves the tray and the next is chosen; undo brings the last back to its place."""
    do(viewer, "rate", 1, verdict="kept")
    do(viewer, "choose", 1)
    viewer.against = 2
    do(viewer, "discard")
    assert seen(viewer, "prompt") == ["red", "blue"]
    assert chosen(viewer) == 1
    assert viewer.against is None
    assert viewer.result is viewer.runs[1].results[0]
    do(viewer, "discard")
    assert (chosen(viewer), tray_of(viewer).discarded) == (0, 2)
    assert [found[1].verdict for found in rated(log) if found] == ["discarded", "discarded"]
    do(viewer, "undo")
    do(viewer, "undo")
    do(viewer, "undo")
    assert seen(viewer, "prompt") == list(COLOURS)
    assert (chosen(viewer), tray_of(viewer).discarded) == (1, 0)
    assert rated(log) == [{}, {1: Rating(verdict="kept")}, {}]


def test_all_can_be_discarded(viewer: ResultViewer) -> None:
    """Without a result there is nothing to save or to use, and undo is still there."""
    for _ in COLOURS:
        do(viewer, "discard", 0)
    assert (viewer.result, viewer.run, viewer.save()) == (None, None, None)
    assert tray_of(viewer).layout.display == ""
    do(viewer, "undo")
    assert viewer.result is not None


def test_a_message_that_means_nothing(viewer: ResultViewer, log: tt.RunLog) -> None:
    """Whatever a page sends, the tray stays as it was."""
    before = tray_of(viewer).get_state()
    contents: list[Any] = [
        {"type": "choose", "key": "no such"},
        {"type": "choose"},
        {"type": "rate", "key": before["chosen"], "stars": 6},
        {"type": "rate", "key": before["chosen"], "stars": "5", "note": 7, "verdict": "discarded"},
        {"type": "rate", "key": 5, "stars": 1},
        {"type": "discard", "key": ["x"]},
        {"type": "save", "key": "../../thesis"},
        {"type": "compare", "key": None},
        {"type": 3},
        [],
        None,
    ]
    for content in contents:
        message(tray_of(viewer), content)
    assert tray_of(viewer).get_state() == before
    assert rated(log) == [{}, {}, {}]


def test_a_log_that_can_not_be_written(viewer: ResultViewer, log: tt.RunLog) -> None:
    """Where the log has gone, the tray says that a star won't be there again, and shows it all the same."""
    log.prune(keep=0)
    do(viewer, "rate", 0, stars=2)
    assert loop.quiet(30)
    assert "could not be kept in the run log" in tray_of(viewer).status
    assert seen(viewer, "stars") == [2, 0, 0]


class Gate:
    """A service that paints in the prompt's colour when it is let."""

    def __init__(self) -> None:
        self.open, self.entered = threading.Event(), threading.Event()

    def __call__(self, image: Image.Image, mask: object, prompt: str, *_: object) -> Image.Image:
        """Wait at the gate, where the prompt is blue."""
        if prompt == "blue":
            self.entered.set()
            self.open.wait(60)
        return Image.new("RGB", image.size, prompt)


@pytest.fixture
def gate() -> Iterator[Gate]:
    """A gate that is open in the end, whatever the test did."""
    gate = Gate()
    yield gate
    gate.open.set()


def test_a_late_answer_joins_and_changes_nothing_else(photo: Image.Image, gate: Gate, log: tt.RunLog) -> None:
    """Two runs and a cancelled third: three thumbnails, the chosen one unchanged, stars and notes in the log."""
    editor = tt.ImageEditor(photo, client=tt.Client.offline(fill=gate), log=log)
    for name in ("red", "lime"):
        editor.prompt = name
        editor.run().wait(30)
        assert editor.current is not None
        assert editor.viewer.result is editor.current.results[0]
    do(editor, "choose", 0)
    do(editor, "rate", stars=3)
    do(editor, "rate", note="this one")
    editor.prompt = "blue"
    run, arrived = editor.run(), threading.Event()
    run.on_change(lambda changed: arrived.set() if changed.results else None)
    assert gate.entered.wait(30)
    press(editor, "Cancel")
    editor.drawer.stage.side = "edit"
    gate.open.set()
    assert arrived.wait(30)
    assert loop.quiet(30)
    assert seen(editor, "prompt") == ["red", "lime", "blue"]
    assert seen(editor, "late") == [False, False, True]
    assert (chosen(editor), editor.viewer.run.request.prompt) == (0, "red")
    assert editor.drawer.stage.side == "edit"
    again = tt.RunLog(log.folder)
    assert [row.ratings.get(1, Rating()) for row in again.rows()] == [
        Rating(),
        Rating(),
        Rating(3, "this one"),
    ]
    assert "this one" not in said(editor)


def test_an_answer_of_an_earlier_run_does_not_take_the_place_of_a_later_one(
    photo: Image.Image, gate: Gate
) -> None:
    """The answer to a cancelled run that comes after another run was begun joins behind it, and is not chosen."""
    editor = tt.ImageEditor(photo, prompt="blue", client=tt.Client.offline(fill=gate))
    run, arrived = editor.run(), threading.Event()
    run.on_change(lambda changed: arrived.set() if changed.results else None)
    assert gate.entered.wait(30)
    editor.cancel()
    editor.prompt = "red"
    editor.run().wait(30)
    gate.open.set()
    assert arrived.wait(30)
    assert loop.quiet(30)
    assert seen(editor, "prompt") == ["red", "blue"]
    assert chosen(editor) == 0
    assert editor.status.words[0].startswith("Done in")


@pytest.mark.slow
def test_only_runs_are_taken() -> None:
    """Something else among the runs is refused with what to do."""
    with pytest.raises(Exception, match="run takes a Run"):
        ResultViewer(["room.png"])  # type: ignore[list-item] # that is the mistake
