"""The main job in a real JupyterLab: from a photo to an edited photo, and what happens when something is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from playwright.sync_api import expect

from tests.ui.notebook import Notebook
from ttapi_nb import open_image, sample

Opened = Callable[..., Notebook]
FIG = [(400.0, 420.0 + 12 * step) if step % 2 else (640.0, 420.0 + 12 * step) for step in range(24)]


def pixels(path: Path) -> np.ndarray:
    """A saved picture as an array of numbers that can be subtracted."""
    return np.asarray(open_image(path).pixels).astype(int)


def test_first_edit_from_photo_to_result_and_on(notebook: Opened, tmp_path: Path) -> None:
    """Notebook 01: paint, pick, write, run; the painted area changed and nothing else; then the result is edited."""
    book = notebook("01_first_edit.ipynb")
    book.run(0)
    book.run(1)
    expect(book.editor).to_be_visible()
    expect(book.button("Run")).to_be_disabled()
    book.paint(FIG)
    book.pick("Model", "gpt-image-1.5")
    book.pick("Size", "1024 × 1024")
    book.prompt.fill("an empty blue bowl")
    expect(book.button("Run")).to_be_enabled()
    book.button("Run").click()
    book.wait_for_results()

    before = np.asarray(sample().pixels).astype(int)
    after = pixels(book.downloaded(tmp_path))
    changed = np.abs(after - before).max(axis=2) > 0
    inside = np.zeros(changed.shape, bool)
    # The strokes run from 400,420 to 640,696 with a brush of 41 pixels; a pixel of slack for the pointer.
    inside[398:719, 378:662] = True
    assert not changed[~inside].any()
    assert changed[440:680, 420:620].mean() > 0.95
    # A blue word makes blue.
    fill = after[440:680, 420:620].mean(axis=(0, 1))
    assert fill[2] > max(fill[0], fill[1])

    book.button("Use as input").click()
    expect(book.editor.locator(".ttapi-file").first).to_contain_text("sample-edit-1")
    book.prompt.fill("an empty green bowl")
    book.button("Run").click()
    expect(book.status).to_contain_text("Waiting")
    book.wait_for_results()
    again = pixels(book.downloaded(tmp_path))
    assert (again[~inside] == before[~inside]).all()
    assert again[440:680, 420:620, 1].mean() > again[440:680, 420:620, 2].mean()


def test_bad_prompt_is_explained_and_nothing_is_sent(notebook: Opened) -> None:
    """An empty prompt and one that is too long each show their sentence, by button and by key, and send nothing."""
    book = notebook(
        "import ttapi_nb as tt\nlog = tt.RunLog('bad-log')\neditor = tt.ImageEditor(tt.sample(), log=log)\neditor",
        "print(len(log.rows()), editor.current)",
    )
    book.run(0)
    expect(book.status).to_contain_text("The prompt is empty")
    expect(book.button("Run")).to_be_disabled()
    book.prompt.click()
    book.page.keyboard.press("Control+Enter")
    expect(book.status.get_by_role("alert")).to_contain_text("The prompt is empty")

    book.pick("Model", "dall-e-2 · retired 12 May 2026")
    book.prompt.fill("x" * 1001)
    expect(book.status).to_contain_text("1,001 characters")
    expect(book.button("Run")).to_be_disabled()
    book.page.keyboard.press("Control+Enter")
    expect(book.status.get_by_role("alert")).to_contain_text("Shorten it by 1")
    assert book.run(1) == "0 None"


def test_kernel_stays_free_during_a_run(notebook: Opened) -> None:
    """While a run is on, a second click starts nothing, other cells run, and one of them lets the run end."""
    book = notebook(
        "import threading\nimport ttapi_nb as tt\n"
        "go = threading.Event()\nfills = []\n"
        "def fill(image, mask, prompt, seed):\n    fills.append(prompt)\n    go.wait(60)\n    return image\n"
        "editor = tt.ImageEditor(tt.sample(), prompt='anything', client=tt.Client.offline(fill=fill))\neditor",
        "go.set()\nprint('another cell ran')",
        "print(len(fills), len(tt.RunLog().rows(1)))",
    )
    book.run(0)
    book.button("Run").dblclick()
    expect(book.status).to_contain_text("Waiting")
    expect(book.button("Run")).to_be_disabled()
    book.prompt.click()
    book.page.keyboard.press("Control+Enter")
    assert book.run(1) == "another cell ran"
    book.wait_for_results()
    assert book.run(2) == "1 1"


def test_cancel_says_what_it_means(notebook: Opened) -> None:
    """Cancelling a run of the embedded service speaks of no bill, and the editor can run again."""
    book = notebook(
        "import threading\nimport ttapi_nb as tt\n"
        "go = threading.Event()\n"
        "def fill(image, mask, prompt, seed):\n    go.wait(60)\n    return image\n"
        "editor = tt.ImageEditor(tt.sample(), prompt='anything', client=tt.Client.offline(fill=fill))\neditor",
        "go.set()",
    )
    book.run(0)
    book.button("Run").click()
    expect(book.status).to_contain_text("Waiting")
    book.button("Cancel").click()
    expect(book.status).to_contain_text("Cancelled. If the result still comes")
    expect(book.button("Run")).to_be_enabled()
    expect(book.button("Cancel")).to_be_disabled()
    book.run(1)
    expect(book.status).to_contain_text("was kept")
