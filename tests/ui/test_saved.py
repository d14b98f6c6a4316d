"""What is left of results in a saved notebook, where there is no kernel."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests.ui.lab import Lab
from tests.ui.notebook import PATIENCE, Notebook

Opened = Callable[..., Notebook]
# A real photo, as thumbnails of flat colours would weigh nothing.
TEN = """
photo = tt.sample().pixels.resize((512, 512))
mask = tt.Mask((512, 512)).rectangle((206, 206, 306, 306))
def fill(image, mask, prompt, seed):
    image = image.convert("RGB")
    image.paste("blue", (206, 206, 306, 306))
    return image
client = tt.Client.offline(fill=fill)
viewer.run = tt.edit(photo, "a blue square", mask=mask, n=10, model="dall-e-2", size="512x512", client=client)
"""


def without_a_kernel(route: Route) -> None:
    """Serve a notebook as it was saved, but for a kernel that is not installed here."""
    response = route.fetch()
    model = response.json()
    if model["content"]:
        metadata = {"kernelspec": {"name": "gone", "display_name": "Gone"}, "language_info": {"name": "gone"}}
        model["content"]["metadata"].update(metadata)
    route.fulfill(response=response, json=model)


@pytest.mark.parametrize("saving_widgets", [False, True], ids=["plain", "with widget state"], indirect=True)
def test_saved_notebook_shows_thumbnails_without_a_kernel(
    notebook: Opened, lab: Lab, saving_widgets: bool
) -> None:
    """Ten results that came after their cell had ended are there when the saved notebook is opened without a kernel.

    They add less than 0.5 MB to it.
    """
    book = notebook("import ttapi_nb as tt\nviewer = tt.ResultViewer()\nviewer", TEN)
    page = book.page
    book.run(0)
    book.run(1)
    expect(page.locator(".ttapi-strip img")).to_have_count(10)
    # Under the living widget they would be there twice.
    expect(page.locator(".ttapi-kept")).to_have_count(1)
    expect(page.locator(".ttapi-kept")).to_be_hidden()
    book.save()
    saved: dict[str, Any] = json.loads(book.file.read_text())
    assert ("widgets" in saved["metadata"]) == saving_widgets
    assert book.file.stat().st_size < 500_000
    # The first one still has its kernel.
    again = book.file.with_name(f"again-{book.file.name}")
    shutil.copy(book.file, again)

    elsewhere = page.context.new_page()
    elsewhere.route(re.compile(r"/api/contents/[^/]*\.ipynb(\?|$)"), without_a_kernel)
    elsewhere.goto(lab.address(again.name, "again"))
    elsewhere.get_by_role("dialog").get_by_role("button", name="No Kernel").click(timeout=PATIENCE)
    pictures = elsewhere.locator(".ttapi-kept img")
    expect(pictures.last).to_be_visible(timeout=PATIENCE)
    drawn = pictures.evaluate_all("images => images.map(image => image.complete && image.naturalWidth)")
    assert drawn == 11 * [256]
    elsewhere.close()
