"""A prompt that is typed faster than the kernel listens, and a run at once: what was sent."""

from __future__ import annotations

import json

from playwright.sync_api import expect

from tests.ui.notebook import PATIENCE, Notebook

LETTERS = "abcdefghijklmnopqrstuvwxyz "
# The kernel counts on the page what it was asked for.
CODE = """
import ipywidgets, ttapi_nb as tt
prompts, count = [], ipywidgets.Label("asked 0")
def fill(image, mask, prompt, seed):
    prompts.append(prompt)
    count.value = f"asked {len(prompts)}"
    return image
photo = tt.sample().pixels.resize((64, 64))
editor = tt.ImageEditor(photo, client=tt.Client.offline(fill=fill), log=False)
ipywidgets.VBox([editor, count])
"""
# Ends when as many runs were asked for as the cell says, or after two minutes.
BUSY = """
import time
end = time.monotonic() + 120
while len(prompts) < {until} and time.monotonic() < end: sum(range(20_000))
"""
# A millisecond for each letter, in which the page hears what comes from the kernel. By the keyboard, the browser's
# driver would take fifteen.
TYPE = """async (text) => {
  const heard = new MessageChannel();
  for (const letter of text) {
    const next = performance.now() + 1;
    document.execCommand("insertText", false, letter);
    do {
      await new Promise((go) => { heard.port1.onmessage = go; heard.port2.postMessage(0); });
    } while (performance.now() < next);
  }
}"""
PRINT = "import json\nprint(json.dumps(prompts))"


def cells(idle: int, busy: int) -> tuple[str, str, str]:
    """A notebook for so many tries with the kernel idle, and then so many with it busy."""
    return CODE, BUSY.replace("{until}", str(idle + busy)), PRINT


def text_of(number: int, length: int) -> str:
    """A prompt of its own, without a blank at its ends."""
    return (
        "".join(LETTERS[(number + 7 * at) % len(LETTERS)] for at in range(length - 2)) + f"{number % 90 + 10}"
    )


def type_and_run(book: Notebook, tries: int, length: int = 400, before: int = 0) -> list[str]:
    """Type so often so many letters, 1 ms each, and run with Ctrl+Enter; returns what was typed."""
    page = book.page
    texts = [text_of(number, length) for number in range(before, before + tries)]
    for number, text in enumerate(texts, start=before + 1):
        book.prompt.click()
        page.keyboard.press("Control+a")
        page.evaluate(TYPE, text)
        page.keyboard.press("Control+Enter")
        expect(page.get_by_text(f"asked {number}", exact=True)).to_be_visible(timeout=PATIENCE)
        expect(book.prompt).to_have_value(text)
        expect(book.button("Run")).to_be_enabled(timeout=PATIENCE)
    return texts


def prompts_of(book: Notebook, cell: int) -> list[str]:
    """What the kernel was asked for."""
    found: list[str] = json.loads(book.run(cell))
    return found
