"""`Run`: one edit under way, and what came of it. What is kept of it is `RunLog`'s."""

from __future__ import annotations

import asyncio
import contextlib
import html
import logging
import threading
import time
import uuid
from collections.abc import Callable, Generator
from concurrent.futures import Future, wait
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from PIL import Image

from . import loop
from .budget import Budget, Estimate, sent_options
from .errors import (
    NotSentError,
    RefusedError,
    ResultError,
    RunCancelledError,
    TTAPIError,
    UnknownOutcomeError,
)
from .fit import Fit
from .lineage import Lineage, Step, lineage_of, next_lineage, step_of
from .models import OFFLINE_NOTICE, REPLAY_NOTICE
from .picture import ImageFile, SourceImage, thumbnail_html
from .request import EditRequest
from .runlog import RunLog, RunRow, State, default_log
from .strict import Leak, Shift

if TYPE_CHECKING:
    from .reply import ImageData, ImagesResponse

__all__ = ["Result", "Run", "RunLog", "RunRow", "State", "default_log"]

FAILED: State = "failed"
STATES: tuple[tuple[type[TTAPIError], State], ...] = (
    (NotSentError, "not sent"),
    (RefusedError, "refused"),
    (UnknownOutcomeError, "unknown"),
)

UNTOLD = "What made the results could not be written down ({error}), so their files won't tell it."


@dataclass(frozen=True)
class Result:
    """One result of a run.

    `image` is the result as it is meant: what lies outside the mask is the source's, where `kept` is true.
    `raw` is the model's own answer, and `leak` how much that repainted outside the mask (None where there was no mask).
    `shift` is by how much its colours were off, as far as that was measured and evened out. `note` says what a reader
    should know.
    """

    number: int
    picture: SourceImage = field(repr=False)
    data: ImageData = field(repr=False)
    kept: bool
    leak: Leak | None = None
    note: str = ""
    offline: bool = False
    shift: Shift | None = None
    replayed: bool = False

    @property
    def image(self) -> Image.Image:
        """The result as a PIL image."""
        return self.picture.pixels

    @property
    def raw(self) -> Image.Image:
        """The model's answer as it came, as a PIL image."""
        return self.data.image

    @property
    def lineage(self) -> Lineage | None:
        """What made it, oldest step first; `save` writes that into the file."""
        return lineage_of(self.picture)

    @property
    def notice(self) -> str:
        """Where it comes from, if not from the hosted service; for wherever it is shown."""
        said = [REPLAY_NOTICE if self.replayed else "", OFFLINE_NOTICE if self.offline else ""]
        return " ".join(words for words in said if words)

    def file(self, format: str | None = None) -> ImageFile:
        """The file that `save` writes, as `PNG` (left out), `JPEG` or `WEBP`."""
        return self.picture.saved_file(format)

    def save(self, path: str | Path, *, lineage: bool = True) -> Path:
        """Write the result to `path` (.png, .jpg or .webp), with what made it, the prompt too, for `open_result`.

        `lineage=False` writes the picture alone. Returns where it is; raises `ResultError`.
        """
        return (self.picture if lineage else self.picture.with_lineage("")).save(path)

    def _repr_html_(self) -> str:
        caption = f"Result {self.number}: {self.image.width}x{self.image.height}"
        said = [self.note, self.notice]
        return thumbnail_html(self.image, caption, 512) + "".join(
            f"<p>{html.escape(words)}</p>" for words in said if words
        )


class Run:
    """One edit under way. It goes on when the cell that began it ends, and can be waited for, awaited or cancelled.

    `status` is `"sending"`, `"waiting"`, `"done"`, `"failed"` or `"cancelled"`; `results`, `response` and `error` are
    what came of it, and `note` what else there is to say. `estimate` is what it was expected to take, and `cost` what
    it did, in the currency of the budget's prices: None where there was no price.
    """

    def __init__(
        self,
        request: EditRequest,
        source: SourceImage,
        fit: Fit,
        *,
        strict: bool,
        log: RunLog | None,
        asked: EditRequest | None = None,
        how: str = "auto",
        budget: Budget | None = None,
    ) -> None:
        self.id = uuid.uuid4().hex
        self.request = request
        # As it was before it was fitted, and how that was to be done.
        self.asked = asked or request
        self.how = how
        self.source = source
        self.fit = fit
        self.strict = strict
        self.log = log
        self.budget = budget
        self.status: Literal["sending", "waiting", "done", "failed", "cancelled"] = "sending"
        self.results: tuple[Result, ...] = ()
        self.response: ImagesResponse | None = None
        self.error: Exception | None = None
        self.note = ""
        self.cost: float | None = None
        self.started = time.monotonic()
        self._finished: float | None = None
        self._given_up = False
        self._task: asyncio.Task[None] | None = None
        self._lock = threading.RLock()
        self._callbacks: list[Callable[[Run], None]] = []
        self._step: Step | None = None
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
        return f"<p>{html.escape(str(self.error or self.note or self.status))}</p>"

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
        """
        if loop.is_here() and not self._outcome.done():
            raise RuntimeError(
                "A callback of the run can't wait for it. Look at run.done and run.results instead."
            )
        # Not by result(timeout): a run may have failed with a time-out of its own.
        if not wait((self._outcome,), timeout).done:
            raise TimeoutError(
                f"The run is still going on after {timeout:g} seconds. Wait again, or cancel() it."
            )
        self._outcome.result()
        return self

    @property
    def estimate(self) -> Estimate:
        """What it was expected to take before it was sent."""
        return (self.budget or Budget()).estimate(self.request)

    def __await__(self) -> Generator[Any, None, Run]:
        yield from asyncio.shield(asyncio.wrap_future(self._outcome)).__await__()
        return self

    def cancel(self) -> None:
        """Stop it: nothing is billed before the request has left; after that it goes on, and its answer is kept."""
        if loop.is_here():
            self._cancel()
        else:
            loop.submit(self._cancel_there()).result()

    async def _cancel_there(self) -> None:
        self._cancel()

    def _cancel(self) -> None:
        # On the package's loop, where the request leaves: either it has left or it has not.
        if self.done:
            return
        if self.status == "sending" and self._task is not None:
            self._task.cancel()
            return
        self.note = (
            "Cancelled after the request had left, so it may be billed. If the answer comes, it is kept."
        )
        self._end("cancelled", RunCancelledError(self.note))

    def on_change(self, callback: Callable[[Run], None], remove: bool = False) -> None:
        """Call `callback(run)` on the package's thread whenever `status`, `results` or `note` change.

        What a callback raises is logged, and the run goes on.
        """
        with self._lock:
            if remove:
                self._callbacks.remove(callback)
            else:
                self._callbacks.append(callback)

    # For the code that carries the run out, on the package's loop

    def began(self, task: asyncio.Task[None] | None) -> None:
        """The task that carries it out has started."""
        self._task = task

    def given_up(self) -> None:
        """It was stopped as it began, so that nobody holds it: it must not leave, if it has not left already."""
        self._given_up = True
        if self.log is not None:
            with contextlib.suppress(ResultError):
                self.log.withdraw(self.id)

    def refused(self, seconds: float) -> None:
        """The service was too busy for it, so that nothing is billed, and it is sent again in so many seconds."""
        if self.log is not None:
            self.log.mark_refused(self.id)
        self.status = "sending"
        self.note = f"The service is busy, and nothing was billed. It is asked again in {seconds:.0f} s."
        self._changed()

    def left(self) -> None:
        """Its first byte is leaving. Raises `NotSentError` where it may not."""
        if self._given_up:
            raise NotSentError("The run was interrupted as it began, so nothing was sent. Run again.")
        if self.log is not None:
            self.log.mark_sent(self.id)
        self.status, self.note = "waiting", ""
        self._changed()

    def answered(self, response: ImagesResponse) -> None:
        """Its answer is here, which is paid for: keep it first, then look at it."""
        self.arrived(response)
        self._add_note(response.note)
        self._step = self._made_by(response.offline)

    def arrived(self, response: ImagesResponse) -> None:
        """Keep an answer, whose results may yet have to be fetched."""
        self.response = response
        self.cost = self._cost_of(response)
        if self.log is not None:
            try:
                self.log.store(self.id, response, cost=self.cost)
            except ResultError as error:
                self._add_note(f"{error} The results are here, but not in the log: save them.")

    def _cost_of(self, response: ImagesResponse) -> float | None:
        prices = self.budget.prices if self.budget is not None else None
        if prices is None or response.offline or response.replayed:
            return None
        usage = asdict(response.usage) if response.usage is not None else None
        try:
            return prices.cost(self.request.model, sent_options(self.request), len(response.data), usage)
        except Exception as error:  # noqa: BLE001 - a paid answer must not be lost to a price function's mistake
            self._add_note(f"What it cost could not be told ({error}), so it counts as estimated.")
            return None

    def _made_by(self, offline: bool) -> Step | None:
        # Here, where nobody waits for this thread: it hashes the pictures.
        try:
            return step_of(
                self.asked,
                fit=self.how,
                plan=self.fit.words,
                box=self.fit.box,
                sent_size=self.request.image[0].size,
                strict=self.strict,
                offline=offline,
            )
        except Exception as error:  # noqa: BLE001 - a paid answer must not be lost to what is written about it
            self._add_note(UNTOLD.format(error=f"{type(error).__name__}: {error}"))
            return None

    def _signed(self, result: Result) -> Result:
        """The result with what made it."""
        if self._step is None:
            return result
        try:
            leak = None if result.leak is None else (float(result.leak.share), float(result.leak.mean))
            step = replace(self._step, kept=result.kept, leak=leak, number=result.number)
            text = next_lineage(self.source, step).to_json()
        except Exception as error:  # noqa: BLE001 - as above
            self._add_note(UNTOLD.format(error=f"{type(error).__name__}: {error}"))
            return result
        return replace(result, picture=result.picture.with_lineage(text))

    def succeeded(self, results: tuple[Result, ...], note: str) -> None:
        """It has its results; `note` says which of them are missing, and why."""
        self.results = tuple(map(self._signed, results))
        self._add_note(note)
        self._settle("done", note)
        if self.status == "cancelled":
            self._add_note("The answer came after you had cancelled. It was kept: see run.results.")
            self._changed()
        else:
            self._end("done", None)

    def stopped(self, error: BaseException) -> None:
        """It ended without results."""
        if isinstance(error, asyncio.CancelledError):
            self.note = "Cancelled before the request had left: nothing was billed."
            self._settle("cancelled", self.note)
            self._end("cancelled", RunCancelledError(self.note))
            return
        self._settle(next((state for kind, state in STATES if isinstance(error, kind)), FAILED), str(error))
        if self.status != "cancelled":
            self._end("failed", error if isinstance(error, Exception) else RuntimeError(str(error)))

    def _settle(self, state: State, problem: str = "") -> None:
        if self.log is None:
            return
        try:
            self.log.settle(self.id, state, problem)
        except ResultError as error:
            self._add_note(str(error))

    def _add_note(self, note: str) -> None:
        if note not in self.note:
            self.note = f"{self.note} {note}".strip()

    def _end(self, status: Literal["done", "failed", "cancelled"], error: Exception | None) -> None:
        self.status, self.error, self._finished = status, error, time.monotonic()
        # Callbacks first: whoever waits finds everything that follows from the end done.
        self._changed()
        if error is None:
            self._outcome.set_result(None)
        else:
            self._outcome.set_exception(error)

    def _changed(self) -> None:
        with self._lock:
            callbacks = tuple(self._callbacks)
        for callback in callbacks:
            try:
                callback(self)
            except Exception:  # a paid answer must not be lost to a callback's mistake
                logging.getLogger(__name__).exception("Exception in callback %s", callback)
