"""`Run`: one edit under way, and what came of it. `RunLog`: the record of every run, written before a byte leaves."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import html
import json
import logging
import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from PIL import Image

from . import loop
from .errors import (
    NotSentError,
    RefusedError,
    ResultError,
    RunCancelledError,
    TTAPIError,
    UnknownOutcomeError,
)
from .fit import Fit
from .images import SourceImage, thumbnail_html
from .models import OFFLINE_NOTICE
from .request import EditRequest
from .strict import Leak

if TYPE_CHECKING:
    from .client.responses import ImageData, ImagesResponse

__all__ = ["DATA_VARIABLE", "Result", "Run", "RunLog", "RunRow", "State", "default_log"]

DATA_VARIABLE = "TTAPI_DATA"
State: TypeAlias = Literal["open", "done", "not sent", "refused", "unknown", "failed", "cancelled"]
"""`open` until it is settled; `unknown` may have been billed; `failed` was answered but the result can't be used."""

FAILED: State = "failed"
STATES: tuple[tuple[type[TTAPIError], State], ...] = (
    (NotSentError, "not sent"),
    (RefusedError, "refused"),
    (UnknownOutcomeError, "unknown"),
)

SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, started REAL NOT NULL, finished REAL, state TEXT NOT NULL, sent INTEGER NOT NULL DEFAULT 0,
    offline INTEGER NOT NULL, model TEXT NOT NULL, prompt TEXT NOT NULL, options TEXT NOT NULL,
    source TEXT NOT NULL, mask TEXT NOT NULL, problem TEXT NOT NULL DEFAULT '', usage TEXT
);
CREATE TABLE IF NOT EXISTS results (
    run TEXT NOT NULL REFERENCES runs (id), number INTEGER NOT NULL, sha256 TEXT, url TEXT, bytes INTEGER,
    PRIMARY KEY (run, number)
);
"""


@dataclass(frozen=True)
class RunRow:
    """What the log holds of one run. Times are seconds since 1970; `source` is `SourceImage.digest`; `results` are the
    files of the raw answers, in order, where they arrived.
    """

    id: str
    started: float
    finished: float | None
    state: State
    sent: bool
    offline: bool
    model: str
    prompt: str
    options: dict[str, Any]
    source: str
    mask: str
    problem: str
    usage: dict[str, int | None] | None
    results: tuple[Path, ...] = ()


class RunLog:
    """A record of runs in a folder: one SQLite file, and the raw answers beside it by the hash of their bytes.

    `folder` left out is the user's data folder (or the environment's `TTAPI_DATA`). It holds prompts, options, hashes
    of sources and masks, and the results; never the key. Raises `ResultError` where it can't be written.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = Path(folder or os.environ.get(DATA_VARIABLE) or _user_folder()).expanduser()

    def __repr__(self) -> str:
        return f"RunLog({str(self.folder)!r})"

    def begin(self, run_id: str, request: EditRequest, *, offline: bool) -> None:
        """Write the row of a run that is about to be sent; it is on the disk when this returns."""
        mask = hashlib.sha256(request.mask_file.data).hexdigest() if request.mask_file else ""
        options = {name: value for name, value in request.body().items() if name != "prompt"}
        source = request.image[0].digest if request.image else ""
        with self._open() as db:
            db.execute(
                "INSERT INTO runs (id, started, state, offline, model, prompt, options, source, mask)"
                " VALUES (?, ?, 'open', ?, ?, ?, ?, ?, ?)",
                (
                    run_id,
                    time.time(),
                    offline,
                    request.model,
                    request.prompt,
                    json.dumps(options),
                    source,
                    mask,
                ),
            )

    def mark_sent(self, run_id: str) -> None:
        """Note that the first byte is about to leave."""
        with self._open() as db:
            db.execute("UPDATE runs SET sent = 1 WHERE id = ?", (run_id,))

    def store(self, run_id: str, response: ImagesResponse) -> None:
        """Keep what arrived: each result's bytes as a file, and its row."""
        usage = json.dumps(asdict(response.usage)) if response.usage else None
        rows = []
        with self._open() as db:
            for number, item in enumerate(response.data, 1):
                name = None
                if item.data is not None:
                    name = hashlib.sha256(item.data).hexdigest()
                    _write_once(self.folder / "results" / name, item.data)
                rows.append((run_id, number, name, item.url, len(item.data or b"")))
            db.executemany("INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?, ?)", rows)
            db.execute("UPDATE runs SET usage = ? WHERE id = ?", (usage, run_id))

    def settle(self, run_id: str, state: State, problem: str = "") -> None:
        """Write how a run ended."""
        with self._open() as db:
            db.execute(
                "UPDATE runs SET state = ?, problem = ?, finished = ? WHERE id = ?",
                (state, problem, time.time(), run_id),
            )

    def rows(self, limit: int = 100) -> list[RunRow]:
        """The latest runs, newest first."""
        with self._open() as db:
            found = db.execute(
                "SELECT * FROM runs ORDER BY started DESC, rowid DESC LIMIT ?", (limit,)
            ).fetchall()
            return [self._row(db, row) for row in found]

    def _row(self, db: sqlite3.Connection, row: sqlite3.Row) -> RunRow:
        kept = db.execute(
            "SELECT sha256 FROM results WHERE run = ? AND sha256 NOT NULL ORDER BY number", (row["id"],)
        )
        values = {key: row[key] for key in row.keys()} | {  # noqa: SIM118 - iterating a Row gives values
            "sent": bool(row["sent"]),
            "offline": bool(row["offline"]),
            "options": json.loads(row["options"]),
            "usage": json.loads(row["usage"]) if row["usage"] else None,
        }
        return RunRow(**values, results=tuple(self.folder / "results" / name for (name,) in kept))

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        problem = ""
        try:
            (self.folder / "results").mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(self.folder / "runs.sqlite3", timeout=30)
            try:
                db.row_factory = sqlite3.Row
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = FULL")
                db.executescript(SCHEMA)
                with db:
                    yield db
            finally:
                db.close()
        except (OSError, sqlite3.Error) as error:
            problem = f"The run log in {self.folder} can't be used ({error})."
        if problem:
            raise ResultError(
                f"{problem} Give another folder with log=RunLog(…), or log=False to run without one."
            )


def _user_folder() -> str:
    # Here, not above: it is slow to load, and only asked for when nobody names a folder.
    import platformdirs

    return platformdirs.user_data_dir("ttapi_nb", appauthor=False)


def default_log() -> RunLog:
    """The log that runs use when none is named."""
    return RunLog()


def _write_once(path: Path, data: bytes) -> None:
    if path.exists():
        return
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


@dataclass(frozen=True)
class Result:
    """One result of a run.

    `image` is the result as it is meant: what lies outside the mask is the source's, where `kept` is true.
    `raw` is the model's own answer, and `leak` how much that repainted outside the mask (None where there was no mask,
    or the answer came in another shape). `note` says what a reader should know.
    """

    number: int
    picture: SourceImage = field(repr=False)
    data: ImageData = field(repr=False)
    kept: bool
    leak: Leak | None = None
    note: str = ""
    offline: bool = False

    @property
    def image(self) -> Image.Image:
        """The result as a PIL image."""
        return self.picture.pixels

    @property
    def raw(self) -> Image.Image:
        """The model's answer as it came, as a PIL image."""
        return self.data.image

    def save(self, path: str | Path) -> Path:
        """Write the result to `path` (.png, .jpg or .webp) and return where it is. Raises `ResultError`."""
        return self.picture.save(path)

    def _repr_html_(self) -> str:
        caption = f"Result {self.number}: {self.image.width}x{self.image.height}"
        said = [self.note, OFFLINE_NOTICE if self.offline else ""]
        return thumbnail_html(self.image, caption, 512) + "".join(
            f"<p>{html.escape(words)}</p>" for words in said if words
        )


class Run:
    """One edit under way. It goes on when the cell that began it ends, and can be waited for, awaited or cancelled.

    `status` is `"sending"`, `"waiting"`, `"done"`, `"failed"` or `"cancelled"`; `results`, `response` and `error` are
    what came of it, and `note` what else there is to say.
    """

    def __init__(
        self, request: EditRequest, source: SourceImage, fit: Fit, *, strict: bool, log: RunLog | None
    ) -> None:
        self.id = uuid.uuid4().hex
        self.request = request
        self.source = source
        self.fit = fit
        self.strict = strict
        self.log = log
        self.status: Literal["sending", "waiting", "done", "failed", "cancelled"] = "sending"
        self.results: tuple[Result, ...] = ()
        self.response: ImagesResponse | None = None
        self.error: Exception | None = None
        self.note = ""
        self.started = time.monotonic()
        self._finished: float | None = None
        self._task: asyncio.Task[None] | None = None
        self._lock = threading.RLock()
        self._callbacks: list[Callable[[Run], None]] = []
        self._outcome: Future[Run] = Future()
        # Marked as running, so that whoever waits for it can't cancel it by being cancelled.
        self._outcome.set_running_or_notify_cancel()

    def __repr__(self) -> str:
        count = len(self.results)
        return f"Run({self.status}{f', {count} result' if count else ''}{'s' if count > 1 else ''})"

    def _repr_html_(self) -> str:
        if self.response is not None and self.results:
            return "".join(
                [
                    self.response._repr_html_(),
                    *(f"<p>{html.escape(r.note)}</p>" for r in self.results if r.note),
                ]
            )
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
        try:
            return self._outcome.result(timeout)
        except TimeoutError:
            pass
        if self._outcome.done():
            return self._outcome.result()
        raise TimeoutError(
            f"The run is still going on after {timeout:g} seconds. Wait again, or cancel() it."
        )

    def __await__(self) -> Generator[Any, None, Run]:
        return asyncio.shield(asyncio.wrap_future(self._outcome)).__await__()

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

    def began(self, task: asyncio.Task[None]) -> None:
        """The task that carries it out has started."""
        self._task = task

    def left(self) -> None:
        """Its first byte is leaving."""
        if self.log is not None:
            self.log.mark_sent(self.id)
        self.status = "waiting"
        self._changed()

    def answered(self, response: ImagesResponse) -> None:
        """Its answer is here, which is paid for: keep it first, then look at it."""
        self.response = response
        if self.log is None:
            return
        try:
            self.log.store(self.id, response)
        except ResultError as error:
            self._add_note(f"{error} The results are here, but not in the log: save them.")

    def succeeded(self, results: tuple[Result, ...], note: str) -> None:
        """It has its results; `note` says which of them are missing, and why."""
        self.results = results
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
            self._outcome.set_result(self)
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
