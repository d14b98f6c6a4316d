"""How much an editor is made of, and how much it says to be shown: each widget and each message takes a while."""

from __future__ import annotations

from typing import Any

import comm
import pytest
from comm.base_comm import BaseComm

import ttapi_nb as tt
from tests.support.controls import living

MOST = 60


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is sent to the browser from now on, by its kind."""
    kinds: list[str] = []

    class Counting(BaseComm):
        """A line to a browser that counts what goes over it."""

        def publish_msg(self, msg_type: str, *_: Any, **__: Any) -> None:
            """Count it."""
            kinds.append(msg_type)

    monkeypatch.setattr(comm, "create_comm", Counting)
    return kinds


@pytest.mark.slow
def test_an_editor_is_light(sent: list[str]) -> None:
    """With the sample open it is at most 60 widgets, and at most 60 messages bring it to a page."""
    before = set(living())
    editor = tt.ImageEditor(tt.sample(), client=tt.Client.offline())
    made = set(living()) - before
    assert len(made) <= MOST
    assert sent.count("comm_open") == len(made)
    assert len(sent) <= MOST
    editor.close()
    assert set(living()) <= before | {
        key for key in living() if type(living()[key]).__name__ == "_CanvasManager"
    }


def test_a_letter_says_little(sent: list[str]) -> None:
    """A letter in the prompt that changes nothing else is at most three messages."""
    editor = tt.ImageEditor(tt.sample(), client=tt.Client.offline(), prompt="a")
    sent.clear()
    editor.prompt = "ab"
    assert len(sent) <= 3
