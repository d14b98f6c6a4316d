"""A draft is seen on the photo, in its box, while the result is made, and goes when there is none."""

from __future__ import annotations

import base64

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.server import encoded
from tests.support.scripts import ask

PROGRESS = """
  const given = (window.given = { progress: {}, partial: {} });
  const model = { get: (name) => given[name], send() {} };
  const paper = document.createElement("div");
  const over = document.createElement("canvas");
  document.body.append(paper);
  window.progress = it.createProgress({ paper, over }, model);
  paper.append(window.progress.line);
  window.tell = (number, base64, box) => {
    const picture = Uint8Array.from(atob(base64 ?? ""), (letter) => letter.charCodeAt(0));
    given.partial = number ? { number, picture: new DataView(picture.buffer), mime: "image/webp", box } : {};
    window.progress.showDraft();
  };
"""


@pytest.fixture
def page(scripts: Page) -> Page:
    """The page with what shows a run."""
    ask(scripts, "stage/progress.js", PROGRESS)
    return scripts


def test_the_newest_draft(page: Page) -> None:
    """Each draft takes the place of the one before it, lies in its own box, and is named as a draft."""
    for number, colour in enumerate(("red", "blue"), 1):
        file = base64.b64encode(encoded(Image.new("RGB", (20, 10), colour), "WEBP")).decode()
        page.evaluate("given => tell(...given)", [number, file, [10 * number, 20, 30 * number, 60]])
        draft = page.get_by_role("img", name=f"Draft {number} of the result, not finished")
        expect(draft).to_be_visible()
        page.wait_for_function("document.querySelector('.ttapi-partial')?.naturalWidth === 20")
        assert draft.evaluate("({ style }) => [style.left, style.top, style.width, style.height]") == [
            *(f"{10 * number}px", "20px", f"{20 * number}px", "40px")
        ]
    page.evaluate("tell(0)")
    expect(page.locator(".ttapi-partial")).to_be_hidden()
    assert page.locator(".ttapi-partial").get_attribute("src") is None
