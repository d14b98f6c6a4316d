"""Opening a photo in the browser: chosen, dropped, pasted, and those that can't be used."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import expect

from tests.ui.notebook import PATIENCE, Notebook

Opened = Callable[..., Notebook]
EDITOR = "import ttapi_nb as tt\neditor = tt.ImageEditor()\neditor"
# What a browser does on a drop or a paste, with a file made in the page.
HAND_OVER = """([selector, kind, name, type, text]) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], name, { type }));
    const target = document.querySelector(selector);
    const options = { bubbles: true, cancelable: true };
    target.dispatchEvent(kind === "paste"
        ? new ClipboardEvent("paste", { ...options, clipboardData: transfer })
        : new DragEvent(kind, { ...options, dataTransfer: transfer }));
}"""


def hand_over(book: Notebook, kind: str, name: str, data: bytes) -> None:
    """Drop or paste a file on the editor's photo or prompt."""
    selector = ".ttapi-editor textarea" if kind == "paste" else ".ttapi-editor canvas"
    book.page.evaluate(HAND_OVER, [selector, kind, name, "image/png", base64.b64encode(data).decode()])


def png(width: int, height: int) -> bytes:
    """A small PNG."""
    out = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(out, "PNG")
    return out.getvalue()


def test_chosen_photo_larger_than_a_message_arrives_whole(notebook: Opened, tmp_path: Path) -> None:
    """A photo of over 10 MiB, which no single message carries, is opened with every pixel as it was."""
    noise = np.random.default_rng(1).integers(0, 256, (1900, 2100, 3), np.uint8)
    path = tmp_path / "noise.png"
    Image.fromarray(noise).save(path, compress_level=1)
    assert path.stat().st_size > 10 * 2**20
    book = notebook(
        EDITOR, "import numpy as np\nprint(editor.image.size, int(np.asarray(editor.image.pixels).sum()))"
    )
    book.run(0)
    book.editor.locator("input[type=file]").first.set_input_files(path)
    expect(book.editor.locator(".ttapi-file").first).to_contain_text(
        "noise.png · 2100 × 1900", timeout=PATIENCE
    )
    assert book.run(1) == f"(2100, 1900) {int(noise.sum())}"


def test_dropped_and_pasted_photos_are_opened(notebook: Opened) -> None:
    """A photo dropped on the canvas, and one pasted while writing the prompt, each become the photo."""
    book = notebook(EDITOR)
    book.run(0)
    hand_over(book, "dragover", "over.png", png(40, 30))
    hand_over(book, "drop", "dropped.png", png(40, 30))
    expect(book.editor.locator(".ttapi-file").first).to_contain_text("dropped.png · 40 × 30")
    hand_over(book, "paste", "pasted.png", png(30, 20))
    expect(book.editor.locator(".ttapi-file").first).to_contain_text("pasted.png · 30 × 20")


def test_sample_is_one_click_away(notebook: Opened) -> None:
    """The sample photo can be taken without having any file."""
    book = notebook(EDITOR)
    book.run(0)
    expect(book.status).to_contain_text("There is no picture")
    book.button("Use the sample").click()
    expect(book.editor.locator(".ttapi-file").first).to_contain_text("sample.jpg · 1024 × 1024")


def test_heic_photo_gets_a_sentence_and_loses_nothing(notebook: Opened) -> None:
    """A broken HEIC photo is not opened; the row of the photo says what to do, and photo and prompt stay."""
    book = notebook(EDITOR)
    book.run(0)
    book.button("Use the sample").click()
    book.prompt.fill("keep this")
    # What is typed is looked at too, and says so in the same place.
    expect(book.status).to_contain_text("Ready.")
    hand_over(book, "drop", "IMG_0001.HEIC", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64))
    said = book.editor.locator(".ttapi-photo-problem").first
    expect(said).to_contain_text("IMG_0001.HEIC")
    expect(said).to_contain_text("JPEG")
    expect(book.editor.locator(".ttapi-file").first).to_contain_text("sample.jpg")
    expect(book.prompt).to_have_value("keep this")
