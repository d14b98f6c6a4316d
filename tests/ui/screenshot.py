"""Makes the README's picture of the editor, and one in the dark theme beside it for whoever looks."""

from __future__ import annotations

import math
import sys
import tempfile
from pathlib import Path

from tests.ui.lab import running_browser, running_lab
from tests.ui.notebook import Notebook

PICTURE = Path(__file__).parents[2] / ".github" / "images" / "editor.jpg"


def over_the_fig() -> list[tuple[float, float]]:
    """The way of a brush, to and fro, that covers the fig and its shadow."""
    way = []
    for row in range(11):
        y = 345.0 + 40 * row
        reach = 235 * math.sqrt(1 - ((y - 545) / 230) ** 2)
        ends = [(510 - reach, y), (510 + reach, y)]
        way += ends if row % 2 else ends[::-1]
    return way


def main(dark_copy: Path) -> None:
    """Take both pictures."""
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    for dark, path in ((False, PICTURE), (True, dark_copy)):
        with (
            tempfile.TemporaryDirectory() as folder,
            running_lab(Path(folder), dark=dark, coarse=False) as lab,
            running_browser() as browser,
        ):
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            book = Notebook.opened(page, lab, "editor.ipynb", ["01_first_edit.ipynb"])
            book.run(0)
            book.run(1)
            book.paint(over_the_fig())
            book.pick("Size", "1024 × 1024")
            book.prompt.fill("an empty bowl")
            book.button("Run").click()
            book.wait_for_results()
            # The line stands where both sides show something of the bowl.
            page.get_by_role("slider", name="Before and after").press("ArrowLeft")
            page.get_by_role("tab", name="File Browser").click()
            book.editor.evaluate("editor => editor.scrollIntoView()")
            page.mouse.move(5, 5)
            page.screenshot(path=path, type="jpeg", quality=80)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
