"""`Asking`: one request of a client that nobody's `Run` watches over, and what becomes of it when that is stopped.

Until its first byte leaves it can be dropped, and then nothing is sent. After that it may be billed: it goes on in the
background until its own time is over, Python waits for it before it ends, and whoever dropped it is told.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future
from functools import partial
from typing import Any

from .. import exiting, loop
from ..errors import NotSentError, RefusedError
from ..loading import loading
from ..reply import ImagesResponse
from ..request import EditRequest
from .core import Core
from .told import Told

__all__ = ["Asking"]

DROPPED = (
    "The request had left when its call was stopped, so it may be carried out and billed. {after}: look at your usage "
    "in {account} before you send it again. ttapi_nb.edit() keeps such an answer in its run log."
)
GOES_ON = "It goes on in the background for at most {seconds:.0f} s, and its answer is given to nobody"
HAD_COME = "Its answer had come by then, and is given to nobody"


class Asking(exiting.Unfinished):
    """One request, which `begin` sends with `core`.

    Made before it is sent, so that whoever is interrupted while that happens has it to `drop`.
    """

    def __init__(self, core: Core, kind: type[EditRequest], check: bool, fields: dict[str, Any]) -> None:
        super().__init__(core.timeout, core.offline)
        self._account = core.account
        core.load()
        # Set alone, without a call, by whoever is interrupted; `_left` and `withdraw` decide under the guard.
        self.dropped = False
        self._guard = threading.Lock()
        self._make = partial(core.make, kind, check, fields, Told(sent=self._left))
        # None until it is known: whoever is interrupted may have begun it without.
        self._answer: Future[ImagesResponse] | None = None

    def begin(self) -> Future[ImagesResponse]:
        """Send it from now on, and give what will have its answer. Raises `NotSentError`, as a full process does."""
        exiting.add(self)
        try:
            with loading():
                self._answer = loop.submit(self._carry_out())
        except Exception:
            self.set_over()
            raise
        return self._answer

    async def _carry_out(self) -> ImagesResponse:
        try:
            return await self._make()
        finally:
            self.set_over()

    async def _left(self) -> None:
        with self._guard:
            if self.dropped:
                raise NotSentError("The call was stopped before the request had left, so nothing was sent.")
            self.left_at = time.monotonic()

    def withdraw(self) -> bool:
        """Keep it from leaving; False where it has left, or has ended."""
        with self._guard:
            if self.left_at is not None or self.over.done():
                return False
            self.dropped = True
        if self._answer is not None:
            self._answer.cancel()
        self.set_over()
        return True

    def drop(self, error: BaseException) -> None:
        """Its caller was stopped by `error`: nothing is sent, or it is told that something was."""
        if self.withdraw() or not self.has_left or self.offline or self._was_free():
            return
        after = (
            HAD_COME if self.over.done() else GOES_ON.format(seconds=max(0.0, self.due - time.monotonic()))
        )
        words = DROPPED.format(after=after, account=self._account)
        error.add_note(words)
        # Not `warnings`: made an error there, it would take the place of what stopped the call.
        logging.getLogger("ttapi_nb").warning(words)

    def _was_free(self) -> bool:
        """Whether it is known that nobody is billed for it."""
        answer = self._answer
        if answer is None or not answer.done() or answer.cancelled():
            return False
        return isinstance(answer.exception(), NotSentError | RefusedError)
