"""What browser tests hand on to each other: nothing of one is left in the next."""

from __future__ import annotations

from tests.ui.shared import Shared

LEAVES = """
import os
os.environ["TT_API_KEY_FILE"], left = "mine", 1
del os.environ["TTAPI_OFFLINE"]
%xmode Minimal
"""
LEFT = """
import os
print(os.environ["TTAPI_OFFLINE"], os.environ.get("TT_API_KEY_FILE") == "mine", "left" in globals())
print(get_ipython().InteractiveTB.mode)
"""


def test_a_kernel_forgets_names_environment_and_mode(shared: Shared) -> None:
    """What a test sets in a shared kernel, as those with a key do, is as it was for the next, which has that kernel."""
    book = shared.open("leaves.ipynb", LEAVES)
    session = book.session
    book.run(0)
    shared.leave(book)
    book = shared.open("left.ipynb", LEFT)
    try:
        assert book.session == session
        assert book.run(0).splitlines() == ["1 False False", "Context"]
    finally:
        shared.leave(book)
