"""The editor in the browser: extending by dragging, references, the frame, and a saved result dropped on it."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.ui.drawing import alpha, drag, wait_for_ink
from tests.ui.notebook import PATIENCE, Notebook
from ttapi_nb import sample

Opened = Callable[..., Notebook]
EDITOR = "import ttapi_nb as tt\neditor = tt.ImageEditor(tt.sample(), prompt='red')\neditor"

DROP = """([selector, name, data]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], name, { type: "image/png" }));
  const target = document.querySelector(selector);
  for (const type of ["dragover", "drop"]) {
    target.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
  }
}"""


def drop(page: Page, selector: str, path: Path) -> None:
    """Drop a file on a part of the page."""
    page.evaluate(DROP, [selector, path.name, base64.b64encode(path.read_bytes()).decode()])


def test_extend_by_dragging(notebook: Opened) -> None:
    """A margin that is dragged out is in its field; extended, it is masked, filled by a run, and the rest stays."""
    book = notebook(
        EDITOR,
        "run = editor.viewer.run\nbefore = tt.sample().pixels.convert('RGBA')\n"
        "inside = run.results[0].image.convert('RGBA').crop((0, 0, 1024, 1024))\n"
        "print(run.results[0].image.size == editor.image.size, inside.tobytes() == before.tobytes())",
    )
    page = book.page
    page.set_viewport_size({"width": 1400, "height": 1500})
    book.run(0)
    page.get_by_role("button", name="Extend", exact=True).click()
    handle = page.locator(".ttapi-margin").nth(6)
    expect(handle).to_be_visible()
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    photo = page.locator("canvas.ttapi-ink").bounding_box()
    assert box is not None
    assert photo is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    # The sixth is the middle of the right side.
    assert abs(x - photo["x"] - photo["width"]) < 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + photo["width"] / 8, y, steps=4)
    page.mouse.up()
    field = page.get_by_label("Right margin", exact=True)
    expect(field).to_have_value(re.compile(r"12[5-9]|13[01]"))
    page.get_by_role("button", name="Extend photo").click()
    expect(page.locator("canvas.ttapi-ink")).to_have_attribute("width", str(1024 + int(field.input_value())))
    wait_for_ink(page, 1100, 500)
    assert alpha(page, 900, 500) == 0
    book.button("Run").click()
    book.wait_for_results()
    assert book.run(1) == "True True"


def test_tray_of_references(notebook: Opened, tmp_path: Path) -> None:
    """Pictures are dropped on the tray, moved and removed, and the photo stays what it was."""
    book = notebook(
        EDITOR, "print([p.name for p in editor.references], editor.image.name, len(editor.request.image))"
    )
    book.run(0)
    page = book.page
    for name, size in (("one", 30), ("two", 40), ("three", 50)):
        sample().pixels.resize((size, size)).save(tmp_path / f"{name}.png")
        drop(page, ".ttapi-tray .ttapi-photo-input", tmp_path / f"{name}.png")
        expect(page.locator(".ttapi-card").filter(has_text=name)).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".ttapi-tray")).to_contain_text("The mask is for the photo")
    page.get_by_role("button", name="Earlier: 3. three.png").click()
    expect(page.locator(".ttapi-card").nth(1)).to_contain_text("2. three.png")
    page.get_by_role("button", name="Remove: 1. one.png").click()
    expect(page.locator(".ttapi-card")).to_have_count(2)
    assert book.run(1) == "['three.png', 'two.png'] sample.jpg 3"
    book.pick("Model", "dall-e-2 · retired 12 May 2026")
    expect(page.locator(".ttapi-tray")).to_contain_text("dall-e-2 takes one picture")
    expect(book.button("Run")).to_be_disabled()


def test_frame_and_a_dropped_result(notebook: Opened, tmp_path: Path) -> None:
    """The part that is sent is framed on a large photo; a saved result that is dropped brings photo and prompt back."""
    book = notebook(
        "import ttapi_nb as tt\nfrom PIL import Image\n"
        "photo = tt.sample().pixels.resize((1800, 1200))\nphoto.save('large.png')\n"
        "editor = tt.ImageEditor('large.png', prompt='green leaves')\neditor",
        "print(editor.viewer.run.results[0].save('made.png').resolve())",
        "editor.prompt, editor.image = 'x', tt.sample()",
        "print(editor.prompt, editor.image.size, len(editor.mask.marks))",
    )
    page = book.page
    page.set_viewport_size({"width": 1400, "height": 1500})
    book.run(0)
    expect(page.locator(".ttapi-frame")).to_be_hidden()
    drag(page, (480, 330), (540, 380))
    frame = page.locator(".ttapi-frame")
    expect(frame).to_be_visible()
    expect(book.editor).to_contain_text("around the mask")
    box, photo = frame.bounding_box(), page.locator("canvas.ttapi-ink").bounding_box()
    assert box is not None
    assert photo is not None
    assert box["width"] / photo["width"] == pytest.approx(1024 / 1800, abs=0.01)
    assert box["x"] > photo["x"] + 50
    book.button("Run").click()
    book.wait_for_results()
    made = Path(book.run(1))
    book.run(2)
    expect(book.prompt).to_have_value("x")
    drop(page, ".ttapi-editor .ttapi-photo-input", made)
    expect(book.prompt).to_have_value("green leaves", timeout=PATIENCE)
    expect(book.editor).to_contain_text("Photo and mask are back too")
    assert book.run(3) == "green leaves (1800, 1200) 1"


def test_strict_mask_off_by_a_click(notebook: Opened) -> None:
    """The box that keeps what lies outside the mask is ticked; unticked, what the model repainted there shows."""
    book = notebook(
        "import ttapi_nb as tt\n"
        "editor = tt.ImageEditor(tt.sample(), prompt='red', client=tt.Client.offline(leaky=True))\neditor",
        "import numpy as np\nresult = editor.viewer.run.results[0]\n"
        "pictures = result.image, result.raw, tt.sample().pixels\n"
        "shown, raw, photo = (np.asarray(one.convert('RGB'))[:300, :300] for one in pictures)\n"
        "print((shown == raw).all(), (shown == photo).all())",
    )
    book.page.set_viewport_size({"width": 1400, "height": 1500})
    book.run(0)
    drag(book.page, (500, 500), (600, 600))
    box = book.editor.get_by_label("Keep what is outside the mask exactly")
    expect(box).to_be_checked()
    box.uncheck()
    book.button("Run").click()
    book.wait_for_results()
    assert book.run(1) == "True False"
