"""How soon an editor with the sample is on the screen, from the start of its cell: beside ipycanvas showing the same.

Both take turns in one notebook, whose kernel and page know them already. A picture counts as shown when a pixel of it
can be read from the canvas that is on the screen. With `--before COMMIT` also beside the editor of an earlier commit.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks._bench import Table
from tests.benchmarks.pointer_to_pixel import lab_at
from tests.ui.lab import running_browser
from tests.ui.notebook import PATIENCE, Notebook

ROUNDS = 7
MOST, MOST_BEFORE = 1.5, 1.0
EDITOR = "import ttapi_nb as tt\neditor = tt.ImageEditor(tt.sample(), client=tt.Client.offline())\neditor"
CANVAS = """import io, ipycanvas, ipywidgets
from PIL import Image
out = io.BytesIO()
tt.sample().pixels.save(out, "JPEG", quality=90)
canvas = ipycanvas.Canvas(width=1024, height=1024)
canvas.on_client_ready(lambda: canvas.draw_image(ipywidgets.Image(value=out.getvalue(), format="jpeg"), 0, 0))
canvas"""
# Seconds from the press that starts the cell until its output shows the photo.
SHOWN = """(number) => new Promise((done) => {
  const cell = document.querySelectorAll(".jp-Notebook .jp-CodeCell")[number];
  const start = window.pressed;
  const look = () => {
    const canvas = [...cell.querySelectorAll("canvas")].find((one) => one.width === 1024 && one.isConnected
      && one.getContext("2d").getImageData(700, 700, 1, 1).data[3] === 255);
    if (canvas) done((performance.now() - start) / 1000);
    else requestAnimationFrame(look);
  };
  look();
})"""
PRESSED = """addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.shiftKey) window.pressed = performance.now();
}, true)"""
# What an earlier run left there does not count.
FORGET = """(number) => {
  const cell = document.querySelectorAll(".jp-Notebook .jp-CodeCell")[number];
  for (const one of cell.querySelectorAll("canvas")) one.width = 1;
}"""


def seconds(book: Notebook, number: int) -> float:
    """Run a cell again, and see how long its new picture takes."""
    page = book.page
    page.evaluate(FORGET, number)
    cell = page.locator(".jp-Notebook .jp-CodeCell").nth(number)
    cell.locator(".cm-content").first.click()
    page.keyboard.press("Escape")
    page.keyboard.press("Shift+Enter")
    taken: float = page.evaluate(SHOWN, number)
    return taken


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", metavar="COMMIT", help="also time the editor of this commit")
    wanted = parser.parse_args()
    table = Table("An editor on the screen")
    with contextlib.ExitStack() as stack:
        browser = stack.enter_context(running_browser())
        books = {}
        for who, commit in {"ours": None, "before": wanted.before}.items():
            if who == "ours" or commit:
                lab = stack.enter_context(lab_at(commit))
                page = browser.new_page(viewport={"width": 1400, "height": 1000})
                page.set_default_timeout(PATIENCE)
                page.add_init_script(PRESSED)
                books[who] = Notebook.opened(page, lab, f"{who}.ipynb", [EDITOR, CANVAS])
                books[who].run(0)
                books[who].run(1)
        found: dict[str, list[float]] = {"ours": [], "canvas": [], "before": []}
        for number in range(ROUNDS + 1):
            for who, book in books.items():
                book.page.bring_to_front()
                times = {who: seconds(book, 0)} | ({"canvas": seconds(book, 1)} if who == "ours" else {})
                for name, time in times.items():
                    # The first round only warms up.
                    if number:
                        found[name].append(time)
        # What the page's scripts hold, eight editors later.
        peaks = {
            who: float(book.page.evaluate("performance.memory.usedJSHeapSize / 1e6"))
            for who, book in books.items()
        }
    peak = peaks["ours"]
    # Both wait for the kernel to open the sample; then a page makes a model and a view of each widget in turn.
    note = "44 widgets against 3: most of the rest is the page making them, before it is told to show any"
    name = "the sample in an editor, warm, against ipycanvas"
    table.compare(name, found["ours"], found["canvas"], MOST, peak=peak, note=note)
    if found["before"]:
        pair = peak, peaks["before"]
        name = "the sample in an editor, against before"
        table.compare(name, found["ours"], found["before"], MOST_BEFORE, peak=pair)
    return table.finish()


if __name__ == "__main__":
    sys.exit(main())
