"""Nothing of a session is lost: every answer in the tray, stars and notes in the log, and a mask over a restart."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

from playwright.sync_api import Locator, expect

from tests.ui.notebook import PATIENCE, Notebook

Opened = Callable[..., Notebook]

EDITOR = """
import threading, time
from PIL import Image
import ttapi_nb as tt
from ttapi_nb.log.drafts import Drafts
go = threading.Event()
def fill(image, mask, prompt, seed):
    if prompt == "blue":
        go.wait(60)
    return Image.new("RGB", image.size, prompt)
log = tt.RunLog("LOG")
editor = tt.ImageEditor(tt.sample(), client=tt.Client.offline(fill=fill), log=log, size="1024x1024")
editor
"""
KEPT = """
end = time.monotonic() + 30
while Drafts(log.folder).find(editor.image.digest, editor.image.size) is None and time.monotonic() < end:
    time.sleep(0.1)
rated = [(row.prompt, row.ratings[1].stars, row.ratings[1].note) for row in log.rows() if row.ratings]
print(rated, editor.mask.area > 0)
"""


def run(book: Notebook, prompt: str) -> None:
    """Write a prompt, and run it."""
    book.prompt.fill(prompt)
    book.button("Run").click()


def numbers(tray: Locator) -> list[str]:
    """What is written on the thumbnails."""
    return tray.locator(".ttapi-strip span").all_inner_texts()


def test_a_session_and_a_mask_outlive_their_kernel(notebook: Opened) -> None:
    """Two runs and a cancelled third: three thumbnails, the chosen one stays; stars, notes and mask after a restart."""
    editor = EDITOR.replace("LOG", uuid.uuid4().hex)
    book = notebook(editor, "go.set()", KEPT, "print(editor.mask.area > 0, editor.viewer.notes)")
    book.run(0)
    book.paint([(400, 420), (520, 560), (640, 690)])
    for number, prompt in enumerate(("red", "lime"), 1):
        run(book, prompt)
        expect(book.editor.locator(".ttapi-session .ttapi-count")).to_have_text(
            f"{number} of {number}", timeout=PATIENCE
        )
    tray = book.editor.locator(".ttapi-session")
    tray.get_by_role("button", name="The result before").click()
    expect(tray.locator(".ttapi-count")).to_have_text("1 of 2")
    tray.get_by_role("radio", name=re.compile("^Result 1")).or_(
        tray.locator(".ttapi-strip input").first
    ).first.focus()
    book.page.keyboard.press("3")
    expect(tray.get_by_text("1 ★★★")).to_be_visible()
    tray.get_by_label("Note", exact=True).fill("this one")
    book.page.keyboard.press("Tab")

    run(book, "blue")
    book.button("Cancel").first.click()
    expect(book.status).to_contain_text("Cancelled")
    book.run(1)
    expect(tray.locator(".ttapi-strip img")).to_have_count(3, timeout=PATIENCE)
    assert numbers(tray) == ["1 ★★★", "2", "3 late"]
    expect(tray.locator(".ttapi-count")).to_have_text("1 of 3")
    assert book.run(2) == "[('red', 3, 'this one')] True"

    book.restart()
    book.run(0)
    again = book.editor
    sheet = again.locator(".ttapi-sheet").element_handle(timeout=PATIENCE)
    again.get_by_role("button", name=re.compile("Bring back the mask of")).click(timeout=PATIENCE)
    again.get_by_role("button", name="Earlier runs").click()
    card = again.locator(".ttapi-history .ttapi-run").filter(has_text="this one")
    expect(card).to_contain_text("★★★", timeout=PATIENCE)
    expect(again.locator(".ttapi-history .ttapi-pictures img")).to_have_count(3, timeout=PATIENCE)
    card.get_by_role("button", name="Show: red").click()
    expect(again.locator(".ttapi-session .ttapi-count")).to_have_text("1 of 1", timeout=PATIENCE)
    expect(again.locator(".ttapi-session").get_by_label("Note", exact=True)).to_have_value("this one")
    # Offers, results and words came and went meanwhile, and nothing that one paints or writes on was made anew.
    assert sheet.evaluate("sheet => sheet.isConnected")
    assert book.run(3) == "True {0: 'this one'}"
