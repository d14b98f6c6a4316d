"""What a log did not take: a full disk has room again some day, and until then the rows would count as spent."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from functools import partial

from .. import exiting, loop
from ..log import RunLog, State
from ..reply import ImagesResponse
from .ending import caught

__all__ = ["owe", "pay_debts", "settle", "store"]

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


def store(run_id: str, response: ImagesResponse, cost: float | None, log: RunLog) -> None:
    """Keep an answer in the log."""
    log.store(run_id, response, cost=cost)


def settle(run_id: str, state: State, problem: str, unmark: bool, log: RunLog) -> None:
    """Write there how a run ended; `unmark` says that it has not left after all."""
    if unmark:
        log.mark_unsent(run_id)
    log.settle(run_id, state, problem)


exiting.afterwards(_pay_at_last)
