"""`RunLog`: the record of every run, written before a byte leaves and settled after; what was spent, and what came."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import sqlite3
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

from . import logchecks, logmemory, logrows, loop
from .budget import Budget, Spent, sent_options
from .download import download
from .errors import (
    BudgetError,
    DownloadError,
    InvalidRequestError,
    NotSentError,
    ResultError,
    SettingsError,
    loading,
)
from .logchecks import State
from .logfile import Journal, hold, my_host, opened, release
from .logfolder import ANSWERS, RESULTS, place, sizes, sweep, written
from .logrows import (
    Pruned,
    Restored,
    RunRow,
    Totals,
    asked_fields,
    drawing_of,
    find,
    forget,
    give_up,
    is_under_way,
    missing,
    put_back,
    read_row,
    restored,
    shrink,
    take_back,
    unfinished,
    write_end,
    write_result,
)
from .picture import SourceImage
from .reply import ImagesResponse
from .reply.addresses import shown
from .reply.again import read_again
from .request import EditRequest

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
NOT_WAITING = "The run is not waiting to be sent in the log any more, so it was not sent. Run again."
UNLOGGABLE = (
    "The prompt, model or another field can't be written into the run log: it holds half of a character, or something "
    "else than text, numbers, lists and dicts. Change it, or use log=False."
)
DEFAULT_PORTS = {"https": 443, "http": 80}


class RunLog:
    """A record of runs in a folder: one SQLite file, and the raw answers beside it by the hash of their bytes.

    * `folder`: left out, the user's data folder (or the environment's `TTAPI_DATA`).
    * `journal`: `"wal"`, or `"rollback"` for a folder on a network, which then stays so; left out, the environment's
      `TTAPI_JOURNAL`, or as the log already is.
    * `limit_bytes`: the most that results may take on the disk. The oldest go when a run is done; those of the newest
      run and of runs under way stay.

    The folder is taken as it is named now, also where the working directory changes later, and is made its owner's
    alone. Raises `SettingsError` for what can't be one.

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
        self.folder = _absolute(folder or _environment(DATA_VARIABLE) or _user_folder())
        chosen = journal or _environment(JOURNAL_VARIABLE) or None
        if chosen is not None and chosen not in get_args(Journal):
            raise SettingsError(f"journal={chosen!r} is not known. Use 'wal' or 'rollback', or leave it out.")
        self.journal: Journal | None = "rollback" if chosen == "rollback" else "wal" if chosen else None
        self.limit_bytes = logchecks.whole_number("limit_bytes", limit_bytes, "for no limit")

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
        run_id = logchecks.run_name(run_id)
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
            "started": 0.0,
            "finished": None,
            "sent": 0,
            "refused": 0,
            "state": "open",
            "offline": offline,
            "model": request.model,
            "prompt": request.prompt,
            "options": texts[0],
            "source": picture.digest if picture is not None else "",
            # A file's name may hold bytes that are no text.
            "name": logchecks.cut(picture.name) if picture is not None else "",
            "mask": mask,
            "host": my_host(),
            # Nothing is fetched from a network for what was made without one.
            "address": "" if offline else logchecks.cut(address),
            "images": estimate.images,
            "estimate": None if offline else estimate.cost,
            "currency": "" if offline or estimate.cost is None else estimate.currency,
            "asked": texts[1],
            "drawing": drawing_of(asked),
            "fit": fit,
            "strict": strict,
        }
        begun = False
        try:
            self._catch_up()
            with self._open() as db:
                give_up(db, self.folder)
                # Now, not before: where others were waited for, it begins after theirs.
                row["started"] = time.time()
                if budget is not None and not offline:
                    found = budget.problems(estimate, logrows.spent(db, budget))
                    if found:
                        raise BudgetError(found)
                if logmemory.known(self.folder, run_id) is None:
                    row["mark"] = hold(self.folder, run_id)
                logrows.insert(db, row, budget.start if budget is not None and not offline else 0.0)
                begun = True
                logmemory.remember(self.folder, row)
        except BaseException:
            # A cell that is stopped here has no run. What may be written of it all the same is taken back later.
            if begun:
                logmemory.withdraw(self.folder, run_id)
            if begun or logmemory.known(self.folder, run_id) is None:
                release(self.folder, run_id)
            raise

    def mark_sent(self, run_id: str) -> None:
        """Note that the first byte is about to leave. Each run gets this once, or once more after each refusal.

        Raises `NotSentError` where it may not leave: it has left already, was given up, or is not in the log.
        """
        known = self._known(run_id)
        if known is not None and known.withdrawn:
            raise NotSentError(NOT_WAITING)
        with self._open() as db:
            if known is not None:
                put_back(db, self.folder, known, run_id)
            done = db.execute(
                "UPDATE runs SET sent = 1 WHERE id = ? AND state = 'open' AND sent = 0", (run_id,)
            )
            if done.rowcount != 1:
                raise NotSentError(NOT_WAITING)
        if known is not None:
            known.row["sent"] = 1

    def withdraw(self, run_id: str) -> None:
        """Note that a run won't be sent, unless it has been already. From then on `mark_sent` refuses it.

        Where that can't be written now it is written with whatever is done next.
        """
        # First of all: whoever stops a cell may stop this as well.
        logmemory.withdraw(self.folder, run_id)
        run_id = logchecks.run_name(run_id)
        with self._open() as db:
            done = take_back(db, run_id)
        if done == 1:
            self._settled(run_id)

    def _known(self, run_id: str) -> logmemory.Known | None:
        return logmemory.known(self.folder, logchecks.run_name(run_id))

    def _settled(self, run_id: str) -> None:
        logmemory.drop(self.folder, run_id)
        release(self.folder, run_id)

    def _catch_up(self) -> None:
        """Write what could not be written when runs of this process ended."""
        left = logmemory.unwritten(self.folder)
        if not left:
            return
        with self._open() as db:
            for run_id, known in left.items():
                if known.end is not None:
                    write_end(db, self.folder, known, run_id, known.end)
                elif not take_back(db, run_id) and is_under_way(db, run_id):
                    # It had left just then, and goes on.
                    known.withdrawn = False
        for run_id, known in left.items():
            if known.end is not None or known.withdrawn:
                self._settled(run_id)

    def _unsent(self) -> list[str]:
        """The runs that are known here to have cost nothing, whatever the file says of them."""
        return [run_id for run_id, known in logmemory.unwritten(self.folder).items() if known.unsent]

    def mark_refused(self, run_id: str) -> None:
        """Note that the service was too busy for it, so that nothing was billed and it may be sent once more."""
        known = self._known(run_id)
        if known is not None:
            known.row["sent"] = 0
        with self._open() as db:
            put_back(db, self.folder, known, run_id)
            db.execute("UPDATE runs SET sent = 0, refused = refused + 1 WHERE id = ?", (run_id,))
        if known is not None:
            known.row["refused"] += 1

    def mark_unsent(self, run_id: str) -> None:
        """Take `mark_sent` back, where the run was stopped before its first byte left."""
        known = self._known(run_id)
        if known is not None:
            known.row["sent"] = 0
        with self._open() as db:
            put_back(db, self.folder, known, run_id)
            db.execute("UPDATE runs SET sent = 0 WHERE id = ? AND state = 'open'", (run_id,))

    def store(self, run_id: str, response: ImagesResponse, *, cost: float | None = None) -> None:
        """Keep what arrived: each result's bytes as a file, and its row; and what it cost, where that is known."""
        known = self._known(run_id)
        usage = asdict(response.usage) if response.usage else None
        columns = {
            "usage": json.dumps(usage) if usage else None,
            "tokens": usage["total_tokens"] if usage else None,
            "came": len(response.data),
            "cost": logchecks.amount(cost),
        }
        if known is not None:
            # Before anything can go wrong: the end is written with it.
            known.row |= {name: value for name, value in columns.items() if value is not None}
        results = self.folder / RESULTS
        rows, parts = [], {}
        try:
            with self._open(write=False):
                # So that nothing is written into a folder that is somebody else's.
                pass
            # Written before the log is held, as pictures are large and other kernels wait for it.
            for number, item in enumerate(response.data, 1):
                name = None
                if item.data is not None:
                    name = hashlib.sha256(item.data).hexdigest()
                    if name not in parts:
                        parts[name] = written(results, name, item.data)
                url = None if item.url is None else logchecks.cut(shown(item.url))
                rows.append(_result(run_id, number, name, url, len(item.data or b"")))
            with self._open() as db:
                put_back(db, self.folder, known, run_id)
                # While the log is held, so that no prune() can take a file away between this and its row.
                for name, part in parts.items():
                    place(db, results, name, part)
                for row in rows:
                    write_result(db, row)
                db.execute(
                    "UPDATE runs SET usage = :usage, tokens = :tokens, came = :came, cost = COALESCE(:cost, cost)"
                    " WHERE id = :id",
                    {**columns, "id": run_id},
                )
            if known is not None:
                known.results.update({row["number"]: row for row in rows})
        except OSError as error:
            raise self._unusable(error) from None
        finally:
            for part in parts.values():
                with contextlib.suppress(OSError):
                    part.unlink(missing_ok=True)

    def settle(self, run_id: str, state: State, problem: str = "") -> None:
        """Write how a run ended. Where that can't be written now, it is written with whatever is done next."""
        known = self._known(run_id)
        end = {
            "state": logchecks.states(state)[0],
            "problem": logchecks.cut(str(problem)),
            "finished": time.time(),
        }
        if known is not None:
            known.end = end
        with self._open() as db:
            write_end(db, self.folder, known, run_id, end)
        self._settled(run_id)
        if self.limit_bytes is not None:
            self.prune(limit_bytes=self.limit_bytes)

    def recover(self) -> tuple[RunRow, ...]:
        """Settle the runs that a process left unfinished when it was killed, and return them.

        Those that had left become `unknown`, as they may have been billed, and the others `not sent`. Runs of kernels
        that live are left alone. This is done by itself before a run begins, and when the log is read.
        """
        # Where it can't be written it can still be read.
        with contextlib.suppress(ResultError):
            self._catch_up()
        with self._open(write=False) as db:
            if not unfinished(db, self.folder):
                return ()
        with self._open() as db:
            found = give_up(db, self.folder)
            rows = (db.execute("SELECT * FROM runs WHERE id IS ?", (name,)).fetchone() for name in found)
            return tuple(self._row(db, row) for row in rows)

    def found(self, run_id: str, *, billed: bool) -> None:
        """Note what you found out about a run of unknown outcome, in the TTAPI Dashboard say: whether it was billed.

        One that was not counts as nothing in totals and budgets. Raises `ResultError` where there is no such run.
        """
        run_id = logchecks.run_name(run_id)
        if not isinstance(billed, bool):
            raise SettingsError(f"billed={billed!r} is neither True nor False. Say which it was.")
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
        most = logchecks.whole_number("limit", limit, "for 100, or use None for all")
        if not isinstance(search, str):
            raise SettingsError(f"search={search!r} is not a text. Use words that stand in the prompt, say.")
        start, wanted = logchecks.start_of(since), logchecks.states(state)
        searched = search.casefold().split()
        self.recover()
        with self._open(write=False) as db:
            # SQLite's own LIKE knows the case of ASCII letters only.
            db.create_function(
                "holds",
                -1,
                lambda *texts: all(word in "\n".join(map(str, texts)).casefold() for word in searched),
            )
            found = db.execute(
                "SELECT * FROM runs WHERE NOT pruned AND typeof(id) = 'text' AND started >= ?"  # noqa: S608 - only question marks
                f" AND holds(prompt, model, name, problem, id) AND state IN ({', '.join('?' * len(wanted))})"
                " ORDER BY counted DESC, rowid DESC LIMIT ?",
                (start, *wanted, -1 if most is None else most),
            ).fetchall()
            return [self._row(db, row) for row in found]

    def row(self, run_id: str) -> RunRow:
        """One run. Raises `ResultError` where there is none of this id."""
        run_id = logchecks.run_name(run_id)
        with self._open(write=False) as db:
            return self._row(db, find(db, run_id))

    def totals(self, since: datetime | float | None = None) -> Totals:
        """What was spent, since a `datetime` or seconds since 1970 where one is given. Pruned runs count too."""
        start = logchecks.start_of(since)
        self.recover()
        with self._open(write=False) as db:
            size = sum(sizes(self.folder / RESULTS).values())
            return logrows.totals(db, start, size, self._unsent())

    def spent(self, budget: Budget) -> Spent:
        """What counts as spent for a budget."""
        if not isinstance(budget, Budget):
            raise SettingsError(f"{budget!r} is no budget. Use one like Budget(runs=5).")
        self.recover()
        with self._open(write=False) as db:
            return logrows.spent(db, budget, self._unsent())

    def problems(self, budget: Budget, request: EditRequest) -> tuple[str, ...]:
        """Which limits are in the way of a request now, as sentences; empty where it may be sent. Reserves nothing."""
        spent = self.spent(budget)
        return budget.problems(budget.estimate(request), spent)

    def restore(self, run_id: str) -> Restored:
        """What fills an editor as it was before a run. Raises `ResultError` where there is none of this id."""
        run_id = logchecks.run_name(run_id)
        with self._open(write=False) as db:
            found = find(db, run_id)
            return restored(self._row(db, found), found)

    def fetch_again(self, run_id: str, *, fetch_from: str | Collection[str] = ()) -> RunRow:
        """Fetch the results of a run that could not be fetched when they were made, without the key, and keep them.

        Only https at public addresses is asked, and what `fetch_from` names: origins that you trust, such as
        `"http://127.0.0.1:4000"` for a gateway of your own. What the log itself says about that is not relied on. The
        addresses die an hour after the run (TTAPI, POST /v1/images/edits). Raises `ResultError` where some are still
        missing; what did come is kept.
        """
        run_id, trusted = logchecks.run_name(run_id), logchecks.origins(fetch_from)
        with self._open(write=False) as db:
            find(db, run_id)
            urls = missing(db, run_id)
        came, failures = loop.call(_fetch(urls, trusted)) if urls else ({}, [])
        self._keep(run_id, came)
        if failures:
            raise ResultError(
                f"{failures[0]} A result's address is good for an hour; try again within that, or run the edit again. "
                "One of your own gateway has to be named: fetch_again(id, fetch_from=['https://…'])."
            )
        return self.row(run_id)

    def reread(self, run_id: str) -> ImagesResponse:
        """Read an answer again that came and was not understood, and keep its results in the log.

        Such an answer is kept beside the log as it came, and the error of its run says so; a later version may read
        what this one could not, and so may this one when a package is there that undoes how it was packed. A bare
        client's answer has no run in the log: its results are in what this returns alone. Raises `ResultError` where
        none is kept, or where it still can't be read.
        """
        run_id = logchecks.run_name(run_id)
        with self._open(write=False) as db:
            known = db.execute("SELECT 1 FROM runs WHERE id = ? AND NOT pruned", (run_id,)).fetchone()
        response = read_again(self.folder / ANSWERS, run_id)
        if known:
            self.store(run_id, response)
            self.settle(run_id, "done", response.note)
        if response.is_whole:
            (self.folder / ANSWERS / run_id).unlink(missing_ok=True)
        return response

    def _keep(self, run_id: str, came: Mapping[int, bytes]) -> None:
        results = self.folder / RESULTS
        for number, data in came.items():
            name = hashlib.sha256(data).hexdigest()
            part = None
            try:
                with self._open(write=False):
                    pass
                part = written(results, name, data)
                with self._open() as db:
                    put_back(db, self.folder, self._known(run_id), run_id)
                    place(db, results, name, part)
                    row = _result(run_id, number, name, None, len(data))
                    done = db.execute(
                        "UPDATE results SET sha256 = :sha256, bytes = :bytes, time = :time"
                        " WHERE run = :run AND number = :number",
                        row,
                    )
                    if done.rowcount != 1:
                        write_result(db, row)
                    if not missing(db, run_id):
                        db.execute(
                            "UPDATE runs SET state = 'done', problem = '' WHERE id = ? AND state IN ('failed', 'done')",
                            (run_id,),
                        )
            except OSError as error:
                raise self._unusable(error) from None
            finally:
                if part is not None:
                    with contextlib.suppress(OSError):
                        part.unlink(missing_ok=True)

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
        _check_prune(older_than, keep, limit_bytes)
        if isinstance(spare, str) or not all(isinstance(one, str) for one in spare):
            raise SettingsError("spare is no list of ids. Use one like spare=[row.id].")
        spare = set(spare)
        self.recover()
        results = self.folder / RESULTS
        before = sizes(results)
        with self._open() as db:
            # Not only out of sight: out of the file.
            db.execute("PRAGMA secure_delete = ON")
            old = [
                row["id"]
                for row in db.execute(
                    "SELECT id, state, started FROM runs WHERE NOT pruned ORDER BY counted DESC, rowid DESC"
                ).fetchall()[keep or 0 :]
                if row["state"] != "open"
                and row["id"] not in spare
                and (
                    older_than is None
                    or (logchecks.moment(row["started"]) or 0.0) < time.time() - older_than * DAY
                )
            ]
            if older_than is None and keep is None:
                old = []
            for name in old:
                forget(db, name)
            if limit_bytes is not None:
                shrink(db, limit_bytes, spare)
        # Apart, when the rows are surely gone: a file without a row does no harm, a row without its file would.
        with self._open() as db:
            sweep(db, results)
        after = sizes(results)
        gone = [name for name in before if name not in after]
        return Pruned(len(old), len(gone), sum(before[name] for name in gone))

    # The file

    def _row(self, db: sqlite3.Connection, row: sqlite3.Row) -> RunRow:
        return read_row(db, row, self.folder / RESULTS)

    @contextlib.contextmanager
    def _open(self, *, write: bool = True) -> Iterator[sqlite3.Connection]:
        failure: Exception | None = None
        try:
            with opened(self.folder, self.journal, write=write) as db:
                yield db
        except (OSError, sqlite3.Error, MemoryError) as error:
            failure = self._unusable(error)
        if failure is not None:
            raise failure

    def _unusable(self, error: Exception) -> ResultError:
        return ResultError(
            f"The run log in {self.folder} can't be used ({error}). "
            "Give another folder with log=RunLog(…), or log=False to run without one."
        )


def _absolute(folder: object) -> Path:
    try:
        where = Path(folder)  # type: ignore[arg-type]  # what can't be one is said below
        # A home of nobody's can't be found: then the name is taken as it is written.
        with contextlib.suppress(RuntimeError):
            where = where.expanduser()
        if "\0" in str(where):
            raise ValueError
        # Now: the working directory may be another when the run ends.
        return where.absolute()
    except (TypeError, ValueError):
        raise SettingsError(f"{folder!r} can't be a folder. Use a path, like RunLog('my-runs').") from None
    except OSError:
        raise SettingsError(
            f"{folder!r} is not a whole path, and the working directory is gone. Name all of it."
        ) from None


def _check_prune(older_than: object, keep: object, limit_bytes: object) -> None:
    given = [number for number in (older_than, keep, limit_bytes) if number is not None]
    whole = all(number is None or isinstance(number, int) for number in (keep, limit_bytes))
    good = all(
        isinstance(number, int | float) and not isinstance(number, bool) and 0 <= number < math.inf
        for number in given
    )
    if not given or not whole or not good:
        raise SettingsError(
            "prune() needs older_than=days, keep=runs or limit_bytes=bytes, each 0 or more, to know what may go."
        )


def _result(run_id: str, number: int, name: str | None, url: str | None, size: int) -> dict[str, Any]:
    return {"run": run_id, "number": number, "sha256": name, "url": url, "bytes": size, "time": time.time()}


def _environment(name: str) -> str:
    # Alone in here: where a statement with os.environ in it raises, a traceback shows the environment with the key.
    return os.environ.get(name, "")


def _user_folder() -> str:
    # Here, not above: it is slow to load, and only asked for when nobody names a folder.
    with loading():
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


async def _fetch(
    urls: Mapping[int, str], trusted: Collection[str]
) -> tuple[dict[int, bytes], list[DownloadError]]:
    import asyncio

    async def one(url: str) -> bytes | DownloadError:
        try:
            return await download(url, public_only=True, own=_trusted(url, trusted))
        except DownloadError as error:
            return error

    found = await asyncio.gather(*map(one, urls.values()))
    came = {number: data for number, data in zip(urls, found, strict=True) if isinstance(data, bytes)}
    return came, [error for error in found if isinstance(error, DownloadError)]


def _trusted(url: str, trusted: Collection[str]) -> str | None:
    """The one of the trusted origins that an address belongs to."""
    return next((one for one in trusted if _origin(one) == _origin(url)), None)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    try:
        place = urlsplit(url)
        return place.scheme, place.hostname, place.port or DEFAULT_PORTS.get(place.scheme)
    except ValueError:
        return "", None, None
