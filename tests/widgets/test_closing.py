"""Closing leaves nothing behind."""

from __future__ import annotations

import gc
import weakref

import pytest
from PIL import Image

import ttapi_nb as tt
from tests.support.controls import labelled, living, message, of_kind, said
from tests.support.painting import drawn, own_surface, stroke
from ttapi_nb.widgets.key import KeyInput


def used(editor: tt.ImageEditor) -> None:
    """Do a little of everything in an editor."""
    editor.mask = editor.mask.rectangle((4, 4, 20, 20))
    editor.references = (Image.new("RGB", (8, 8)), Image.new("RGB", (9, 9)))
    editor.references = editor.references[1:]
    labelled(editor, "More options").value = True
    editor.image = Image.new("RGB", (70, 50), "red")
    stroke(editor, (10, 10))


@pytest.mark.slow
def test_twenty_editors_leave_nothing():
    """Twenty editors that were opened, used and closed leave no widget and are freed; one of them had run."""
    tt.ImageEditor(Image.new("RGB", (64, 48)), client=tt.Client.offline()).close()
    gc.collect()
    before = set(living())
    gone = []
    for number in range(20):
        editor = tt.ImageEditor(Image.new("RGB", (64, 48)), prompt="red", client=tt.Client.offline())
        used(editor)
        if number == 7:
            editor.run().wait(60)
            editor.viewer.mode = "side"
        editor.close()
        gone.append(weakref.ref(editor))
        del editor
    gc.collect()
    # What an earlier test left may have gone meanwhile.
    assert set(living()) <= before
    assert [ref() for ref in gone if ref() is not None] == []


def test_a_drawer_without_ipycanvas_is_closed_too():
    """A drawer whose stage has canvases of its own closes all that it has."""
    before = set(living())
    drawer = tt.MaskDrawer(Image.new("RGB", (64, 48)))
    own_surface(drawer)
    drawer.close()
    left = {type(one).__name__ for key, one in living().items() if key not in before}
    assert left <= {"_CanvasManager", "Layout"}


@pytest.mark.slow
def test_the_key_form_is_closed_too():
    """An editor whose form for the key was opened, and said something, leaves no widget."""
    tt.ImageEditor().close()
    gc.collect()
    before = set(living())
    editor = tt.ImageEditor()
    labelled(editor, "Use a key").value = True
    message(of_kind(editor, KeyInput), {"type": "key"}, b"no key")
    assert said(editor, "alert")
    editor.close()
    del editor
    gc.collect()
    # What an earlier test left may have gone meanwhile.
    assert set(living()) <= before


def test_closing_one_leaves_the_others(monkeypatch):
    """Another editor on the same page goes on painting and drawing."""
    one, other = tt.MaskDrawer(Image.new("RGB", (64, 48))), tt.MaskDrawer(Image.new("RGB", (64, 48)))
    one.close()
    sent = drawn(other, monkeypatch)
    stroke(other, (10, 10))
    assert other.mask.area
    assert sent
