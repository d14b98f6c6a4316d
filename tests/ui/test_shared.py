"""What browser tests hand on to each other: nothing of one is left in the next."""

from __future__ import annotations

from tests.ui.shared import Shared

LEAVES = """
import os
os.environ["TT_API_KEY_FILE"], left = "mine", 1
del os.environ["TTAPI_OFFLINE"]
%xmode Minimal
print(os.getpid())
"""
LEFT = """
import os
print(os.getpid(), os.environ["TTAPI_OFFLINE"], os.environ.get("TT_API_KEY_FILE") == "mine", "left" in globals())
print(get_ipython().InteractiveTB.mode)
"""
TOP = "() => window.jupyterapp.shell.currentWidget.content.outerNode.scrollTop"
SCROLLED = """() => {
  const { outerNode } = window.jupyterapp.shell.currentWidget.content;
  outerNode.scrollTop = outerNode.scrollHeight;
  return outerNode.scrollTop;
}"""


def test_nothing_is_left_in_kernel_and_page(shared: Shared) -> None:
    """What a test sets in a shared kernel, as those with a key do, is as it was for the next, which has that
    kernel, and cells of its own.
    """
    book = shared.open("leaves.ipynb", LEAVES, *["more"] * 60)
    kernel = book.run(0).split()[-1]
    assert book.page.evaluate(SCROLLED) > 0
    shared.leave(book)
    book = shared.open("left.ipynb", LEFT)
    try:
        assert book.page.locator(".jp-Notebook .jp-CodeCell").count() == 1
        assert book.page.evaluate(TOP) == 0
        assert book.run(0).splitlines() == [f"{kernel} 1 False False", "Context"]
    finally:
        shared.leave(book)
