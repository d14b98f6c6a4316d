"""`RunLog`: the record of every run, written before a byte leaves and settled after; what was spent, and what came."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from . import logrows, loop
from .budget import Budget, Spent, sent_options
from .download import download
from .errors import (
    BudgetError,
    DownloadError,
    InvalidRequestError,
    MaskError,
    NotSentError,
    ResultError,
    SettingsError,
    TTAPIError,
)
from .files import sync_folder
from .logfile import (
    Journal,
    hold,
    is_being_written,
    my_host,
    opened,
    release,
    sizes,
    written,
)
from .logrows import (
    Pruned,
    Restored,
    RunRow,
    State,
    Totals,
    asked_fields,
    drawing_of,
    find,
    forget,
    give_up,
    missing,
    read_row,
    shrink,
    unfinished,
)
from .mask import Mask
from .picture import SourceImage
from .request import EditRequest

if TYPE_CHECKING:
    from .reply import ImagesResponse

__all__ = [
    "DATA_VARIABLE",
    "JOURNAL_VARIABLE",
    "Pruned",
    "Restored",
    "RunLog",
    "RunRow",
    "State",
    "Totals",
    "default_log",
]

DATA_VARIABLE = "TTAPI_DATA"
JOURNAL_VARIABLE = "TTAPI_JOURNAL"
DAY = 86_400.0
UNLOGGABLE = (
    "The prompt, model or another field can't be written into the run log: it holds half of a character, or something "
    "else than text, numbers, lists and dicts. Change it, or use log=False."
)
WITHDRAWN = "Interrupted as it began: nothing was sent or billed."


class RunLog:
    """A record of runs in a folder: one SQLite file, and the raw answers beside it by the hash of their bytes.

    * `folder`: left out, the user's data folder (or the environment's `TTAPI_DATA`).
    * `journal`: `"wal"`, or `"rollback"` for a folder on a network, which then stays so; left out, the environment's
      `TTAPI_JOURNAL`, or as the log already is.
    * `limit_bytes`: the most that results may take on the disk. The oldest go when a run is done; those of the newest
      run and of runs under way stay.

    It holds prompts, options, hashes of sources and masks, small masks, and the results; never the key. Several kernels
    may use one log. Methods raise `ResultError` where it can't be read or written.
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        *,
        journal: Journal | None = None,
        limit_bytes: int | None = None,
    ) -> None:
        where = folder or _environment(DATA_VARIABLE) or _user_folder()
        # A home of nobody's can't be found: then the name is taken as it is written.
        with contextlib.suppress(RuntimeError):
            where = Path(where).expanduser()
        self.folder = Path(where)
        chosen = journal or _environment(JOURNAL_VARIABLE) or None
        if chosen is not None and chosen not in get_args(Journal):
            raise SettingsError(f"journal={chosen!r} is not known. Use 'wal' or 'rollback', or leave it out.")
        self.journal: Journal | None = "rollback" if chosen == "rollback" else "wal" if chosen else None
        if limit_bytes is not None and limit_bytes < 0:
            raise SettingsError(f"limit_bytes={limit_bytes!r} is below 0. Leave it out for no limit.")
        self.limit_bytes = limit_bytes

    def __repr__(self) -> str:
        return f"RunLog({str(self.folder)!r})"

    # The life of a run

    def begin(
        self,
        run_id: str,
        request: EditRequest,
        *,
        offline: bool,
        source: SourceImage | None = None,
        asked: EditRequest | None = None,
        fit: str = "auto",
        strict: bool = True,
        address: str = "",
        budget: Budget | None = None,
    ) -> None:
        """Write the row of a run that is about to be sent; it is on the disk when this returns.

        `source` is the picture that the request's first was made from, where that is another, and `asked` the request
        before it was fitted. `address` is where it goes. With a `budget` the row is written only where that allows it:
        both are one transaction, so that kernels that share a log can't overspend together. Raises `BudgetError`, and
        `InvalidRequestError` for what can't be written down.
        """
        asked = asked or request
        mask = hashlib.sha256(request.mask_file.data).hexdigest() if request.mask_file else ""
        options = sent_options(request)
        texts = _texts(request, options, asked_fields(asked))
        if texts is None:
            raise InvalidRequestError([UNLOGGABLE])
        picture = source or (request.image[0] if request.image else None)
        estimate = (budget or Budget()).estimate(request)
        row = {
            "id": run_id,
            "started": time.time(),
            "state": "open",
            "offline": offline,
            "model": request.model,
            "prompt": request.prompt,
            "options": texts[0],
            "source": picture.digest if picture is not None else "",
            # A file's name may hold bytes that are no text.
            "name": picture.name.encode("utf-8", "replace").decode() if picture is not None else "",
            "mask": mask,
            "host": my_host(),
            # Nothing is fetched from a network for what was made without one.
            "address": "" if offline else address,
            "images": estimate.images,
            "estimate": None if offline else estimate.cost,
            "currency": "" if offline or estimate.cost is None else estimate.currency,
            "asked": texts[1],
            "drawing": drawing_of(asked),
            "fit": fit,
            "strict": strict,
        }
        try:
            with self._open() as db:
                row["mark"] = hold(self.folder, run_id)
                give_up(db, self.folder)
                if budget is not None and not offline:
                    found = budget.problems(estimate, logrows.spent(db, budget))
                    if found:
                        raise BudgetError(found)
                db.execute(
                    f"INSERT INTO runs ({', '.join(row)}) VALUES ({', '.join(f':{name}' for name in row)})",  # noqa: S608 - our own names
                    row,
                )
        except TTAPIError:
            release(self.folder, run_id)
            raise

    def mark_sent(self, run_id: str) -> None:
        """Note that the first byte is about to leave. Each run gets this once, or once more after each refusal.

        Raises `NotSentError` where it may not leave: it has left already, was given up, or is not in the log.
        """
        with self._open() as db:
            done = db.execute(
                "UPDATE runs SET sent = 1 WHERE id = ? AND state = 'open' AND sent = 0", (run_id,)
            )
            if done.rowcount != 1:
                raise NotSentError(
                    "The run is not waiting to be sent in the log any more, so it was not sent. Run again."
                )

    def withdraw(self, run_id: str) -> None:
        """Note that a run won't be sent, unless it has been already. From then on `mark_sent` refuses it."""
        with self._open() as db:
            done = db.execute(
                "UPDATE runs SET state = 'not sent', problem = ?, finished = ?"
                " WHERE id = ? AND state = 'open' AND sent = 0",
                (WITHDRAWN, time.time(), run_id),
            )
        if done.rowcount == 1:
            release(self.folder, run_id)

    def mark_refused(self, run_id: str) -> None:
        """Note that the service was too busy for it, so that nothing was billed and it may be sent once more."""
        with self._open() as db:
            db.execute("UPDATE runs SET sent = 0, refused = refused + 1 WHERE id = ?", (run_id,))

    def store(self, run_id: str, response: ImagesResponse, *, cost: float | None = None) -> None:
        """Keep what arrived: each result's bytes as a file, and its row; and what it cost, where that is known."""
        usage = asdict(response.usage) if response.usage else None
        results = self.folder / "results"
        rows, parts = [], {}
        now = time.time()
        try:
            # Written before the log is held, as pictures are large and other kernels wait for it.
            for number, item in enumerate(response.data, 1):
                name = None
                if item.data is not None:
                    name = hashlib.sha256(item.data).hexdigest()
                    if name not in parts:
                        parts[name] = written(results, name, item.data)
                rows.append((run_id, number, name, item.url, len(item.data or b""), now))
            with self._open() as db:
                # While the log is held, so that no prune() can take a file away between this and its row.
                for name, part in parts.items():
                    part.replace(results / name)
                sync_folder(results)
                db.executemany(
                    "INSERT OR REPLACE INTO results (run, number, sha256, url, bytes, time) VALUES (?, ?, ?, ?, ?, ?)",
                    rows,
                )
                db.execute(
                    "UPDATE runs SET usage = ?, tokens = ?, came = ?, cost = COALESCE(?, cost) WHERE id = ?",
                    (
                        json.dumps(usage) if usage else None,
                        usage["total_tokens"] if usage else None,
                        len(rows),
                        cost,
                        run_id,
                    ),
                )
        except OSError as error:
            raise self._unusable(error) from None
        finally:
            for part in parts.values():
                with contextlib.suppress(OSError):
                    part.unlink(missing_ok=True)

    def settle(self, run_id: str, state: State, problem: str = "") -> None:
        """Write how a run ended."""
        with self._open() as db:
            db.execute(
                "UPDATE runs SET state = ?, problem = ?, finished = ? WHERE id = ?",
                (state, problem, time.time(), run_id),
            )
        release(self.folder, run_id)
        if self.limit_bytes is not None:
            self.prune(limit_bytes=self.limit_bytes)

    def recover(self) -> tuple[RunRow, ...]:
        """Settle the runs that a process left unfinished when it was killed, and return them.

        Those that had left become `unknown`, as they may have been billed, and the others `not sent`. Runs of kernels
        that live are left alone. This is done by itself before a run begins, and when the log is read.
        """
        with self._open(write=False) as db:
            if not unfinished(db, self.folder):
                return ()
        with self._open() as db:
            found = give_up(db, self.folder)
            rows = (db.execute("SELECT * FROM runs WHERE id = ?", (name,)).fetchone() for name in found)
            return tuple(self._row(db, row) for row in rows)

    def found(self, run_id: str, *, billed: bool) -> None:
        """Note what you found out about a run of unknown outcome, in the TTAPI Dashboard say: whether it was billed.

        One that was not counts as nothing in totals and budgets. Raises `ResultError` where there is no such run.
        """
        with self._open() as db:
            done = db.execute(
                "UPDATE runs SET billed = ? WHERE id = ? AND state = 'unknown'", (billed, run_id)
            )
            if done.rowcount != 1:
                raise ResultError(
                    f"There is no run {run_id!r} of unknown outcome in this log. See rows(state='unknown')."
                )

    # Reading

    def rows(
        self,
        limit: int | None = 100,
        *,
        search: str = "",
        state: State | Collection[State] | None = None,
        since: datetime | float | None = None,
    ) -> list[RunRow]:
        """The latest runs, newest first; at most `limit`, or all for None.

        `search` keeps those in whose prompt, model, picture's name or problem each of its words stands, whatever its
        case; `state` those in this state or these states; `since` those that began then or later: a `datetime`, or
        seconds since 1970.
        """
        self.recover()
        states = [state] if isinstance(state, str) else list(get_args(State) if state is None else state)
        words = search.casefold().split()
        with self._open(write=False) as db:
            # SQLite's own LIKE knows the case of ASCII letters only.
            db.create_function(
                "holds", -1, lambda *texts: all(word in "\n".join(texts).casefold() for word in words)
            )
            found = db.execute(
                "SELECT * FROM runs WHERE NOT pruned AND started >= ? AND holds(prompt, model, name, problem, id)"  # noqa: S608 - only question marks
                f" AND state IN ({', '.join('?' * len(states))}) ORDER BY started DESC, rowid DESC LIMIT ?",
                (Budget(since=since).start, *states, -1 if limit is None else limit),
            ).fetchall()
            return [self._row(db, row) for row in found]

    def row(self, run_id: str) -> RunRow:
        """One run. Raises `ResultError` where there is none of this id."""
        with self._open(write=False) as db:
            return self._row(db, find(db, run_id))

    def totals(self, since: datetime | float | None = None) -> Totals:
        """What was spent, since a `datetime` or seconds since 1970 where one is given. Pruned runs count too."""
        self.recover()
        with self._open(write=False) as db:
            return logrows.totals(db, Budget(since=since).start, sum(sizes(self.folder / "results").values()))

    def spent(self, budget: Budget) -> Spent:
        """What counts as spent for a budget."""
        self.recover()
        with self._open(write=False) as db:
            return logrows.spent(db, budget)

    def problems(self, budget: Budget, request: EditRequest) -> tuple[str, ...]:
        """Which limits are in the way of a request now, as sentences; empty where it may be sent. Reserves nothing."""
        return budget.problems(budget.estimate(request), self.spent(budget))

    def restore(self, run_id: str) -> Restored:
        """What fills an editor as it was before a run. Raises `ResultError` where there is none of this id."""
        with self._open(write=False) as db:
            found = find(db, run_id)
            row = self._row(db, found)
        asked = json.loads(found["asked"])
        known = {item.name for item in fields(EditRequest)}
        extra = {name: asked.pop(name) for name in list(asked) if name not in known}
        if extra:
            asked["extra_body"] = {**extra, **asked.get("extra_body", {})}
        try:
            mask = Mask.from_json(found["drawing"]) if found["drawing"] else None
        except MaskError:
            mask = None
        return Restored(
            row.id,
            row.prompt,
            row.model,
            str(asked.pop("size", "auto")),
            asked,
            mask,
            bool(row.mask),
            found["fit"],
            bool(found["strict"]),
            row.source,
            found["name"],
            row.results,
        )

    def fetch_again(self, run_id: str) -> RunRow:
        """Fetch the results of a run that could not be fetched when they were made, without the key, and keep them.

        Their addresses die an hour after the run (TTAPI, POST /v1/images/edits). Raises `ResultError` where some
        are still missing; what did come is kept.
        """
        with self._open(write=False) as db:
            address = find(db, run_id)["address"]
            urls = missing(db, run_id)
        came, failures = loop.call(_fetch(urls, address)) if urls else ({}, [])
        self._keep(run_id, came)
        if failures:
            raise ResultError(
                f"{failures[0]} A result's address is good for an hour; try again within that, or run the edit again."
            )
        return self.row(run_id)

    def _keep(self, run_id: str, came: Mapping[int, bytes]) -> None:
        results = self.folder / "results"
        for number, data in came.items():
            name = hashlib.sha256(data).hexdigest()
            try:
                part = written(results, name, data)
                with self._open() as db:
                    part.replace(results / name)
                    sync_folder(results)
                    db.execute(
                        "UPDATE results SET sha256 = ?, bytes = ?, time = ? WHERE run = ? AND number = ?",
                        (name, len(data), time.time(), run_id, number),
                    )
                    if not missing(db, run_id):
                        db.execute(
                            "UPDATE runs SET state = 'done', problem = '' WHERE id = ? AND state IN ('failed', 'done')",
                            (run_id,),
                        )
            except OSError as error:
                raise self._unusable(error) from None

    # Making room

    def prune(
        self,
        *,
        older_than: float | None = None,
        keep: int | None = None,
        limit_bytes: int | None = None,
        spare: Collection[str] = (),
    ) -> Pruned:
        """Take runs and results away for good.

        * `older_than`: runs that began more than so many days ago go, with prompt, mask and results.
        * `keep`: the newest so many runs stay whatever their age; alone, all others go.
        * `limit_bytes`: then the results of the oldest runs go until all take at most so many bytes; those runs stay in
          the history, and the newest run keeps its results.
        * `spare`: ids of runs that stay as they are.

        Runs under way are left alone, and what pruned runs have cost still counts. Raises `SettingsError` where nothing
        says what may go, or by a number below 0.
        """
        given = [number for number in (older_than, keep, limit_bytes) if number is not None]
        if not given or not all(number >= 0 for number in given):
            raise SettingsError(
                "prune() needs older_than=days, keep=runs or limit_bytes=bytes, each 0 or more, to know what may go."
            )
        self.recover()
        results = self.folder / "results"
        before = sizes(results)
        with self._open() as db:
            # Not only out of sight: out of the file.
            db.execute("PRAGMA secure_delete = ON")
            old = [
                row["id"]
                for row in db.execute(
                    "SELECT * FROM runs WHERE NOT pruned ORDER BY started DESC, rowid DESC"
                ).fetchall()[keep or 0 :]
                if row["state"] != "open"
                and row["id"] not in spare
                and (older_than is None or row["started"] < time.time() - older_than * DAY)
            ]
            if older_than is None and keep is None:
                old = []
            for name in old:
                forget(db, name)
            if limit_bytes is not None:
                shrink(db, limit_bytes, spare)
        # Apart, when the rows are surely gone: a file without a row does no harm, a row without its file would.
        with self._open() as db:
            kept = {
                name
                for (name,) in db.execute("SELECT DISTINCT sha256 FROM results WHERE NOT pruned").fetchall()
            }
            for path in results.iterdir():
                if path.name not in kept and not is_being_written(path):
                    with contextlib.suppress(OSError):
                        path.unlink()
        after = sizes(results)
        gone = [name for name in before if name not in after]
        return Pruned(len(old), len(gone), sum(before[name] for name in gone))

    # The file

    def _row(self, db: sqlite3.Connection, row: sqlite3.Row) -> RunRow:
        return read_row(db, row, self.folder / "results")

    @contextlib.contextmanager
    def _open(self, *, write: bool = True) -> Iterator[sqlite3.Connection]:
        failure: Exception | None = None
        try:
            with opened(self.folder, self.journal, write=write) as db:
                yield db
        except (OSError, sqlite3.Error) as error:
            failure = self._unusable(error)
        if failure is not None:
            raise failure

    def _unusable(self, error: Exception) -> ResultError:
        return ResultError(
            f"The run log in {self.folder} can't be used ({error}). "
            "Give another folder with log=RunLog(…), or log=False to run without one."
        )


def _environment(name: str) -> str:
    # Alone in here: where a statement with os.environ in it raises, a traceback shows the environment with the key.
    return os.environ.get(name, "")


def _user_folder() -> str:
    # Here, not above: it is slow to load, and only asked for when nobody names a folder.
    import platformdirs

    return platformdirs.user_data_dir("ttapi_nb", appauthor=False)


def default_log() -> RunLog:
    """The log that runs use when none is named."""
    return RunLog()


def _texts(request: EditRequest, *given: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Mappings as JSON, or None where they, the prompt or the model can't be written."""
    try:
        (request.prompt + request.model).encode()
        return tuple(map(json.dumps, given))
    except (TypeError, ValueError, RecursionError):
        return None


async def _fetch(urls: Mapping[int, str], address: str) -> tuple[dict[int, bytes], list[DownloadError]]:
    import asyncio

    async def one(url: str) -> bytes | DownloadError:
        try:
            return await download(url, public_only=True, own=address or None)
        except DownloadError as error:
            return error

    found = await asyncio.gather(*map(one, urls.values()))
    came = {number: data for number, data in zip(urls, found, strict=True) if isinstance(data, bytes)}
    return came, [error for error in found if isinstance(error, DownloadError)]
