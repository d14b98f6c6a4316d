"""Closing leaves nothing behind."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances
from PIL import Image

import ttapi_nb as tt
from tests.support.controls import labelled


def used(editor: tt.ImageEditor) -> None:
    """Do a little of everything in an editor."""
    editor.mask = editor.mask.rectangle((4, 4, 20, 20))
    for row in (
        editor.drawer._numbers,
        editor.drawer._edge,
        editor.drawer._extend,
        editor.drawer._appearance,
    ):
        row.opener.value = True
    editor.references = (Image.new("RGB", (8, 8)), Image.new("RGB", (9, 9)))
    editor.references = editor.references[1:]
    editor._options.selected_index = 0
    editor.image = Image.new("RGB", (70, 50), "red")
    points = memoryview(np.array([[10, 10, 4]], np.float32).tobytes())
    mark = {"type": "mark", "view": "a", "number": 1, "tool": "brush", "erase": False}
    editor.drawer._surface.stage._handle_custom_msg(mark, [points])


@pytest.mark.slow
def test_fifty_editors_leave_nothing():
    """Fifty editors that were opened, used and closed leave no widget and are freed; one of them had run."""
    tt.ImageEditor(Image.new("RGB", (64, 48)), client=tt.Client.offline()).close()
    gc.collect()
    before = set(_instances)
    gone = []
    for number in range(50):
        editor = tt.ImageEditor(Image.new("RGB", (64, 48)), prompt="red", client=tt.Client.offline())
        used(editor)
        if number == 7:
            editor.run().wait(60)
            editor.viewer.mode = "side"
        editor.close()
        gone.append(weakref.ref(editor))
        del editor
    gc.collect()
    assert set(_instances) == before
    assert [ref() for ref in gone if ref() is not None] == []


def test_the_fall_back_is_closed_too():
    """A drawer that paints through the kernel closes its other canvases as well."""
    before = set(_instances)
    drawer = tt.MaskDrawer(Image.new("RGB", (64, 48)))
    drawer._surface.stage._handle_custom_msg({"type": "no_ink", "reason": "no canvas"}, [])
    drawer.close()
    assert {type(_instances[key]).__name__ for key in set(_instances) - before} <= {
        "_CanvasManager",
        "Layout",
    }


def test_the_key_form_is_closed_too():
    """An editor whose form for the key was opened, and said something, leaves no widget."""
    tt.ImageEditor().close()
    gc.collect()
    before = set(_instances)
    editor = tt.ImageEditor()
    labelled(editor, "Use a key").value = True
    assert editor._key.form is not None
    editor._key.form._input._handle_custom_msg({"type": "key"}, [memoryview(b"no key")])
    assert editor._key.form._problem.words
    editor.close()
    del editor
    gc.collect()
    assert set(_instances) == before


def test_closing_one_leaves_the_others():
    """Another editor on the same page goes on painting and drawing."""
    one, other = tt.MaskDrawer(Image.new("RGB", (64, 48))), tt.MaskDrawer(Image.new("RGB", (64, 48)))
    one.close()
    sent = []
    other._surface.stage.ink._canvas_manager._send_custom = lambda command, buffers=(): sent.append(command)
    other.mask = other.mask.rectangle((4, 4, 20, 20))
    del other._surface.stage.ink._canvas_manager._send_custom
    assert sent
