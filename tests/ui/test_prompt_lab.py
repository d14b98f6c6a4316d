"""The prompt lab in JupyterLab: its form, a grid that fills, axes swapped, stars and blind votes by keys."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from playwright.sync_api import expect

from tests.ui.notebook import PATIENCE, Notebook

Opened = Callable[..., Notebook]
# Each prompt is a colour.
LAB = """
import ttapi_nb as tt
from PIL import Image
log = tt.RunLog("LOG")
def fill(image, mask, prompt, seed):
    return Image.new("RGB", image.size, prompt)
photo = tt.sample().pixels.resize((128, 128))
client = tt.Client.offline(fill=fill)
mask = tt.Mask((128, 128)).rectangle((20, 20, 90, 90))
editor = tt.ImageEditor(photo, mask=mask, prompt="red", client=client, log=log)
editor
"""
SHOW = """
lab = editor._lab.lab
print([vote.choice for vote in lab.trial.votes], [cell.stars for cell in lab.trial.cells])
print(editor.prompt, editor.mask.area)
"""


def test_a_lab_from_the_editor_and_back(notebook: Opened) -> None:
    """*Lab* opens it below with what is edited; four cells fill, axes swap, keys star and vote, a cell opens and goes
    back.
    """
    book = notebook(LAB.replace("LOG", uuid.uuid4().hex), SHOW)
    page = book.page
    book.run(0)
    book.editor.get_by_role("button", name="Lab", exact=True).click()
    lab = page.locator(".ttapi-lab")
    prompts = lab.get_by_label("Prompts")
    expect(prompts).to_be_focused(timeout=PATIENCE)
    expect(prompts).to_have_value("red")
    page.keyboard.press("End")
    page.keyboard.type("\nlime")
    lab.get_by_label("Models").select_option(["gpt-image-1.5", "gpt-image-2"])
    expect(lab.get_by_text("4 runs, 4 images")).to_be_visible(timeout=PATIENCE)
    lab.get_by_role("button", name="Run", exact=True).click()
    expect(lab.locator("figure img")).to_have_count(4, timeout=PATIENCE)
    expect(lab.get_by_role("rowheader", name="lime")).to_be_visible()
    lab.get_by_role("button", name="Swap").click()
    expect(lab.get_by_role("rowheader", name="gpt-image-2")).to_be_visible()
    cell = lab.get_by_role("button", name="Open prompt: lime, model: gpt-image-2")
    cell.focus()
    page.keyboard.press("4")
    expect(lab.get_by_text("★★★★").first).to_be_visible(timeout=PATIENCE)
    expect(cell).to_be_focused()
    page.keyboard.press("Enter")
    slider = lab.get_by_role("slider", name="Before and after")
    expect(slider).to_be_focused(timeout=PATIENCE)
    page.keyboard.press("Home")
    lab.get_by_role("radio", name="Heat map", exact=True).check(force=True)
    lab.get_by_role("button", name="Edit this").click()
    expect(book.prompt).to_have_value("lime", timeout=PATIENCE)
    lab.get_by_role("button", name="Close", exact=True).click()
    expect(cell).to_be_focused(timeout=PATIENCE)
    lab.get_by_role("button", name="Vote", exact=True).click()
    for number, key in enumerate("12t", 1):
        page.keyboard.press(key)
        expect(lab.get_by_text(f"{number} vote")).to_be_visible()
    # None of these keys was the notebook's.
    expect(page.locator(".jp-Notebook .jp-CodeCell")).to_have_count(2)
    votes, edited = book.run(1).splitlines()
    assert votes == "['left', 'right', 'tie'] [0, 0, 0, 4]"
    assert edited == "lime 4900"
