"""`Asking`: one request of a client that nobody's `Run` watches over, and what becomes of it when that is stopped.

Until its first byte leaves it can be dropped, and then nothing is sent. After that it may be billed: it goes on in the
background until its own time is over, Python waits for it before it ends, and whoever dropped it is told.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future
from typing import Any

from .. import exiting, loop
from ..errors import NotSentError
from ..loading import loading
from ..reply import ImagesResponse
from ..request import EditRequest
from .core import Core
from .told import Told

__all__ = ["Asking"]

DROPPED = (
    "The request had left when its call was stopped, so it may be carried out and billed. It goes on in the "
    "background for at most {seconds:.0f} s, and its answer is given to nobody: look at your usage in {account} "
    "before you send it again. ttapi_nb.edit() keeps such an answer in its run log."
)


class Asking(exiting.Unfinished):
    """One request, sent with `core` from the moment this is made."""

    def __init__(self, core: Core, kind: type[EditRequest], check: bool, fields: dict[str, Any]) -> None:
        super().__init__(core.timeout, core.offline)
        self._account = core.account
        core.load()
        # Set alone, without a call, by whoever is interrupted; `_left` and `withdraw` decide under the guard.
        self.dropped = False
        self._guard = threading.Lock()
        with loading():
            self.answer: Future[ImagesResponse] = loop.submit(
                core.make(kind, check, fields, Told(sent=self._left))
            )
        exiting.add(self)
        self.answer.add_done_callback(self._ended)

    async def _left(self) -> None:
        with self._guard:
            if self.dropped:
                raise NotSentError("The call was stopped before the request had left, so nothing was sent.")
            self.left_at = time.monotonic()

    def _ended(self, _: object) -> None:
        self.set_over()

    def withdraw(self) -> bool:
        """Keep it from leaving; False where it has left, or has ended."""
        with self._guard:
            if self.left_at is not None or self.answer.done():
                return False
            self.dropped = True
        self.answer.cancel()
        return True

    def drop(self, error: BaseException) -> None:
        """Its caller was stopped by `error`: nothing is sent, or it is told that something was."""
        if self.withdraw() or self.answer.done() or self.offline:
            return
        words = DROPPED.format(seconds=max(0.0, self.due - time.monotonic()), account=self._account)
        error.add_note(words)
        # Not `warnings`: made an error there, it would take the place of what stopped the call.
        logging.getLogger("ttapi_nb").warning(words)
