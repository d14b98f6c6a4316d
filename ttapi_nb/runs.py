"""`Run`: one edit under way, and what came of it. What is kept of it is `RunLog`'s; `carrying` carries it out."""

from __future__ import annotations

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
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from PIL import Image

from . import loop
from .errors import ResultError, TTAPIError
from .fit import Fit
from .lineage import Lineage, lineage_of
from .log import RunLog, RunRow, State, default_log
from .log.budget import Budget, Estimate
from .models import OFFLINE_NOTICE, REPLAY_NOTICE
from .picture import ImageFile, SourceImage, thumbnail_html
from .request import EditRequest
from .strict import Leak, Shift

if TYPE_CHECKING:
    import numpy as np

    from .carrying import Carrier
    from .reply import ImageData, ImagesResponse

__all__ = ["Result", "Run", "RunLog", "RunRow", "State", "default_log"]

ELSEWHERE = (
    "This run is under way in the process that began it, and can't be waited for or stopped in this one. Do that "
    "there, or look for it in the run log."
)


@dataclass(frozen=True)
class Result:
    """One result of a run.

    `image` is the result as it is meant: what lies outside the mask is the source's, where `kept` is true.
    `raw` is the model's own answer, and `leak` how much that repainted outside the mask (None where
    nothing was protected).
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
    _saved: list[str] = field(default_factory=list, repr=False, compare=False)

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

    @property
    def native(self) -> np.ndarray[Any, Any]:
        """The result as it will be saved, in the photo's own colours and depth: (height, width), or with channels
        behind, uint8 or uint16. Where nothing is masked these are the numbers of the photo's file. Treat it as
        read-only; it is made anew at each look.
        """
        import numpy as np

        own = self.picture.own
        return np.asarray(self.picture.pixels) if own is None else own.numbers()

    def file(self, format: str | None = None) -> ImageFile:
        """The file that `save` writes, as `PNG` (left out), `JPEG`, `WEBP` or `TIFF`; `changes` of it tells what such a
        file can't hold.
        """
        return self.picture.saved_file(format)

    @property
    def saved_note(self) -> str:
        """What the file that was saved last could not hold of the result, in words; empty where it holds it all."""
        return " ".join(self._saved)

    def save(self, path: str | Path, *, lineage: bool = True, keep_metadata: bool = False) -> Path:
        """Write the result to `path` (.png, .jpg, .webp or .tif) in the photo's own colours, depth and density, with
        what made it, the prompt too, for `open_result`. Saved as .jpg, a JPEG keeps its blocks where nothing changed.

        `lineage=False` leaves out what made it. `keep_metadata=True` keeps the photo's EXIF, XMP and IPTC, but for
        place and maker's notes. What the kind of file can't hold is told by `saved_note`. Returns where it is; raises
        `ResultError`.
        """
        picture = self.picture if lineage else self.picture.with_lineage("")
        where, changes = picture.write(path, keep_metadata=keep_metadata)
        self._saved[:] = changes
        return where

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

    It can be pickled, without any key: finished, it is all there again; under way, it is as it was then, and whoever
    waits for that copy is told so.
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
        self._estimate: Estimate | None = None
        self._at_home(os.getpid())

    def _at_home(self, process: int) -> None:
        """What belongs to a process, and is neither copied nor sent elsewhere."""
        self._process = process
        self._carrier: Carrier | None = None
        # Held for a few assignments, never while anything is written, called or waited for.
        self._guard = threading.RLock()
        self._callbacks: list[Callable[[Run], None]] = []
        self._followers: list[tuple[Callable[[Run], None], loop.Lane]] = []
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
        return self._estimate or (self.budget or Budget()).estimate(self.request)

    def __await__(self) -> Generator[Any, None, Run]:
        if self._is_copy():
            return self.wait()
        yield from loop.follow(self._outcome).__await__()
        return self

    def cancel(self) -> None:
        """Stop it: nothing is billed before the request has left; after that it goes on, and its answer is kept.

        Returns at once, on any thread and in any callback. Raises `ResultError` in another process than the run's own.
        """
        if not self._is_copy() and self._carrier is not None:
            self._carrier.cancel()

    def on_change(self, callback: Callable[[Run], None], remove: bool = False) -> None:
        """Call `callback(run)` whenever `status`, `results` or `note` change.

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

    def _tell(self) -> list[Future[None]]:
        """Have the callbacks called; each future is done when one has been."""
        told: list[Future[None]] = []
        with self._guard:
            followers, callbacks = tuple(self._followers), self._callbacks
        # A system without another thread must not cost a run.
        with contextlib.suppress(RuntimeError, MemoryError):
            told += [lane.submit(partial(self._call, callback)) for callback, lane in followers]
            told += [self._lane.submit(partial(self._call, callback, True)) for callback in callbacks]
        return told

    def _call(self, callback: Callable[[Run], None], removable: bool = False) -> None:
        if removable and callback not in self._callbacks:
            return
        try:
            loop.not_here("a callback")
            callback(self)
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


AT_HOME = ("_process", "_carrier", "_guard", "_callbacks", "_followers", "_lane", "_outcome")


def _portable(value: Any) -> Any:
    """`value`, or None where it can't be pickled."""
    try:
        pickle.dumps(value)
    except Exception:  # noqa: BLE001 - whatever its own methods raise
        return None
    return value
