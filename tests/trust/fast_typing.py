"""Types 400 letters at 1 ms each and presses Ctrl+Enter, 50 times with the kernel idle and 50 with it busy.

Prints how many prompts were sent whole; the exit status says whether all were.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.ui.fast_typing import cells, prompts_of, type_and_run
from tests.ui.lab import running_browser, running_lab
from tests.ui.notebook import Notebook

TRIES = 50


def main() -> bool:
    """Whether every prompt came whole."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_lab(Path(folder)) as lab,
        running_browser() as browser,
    ):
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        book = Notebook.opened(page, lab, "typing.ipynb", cells(TRIES, TRIES))
        book.run(0)
        typed = type_and_run(book, TRIES)
        book.start(1)
        typed += type_and_run(book, TRIES, before=TRIES)
        sent = prompts_of(book, 2)
    whole = [one == other for one, other in zip(typed, sent, strict=True)]
    print(
        f"Sent whole: {sum(whole[:TRIES])} of {TRIES} with the kernel idle, {sum(whole[TRIES:])} of {TRIES} busy."
    )
    return all(whole)


if __name__ == "__main__":
    sys.exit(not main())
