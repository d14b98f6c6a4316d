"""`Run`: one edit under way, and what came of it. What is kept of it is `RunLog`'s; a `Carrier` carries it out."""

from __future__ import annotations

import asyncio
import contextlib
import html
import logging
import os
import pickle
import threading
import time
import uuid
from collections.abc import Callable, Generator
from concurrent.futures import Future, wait
from functools import partial
from typing import Any, Literal, Protocol

from .. import loop
from ..asked import Asked, Prepared
from ..errors import InvalidRequestError, ResultError, TTAPIError
from ..fit import Fit
from ..log import Budget, Claim, Estimate, RunLog
from ..picture import SourceImage
from ..reply import ImagesResponse
from ..request import NO_PICTURE, EditRequest
from .blank import blank, plan_of
from .ending import goes_on
from .partial import Partial
from .result import Result

__all__ = ["Run"]

ELSEWHERE = (
    "This run is under way in the process that began it, and can't be waited for or stopped in this one. Do that "
    "there, or look for it in the run log."
)


class Carries(Protocol):
    """What carries a run out, as far as a run knows; `over` is done when nothing more happens."""

    over: Future[None]
    offline: bool

    @property
    def has_left(self) -> bool:
        """Whether it may be billed."""

    def cancel(self) -> None:
        """See `Run.cancel`."""

    def waits_here(self) -> bool:
        """Whether what it waits for is called on this thread."""


class Run:
    """One edit under way. It goes on when the cell that began it ends, and can be waited for, awaited or cancelled.

    `asked` is what was asked for, `request` what is sent of it, `source` the picture that is edited (a blank sheet
    where one is made of words alone), and `plan` how it travels. `status` is `"sending"`, `"waiting"`, `"done"`,
    `"failed"` or `"cancelled"`; `results`, `response` and `error` are what came of it, and `note` what else there is to
    say. `estimate` is what it was expected to take, and `cost` what it did, in the currency of the budget's prices:
    None where there was no price. `partials` are the drafts that came of what is not finished yet, in the order in
    which they came: see `Partial`. They are no results, and stay what they are where no result comes.

    It can be pickled, without any key: finished, it is all there again; under way, it is as it was then, and whoever
    waits for that copy is told so.
    """

    def __init__(
        self,
        prepared: Prepared,
        *,
        log: RunLog | None = None,
        budget: Budget | None = None,
        claim: Claim | None = None,
        on_partial: Callable[[Partial], None] | None = None,
    ) -> None:
        source, plan = prepared.asked.source, prepared.plan
        if prepared.sent.generates:
            source = blank(prepared.sent.size)
            plan = plan_of(source, prepared.sent.model, prepared.sent.size)
        if plan is None or source is None:
            raise InvalidRequestError(prepared.problems or (NO_PICTURE,))
        self.id = uuid.uuid4().hex
        self.prepared = prepared
        self.source: SourceImage = source
        self.plan: Fit = plan
        self.log = log
        self.budget = budget
        self.claim = claim
        self.status: Literal["sending", "waiting", "done", "failed", "cancelled"] = "sending"
        self.results: tuple[Result, ...] = ()
        self.partials: tuple[Partial, ...] = ()
        self.response: ImagesResponse | None = None
        self.error: Exception | None = None
        self.note = ""
        self.cost: float | None = None
        self.started = time.monotonic()
        self._finished: float | None = None
        self._estimate: Estimate | None = None
        self._at_home(os.getpid(), on_partial)

    def _at_home(self, process: int, on_partial: Callable[[Partial], None] | None = None) -> None:
        """What belongs to a process, and is neither copied nor sent elsewhere."""
        self._process = process
        self._carrier: Carries | None = None
        # Held for a few assignments, never while anything is written, called or waited for.
        self._guard = threading.RLock()
        self._callbacks: list[Callable[[Run], None]] = []
        self._answered: Callable[[], None] | None = None
        self._followers: list[tuple[Callable[[Run], None], loop.Lane]] = []
        self._on_partial = on_partial
        self._lane = loop.lane()
        # Of nothing: one of this run would keep it, and all its pictures, until the collector comes by.
        self._outcome: Future[None] = Future()
        # Marked as running, so that whoever waits for it can't cancel it by being cancelled.
        self._outcome.set_running_or_notify_cancel()

    def __repr__(self) -> str:
        count = len(self.results)
        return f"Run({self.status}{f', {count} result' if count else ''}{'s' if count > 1 else ''})"

    def _repr_html_(self) -> str:
        if self.results:
            return "".join(result._repr_html_() for result in self.results)
        drafts = "".join(draft._repr_html_() for draft in self.partials)
        return f"<p>{html.escape(str(self.error or self.note or self.status))}</p>{drafts}"

    @property
    def asked(self) -> Asked:
        """What was asked for, before anything was fitted."""
        return self.prepared.asked

    @property
    def request(self) -> EditRequest:
        """What is sent."""
        return self.prepared.sent

    @property
    def fit(self) -> Fit:
        """As `plan`, by the name that it had first."""
        return self.plan

    @property
    def strict(self) -> bool:
        """Whether what lies outside the mask is kept exactly."""
        return self.prepared.asked.strict

    @property
    def done(self) -> bool:
        """Whether it has ended, one way or another."""
        return self._finished is not None

    @property
    def seconds(self) -> float:
        """How long it has taken, or took."""
        return (self._finished or time.monotonic()) - self.started

    def wait(self, timeout: float | None = None) -> Run:
        """Wait until it has ended and return it. Raises what went wrong, or `TimeoutError` after `timeout` seconds, in
        which case it goes on; so it does when the wait is interrupted.

        Callbacks of its end come first, for a few seconds at most. Raises `ResultError` in another process than the
        run's own, where it has not ended, and `RuntimeError` in one of its callbacks, which come before its end.
        """
        if self._is_copy():
            if self.error is not None:
                raise self.error
            return self
        if (loop.is_here() or self._lane.is_here()) and not self._outcome.done():
            raise RuntimeError(
                "A callback of the run can't wait for it. Look at run.done and run.results instead."
            )
        try:
            # Not by result(timeout): a run may have failed with a time-out of its own.
            over = wait((self._outcome,), timeout).done
        except KeyboardInterrupt as error:
            self._left_alone(error)
            raise
        if not over:
            raise TimeoutError(
                f"The run is still going on after {timeout:g} seconds. Wait again, or cancel() it."
            )
        self._outcome.result()
        return self

    @property
    def estimate(self) -> Estimate:
        """What it was expected to take before it was sent."""
        return self._estimate or (self.budget or Budget()).estimate(self.request, self.prepared.requests)

    def __await__(self) -> Generator[Any, None, Run]:
        if self._is_copy():
            return self.wait()
        try:
            yield from loop.follow(self._outcome).__await__()
        except (asyncio.CancelledError, KeyboardInterrupt) as error:
            self._left_alone(error)
            raise
        return self

    def _left_alone(self, error: BaseException) -> None:
        """Whoever waited was stopped by `error`, which is told where the run is, once."""
        carrier = self._carrier
        if carrier is not None and not self.done and not getattr(error, "__notes__", None):
            error.add_note(goes_on(self.id, self.log, offline=carrier.offline))

    def cancel(self) -> None:
        """Stop it: nothing is billed before the request has left; after that it goes on, and its answer is kept.

        Returns at once, on any thread and in any callback. Raises `ResultError` in another process than the run's own.
        """
        if not self._is_copy() and self._carrier is not None:
            self._carrier.cancel()

    def on_change(self, callback: Callable[[Run], None], remove: bool = False) -> None:
        """Call `callback(run)` whenever `status`, `results`, `partials` or `note` change.

        It is called on a thread of the package, never on two at once, in the order of the changes; by then the run may
        be further on. It may do anything, also cancel the run, start others or take long: neither this run nor another
        waits for it, but for `wait()`, which holds back the end for a few seconds until all callbacks have seen it.
        Only waiting for its own run is refused. What it raises is logged, and the run goes on.
        """
        if self._process != os.getpid():
            return
        with self._guard:
            if not remove:
                self._callbacks = [*self._callbacks, callback]
            elif callback in self._callbacks:
                at = self._callbacks.index(callback)
                self._callbacks = self._callbacks[:at] + self._callbacks[at + 1 :]

    # For the rest of this package

    def _follow(self, callback: Callable[[Run], None], lane: loop.Lane) -> None:
        """As `on_change`, on a lane of the caller's own."""
        with self._guard:
            self._followers.append((callback, lane))

    def _when_answered(self, callback: Callable[[], None]) -> None:
        """Call this, once or twice, when `response` is whole and the results are yet to be made."""
        self._answered = callback
        if self.response is not None:
            callback()

    def _tell_answered(self) -> list[Future[None]]:
        """Have that called; the future, where there is one, is done when it has been."""
        callback = self._answered
        if callback is not None:
            with contextlib.suppress(RuntimeError, MemoryError):
                return [self._lane.submit(callback)]
        return []

    def _waits_here(self) -> bool:
        """Whether this is called, as a price function may be, by what it waits for before it leaves."""
        return self._carrier is not None and self._carrier.waits_here()

    def _tell(self) -> list[Future[None]]:
        """Have the callbacks called; each future is done when one has been."""
        told: list[Future[None]] = []
        with self._guard:
            followers, callbacks = tuple(self._followers), self._callbacks
        # A system without another thread must not cost a run.
        with contextlib.suppress(RuntimeError, MemoryError):
            told += [lane.submit(partial(self._call, callback)) for callback, lane in followers]
            told += [self._lane.submit(partial(self._call, callback, True)) for callback in callbacks]
            if self.partials and self._on_partial is not None:
                # Behind what was said of drafts.
                told.append(self._lane.submit(_nothing))
        return told

    def _add_partial(self, draft: Partial) -> None:
        """One more draft, unless it has ended."""
        with self._guard:
            if self.done:
                return
            self.partials = (*self.partials, draft)
        if self._on_partial is not None:
            with contextlib.suppress(RuntimeError, MemoryError):
                self._lane.submit(partial(self._guarded, self._on_partial, draft))
        self._tell()

    def _call(self, callback: Callable[[Run], None], removable: bool = False) -> None:
        if not removable or callback in self._callbacks:
            self._guarded(callback, self)

    def _guarded(self, callback: Callable[[Any], None], argument: Any) -> None:
        try:
            loop.not_here("a callback")
            callback(argument)
        except BaseException:  # a paid answer must not be lost to a callback's mistake
            with contextlib.suppress(BaseException):
                logging.getLogger(__name__).exception("Exception in callback %s", callback)

    def _add_note(self, note: str) -> None:
        with self._guard:
            if note not in self.note:
                self.note = f"{self.note} {note}".strip()

    def _end(self, status: Literal["done", "failed", "cancelled"], error: Exception | None) -> None:
        """It has ended, for whoever looks; `_release` is for whoever waits."""
        self.error, self._finished = error, time.monotonic()
        self.status = status

    def _release(self) -> None:
        with self._guard:
            if self._outcome.done():
                return
            if self.error is None:
                self._outcome.set_result(None)
            else:
                self._outcome.set_exception(self.error)

    # In other processes

    def _is_copy(self) -> bool:
        """Whether this is what another process has of the run. Raises `ResultError` where it had not ended there.

        Neither a lock nor a thread of that process is here.
        """
        if self._process == os.getpid():
            return False
        if not self.done:
            raise ResultError(ELSEWHERE)
        return True

    def __getstate__(self) -> dict[str, Any]:
        state = {name: value for name, value in vars(self).items() if name not in AT_HOME}
        try:
            state["_estimate"] = self.estimate
        except Exception:  # noqa: BLE001 - a price function's mistake
            state["_estimate"] = None
        # Prices may be somebody's function, a log somebody's class, an error anything.
        state["budget"], state["log"] = _portable(self.budget), _portable(self.log)
        if self.error is not None and _portable(self.error) is None:
            state["error"] = TTAPIError(f"{type(self.error).__name__}: {self.error}")
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        # Of no process that there is.
        self._at_home(0)


AT_HOME = (
    "_process",
    "_carrier",
    "_guard",
    "_callbacks",
    "_answered",
    "_followers",
    "_on_partial",
    "_lane",
    "_outcome",
)


def _nothing() -> None:
    """Done when what came before it is."""


def _portable(value: Any) -> Any:
    """`value`, or None where it can't be pickled."""
    try:
        pickle.dumps(value)
    except Exception:  # noqa: BLE001 - whatever its own methods raise
        return None
    return value
