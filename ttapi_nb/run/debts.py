"""What a log did not take: a full disk has room again some day, and until then the rows would count as spent."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from functools import partial

from .. import exiting, loop
from ..log import RunLog
from .ending import caught

__all__ = ["owe", "pay_debts"]

_debts: list[tuple[RunLog, Callable[[RunLog], None]]] = []
_debts_guard = threading.Lock()


def owe(log: RunLog, debt: Callable[[RunLog], None]) -> None:
    """Write `debt` into the log when that can be done again."""
    with _debts_guard:
        _debts.append((log, debt))


def pay_debts(log: RunLog) -> None:
    """Write into a log how earlier runs ended, where it did not take that then."""
    with _debts_guard:
        mine = [debt for where, debt in _debts if where.folder == log.folder]
        _debts[:] = [one for one in _debts if one[0].folder != log.folder]
    for debt in mine:
        error = caught(partial(debt, log))
        if error is not None:
            owe(log, debt)


def _pay_at_last() -> None:
    with _debts_guard:
        logs = [log for log, _ in _debts]
    for log in logs:
        with contextlib.suppress(BaseException):
            loop.start(partial(pay_debts, log)).result(exiting.LAST_WORDS / 2)


exiting.afterwards(_pay_at_last)
