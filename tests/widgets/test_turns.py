"""The lock of the widgets: observers are called without it, and whatever they wait for, nothing hangs."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import pytest
from PIL import Image

import ttapi_nb as tt
from tests.server import PATIENCE, Reply, Server, json_reply, pictures
from tests.support.controls import controls
from tests.support.painting import stroke
from ttapi_nb.network import ways
from ttapi_nb.widgets.drawer.turns import Turns


@pytest.fixture
def busy(server: Server, photo: Image.Image):
    """An editor with a run under way, whose answer comes when the test ends."""
    server.answer = Reply(200, json_reply(pictures(photo)).body, hold=server.event())
    client = tt.Client("test-key-0123456789", base_url=server.url)
    editor = tt.ImageEditor(photo, prompt="x", client=client)
    run = editor.run()
    server.wait_for(1)
    yield editor
    server.let_go()
    if run.status != "cancelled":
        run.wait(PATIENCE)


def in_time(work: Any) -> None:
    """Do `work` on a thread, which must come to its end."""
    raised: list[BaseException] = []

    def do() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again below
            raised.append(error)

    thread = threading.Thread(target=do, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive(), "it hangs"
    if raised:
        raise raised[0]


def test_a_stroke_that_cancels(busy: tt.ImageEditor) -> None:
    """An observer of the mask that cancels the run does that, and the kernel goes on."""
    busy.observe(lambda change: busy.cancel(), "mask")
    in_time(lambda: stroke(busy, (10, 10), (30, 30)))
    assert busy.current is not None
    assert busy.current.status == "cancelled"
    assert busy.mask.marks


def test_a_photo_from_the_web_in_mid_run(
    busy: tt.ImageEditor, server: Server, photo: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A photo from an address is opened while a run is under way, and shown."""
    # No public address is on this machine, so one of its own stands in.
    monkeypatch.setattr(ways, "is_public", lambda address: True)
    data = tt.open_image(photo.resize((32, 32))).file().data
    server.routes["/a.png"] = Reply(200, data, mime="image/png")
    in_time(lambda: busy.drawer.show_both(f"{server.origin}/a.png"))
    assert busy.image.size == (32, 32)


@pytest.mark.parametrize("where", ["editor", "drawer"])
def test_an_observer_that_waits_for_another_thread(photo: Image.Image, where: str) -> None:
    """An observer may wait for a thread that changes the same editor: it is called without the lock."""
    editor = tt.ImageEditor(photo, prompt="x", client=tt.Client.offline())
    seen: list[Any] = []

    def waits(change: Any) -> None:
        seen.append(change.new)
        if len(seen) == 1:
            in_time(editor.drawer.clear)

    (editor if where == "editor" else editor.drawer).observe(waits, "mask")
    in_time(lambda: stroke(editor, (10, 10), (30, 30)))
    assert len(seen) == 2
    assert not editor.mask.marks


def test_an_observer_that_waits_for_the_run(busy: tt.ImageEditor, server: Server) -> None:
    """An observer of the mask may wait for the run, whose end is shown meanwhile."""
    ended: list[str] = []

    def waits(change: Any) -> None:
        server.let_go()
        assert busy.current is not None
        ended.append(busy.current.wait(PATIENCE).status)

    busy.observe(waits, "mask")
    in_time(lambda: stroke(busy, (10, 10), (30, 30)))
    assert ended == ["done"]
    assert busy.results


def test_observers_see_what_was_done(photo: Image.Image) -> None:
    """They are called once for each change, in order and on the thread that made it, and can be taken away again."""
    drawer = tt.MaskDrawer(photo)
    seen: list[tuple[int, int]] = []

    def look(change: Any) -> None:
        seen.append((len(change.new.marks), threading.get_ident()))

    drawer.observe(look, "mask")
    drawer.observe(look, "mask")
    drawer.mask = drawer.mask.rectangle((1, 1, 9, 9))
    with drawer.lock:
        drawer.mask = drawer.mask.rectangle((2, 2, 9, 9))
        drawer.mask = drawer.mask.rectangle((3, 3, 9, 9))
        assert len(seen) == 1
    here = threading.get_ident()
    assert seen == [(1, here), (2, here), (3, here)]
    drawer.unobserve(look, "mask")
    drawer.clear()
    assert len(seen) == 3


def test_what_an_observer_raises(photo: Image.Image) -> None:
    """It goes to who made the change, after all others were called, and the lock is free."""
    drawer = tt.MaskDrawer(photo)
    seen: list[int] = []

    def raises(change: Any) -> None:
        raise LookupError("an observer's mistake")

    drawer.observe(raises, "mask")
    drawer.observe(lambda change: seen.append(1), "mask")
    with pytest.raises(LookupError, match="mistake"):
        drawer.invert()
    assert seen == [1]
    drawer.unobserve(raises, "mask")
    in_time(drawer.undo)


def test_turns() -> None:
    """A thread may take the lock again; what comes after it comes when it is given back for the last time."""
    turns, done = Turns(), []
    with turns:
        with turns:
            turns.after(lambda: done.append("late"))
        assert done == []
    assert done == ["late"]
    turns.after(lambda: done.append("now"))
    assert done == ["late", "now"]


def test_a_budget_without_a_log(photo: Image.Image) -> None:
    """A budget counts in a log: an editor without one refuses it when it is made, and when it is given one later."""
    with pytest.raises(tt.SettingsError, match="log=False"):
        tt.ImageEditor(photo, log=False, budget=tt.Budget(runs=1))
    editor = tt.ImageEditor(photo, prompt="x", client=tt.Client.offline(), log=False)
    editor.budget = tt.Budget(runs=1)
    assert any("log=False" in problem for problem in editor.problems)
    with pytest.raises(tt.SettingsError, match="log=False"):
        editor.run()


def test_a_locked_log_does_not_hold_the_drawer(photo: Image.Image, tmp_path) -> None:
    """While run() waits for the log, people go on painting, and a second run() gives the same run."""
    entered, go = threading.Event(), threading.Event()

    class Locked(tt.RunLog):
        def begin(self, *given: Any, **more: Any) -> None:
            entered.set()
            assert go.wait(PATIENCE)
            super().begin(*given, **more)

    client = tt.Client.offline(fill=lambda image, mask, prompt, seed: image)
    editor = tt.ImageEditor(photo, prompt="x", client=client, log=Locked(tmp_path / "log"))
    runs: list[tt.Run] = []
    clicks = [threading.Thread(target=lambda: runs.append(editor.run())) for _ in range(2)]
    for click in clicks:
        click.start()
    assert entered.wait(PATIENCE)
    in_time(lambda: stroke(editor, (10, 10), (30, 30)))
    assert editor.mask.marks
    go.set()
    for click in clicks:
        click.join(PATIENCE)
    assert runs[0] is runs[1]
    runs[0].wait(PATIENCE)
    assert len(tt.RunLog(tmp_path / "log").rows()) == 1


@pytest.mark.parametrize("writes", ["this thread", "another thread"])
def test_a_prompt_written_while_the_editor_looks(photo: Image.Image, writes: str) -> None:
    """What changes while the editor says what it found is looked at too, and nothing older is left there."""
    editor = tt.ImageEditor(photo)
    write = partial(setattr, editor, "prompt", "x")
    plan = next(one for one in controls(editor) if "returns into" in str(getattr(one, "value", "")))
    plan.observe(lambda _: write() if writes == "this thread" else in_time(write), "value")
    editor.size = "1024x1536"
    assert editor.prompt == "x"
    assert editor.status.words == ("Ready.",)


@pytest.mark.parametrize("asked", ["begun", "looked at"])
def test_a_price_function_that_runs(photo: Image.Image, server: Server, asked: str) -> None:
    """A budget's price function that starts a run of the same editor is told so, instead of waiting for itself."""
    told: list[str] = []

    def price(*given: object) -> float:
        if threading.current_thread() is not threading.main_thread() or asked == "looked at":
            with pytest.raises(tt.SettingsError, match="before a run may begin") as caught:
                editor.run()
            told.append(str(caught.value))
        return 0.1

    server.answer = json_reply(pictures(photo))
    client = tt.Client("test-key-0123456789", base_url=server.url)
    tt.edit(photo, "an earlier one", client=client)
    editor = tt.ImageEditor(photo, prompt="x", client=client)
    editor.budget = tt.Budget(cost=1, prices=tt.PriceTable({"gpt-image-1.5": 0.1}, "USD", actual=price))
    if asked == "looked at":
        in_time(lambda: editor.problems)
    else:
        editor.run().wait(PATIENCE)
    assert told
    assert len(server.posts) == (1 if asked == "looked at" else 2)
