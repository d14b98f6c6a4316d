"""Tiles in the editor: offered with their count, taken by one click, and gone on with where one failed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

import ttapi_nb as tt
from tests.server import PATIENCE, Reply, Server, json_reply, pictures
from tests.support.controls import has, labelled, press, said
from ttapi_nb.loop import quiet

SIZE = (640, 420)


def editor_of(server: Server, **more: Any) -> tt.ImageEditor:
    """An editor of a photo with a wire masked, whose runs go to the test's server."""
    server.answer = json_reply(pictures(Image.new("RGB", (256, 256), "teal")))
    client = tt.Client(api_key="sk-test-0123456789", base_url=server.url)
    editor = tt.ImageEditor(
        Image.new("RGB", SIZE, "gray"), prompt="x", client=client, model="dall-e-2", size="256x256", **more
    )
    editor.mask = tt.Mask(SIZE).paint([(20, 30), (300, 150), (600, 400)], radius=6)
    return editor


def test_tiles_are_offered_with_their_count(server: Server) -> None:
    """The plan says how many requests they take; a press chooses them, and the cost is that of all."""
    budget = tt.Budget(prices=tt.PriceTable({"dall-e-2": 0.02}, "USD"))
    editor = editor_of(server, budget=budget)
    count = len(tt.Fit.plan(editor.image, "dall-e-2", "256x256", "tiles", editor.mask).tiles)
    assert count > 1
    assert f"{count} requests instead of 1" in said(editor)
    assert labelled(editor, "Run").description == "Run · about 0.02 USD"
    press(editor, f"Send {count} tiles")
    assert editor.fit == "tiles"
    assert not has(editor, f"Send {count} tiles")
    assert labelled(editor, "Run").description == f"Run · about {0.02 * count:g} USD"
    editor.mask = editor.mask.clear().rectangle((10, 10, 60, 60))
    editor.fit = "auto"
    assert "requests instead of 1" not in said(editor)
    assert server.posts == []


def test_what_is_left_is_one_click_away(server: Server) -> None:
    """Where a tile failed, the picture so far and what is left of the mask are taken up by a press."""
    editor = editor_of(server, fit="tiles")
    good, seen = server.answer, []

    def answer(request: object) -> Reply:
        seen.append(request)
        assert isinstance(good, Reply)
        return Reply(drop=True) if len(seen) == 2 else good

    server.answer = answer
    mask = editor.mask
    with pytest.raises(tt.UnknownOutcomeError):
        editor.run().wait(PATIENCE)
    assert quiet(PATIENCE)
    press(editor, "Go on with the tiles left")
    assert editor.image.size == SIZE
    assert editor.image is editor.results[0].picture
    assert 0 < np.count_nonzero(editor.mask.coverage()) < np.count_nonzero(mask.coverage())
    assert len(server.posts) == 2
