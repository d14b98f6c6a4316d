"""`UnderWay`: an experiment being sent, or as the log has it: every cell with what came of it."""

from __future__ import annotations

import atexit
import html
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any, Self

from .. import loop
from ..client import AsyncClient, Client, default_client
from ..errors import NotSentError, SettingsError
from ..forking import cached
from ..log import Budget, Claim, RunLog, Shown, default_log
from ..reply.meaning import says_busy
from ..run import Run
from ..run.making import load
from .board import Board, State, TrialCell, of_row
from .carrying import Outcome, carry
from .cells import Cell
from .cluster import Elsewhere
from .photos import keep
from .plan import Plan
from .progress import Progress
from .sender import STOPPED, Does, Sender, room

__all__ = ["UnderWay", "drop"]

MOST_PARALLEL = 256
CANCELLED = "Cancelled."
INTERRUPTED = (
    "Nothing more of {name!r} is sent. What had left goes on and is kept: run it again to send the rest."
)
_going: weakref.WeakSet[UnderWay] = weakref.WeakSet()


class UnderWay:
    """See `Trial`."""

    def __init__(
        self,
        plan: Plan,
        *,
        log: RunLog | None = None,
        client: Client | AsyncClient | None = None,
    ) -> None:
        self.plan = plan
        self.log = log or default_log()
        self._client = client
        self._sender: Sender | None = None
        self._runs: dict[str, Run] = {}
        # Set as it is cancelled, for cells that are about to begin; another for each time that it is sent.
        self._cancelled = threading.Event()
        self._lock = threading.Lock()
        self.board = Board(TrialCell(cell) for cell in plan.cells)
        self.refresh()

    def __repr__(self) -> str:
        counted = ", ".join(f"{count} {state}" for state, count in self.counts.items())
        return f"Trial({self.plan.name!r}, {counted or 'no cells'})"

    def _repr_html_(self) -> str:
        note = f"<p>{html.escape(self.note)}</p>" if self.note else ""
        return f"<p><bdi>{html.escape(repr(self))}</bdi></p>{note}"

    # What is there

    @property
    def name(self) -> str:
        """What it is called in the log."""
        return self.plan.name

    @property
    def cells(self) -> tuple[TrialCell, ...]:
        """Each cell of the plan with what came of it, in order."""
        return self.board.cells

    @property
    def counts(self) -> Counter[State]:
        """How many cells are in which state."""
        return self.board.counts

    @property
    def running(self) -> bool:
        """Whether something is being sent."""
        return self._sender is not None and not self._sender.over

    @property
    def note(self) -> str:
        """Why it stopped before all was sent, in a sentence; empty where it did not."""
        return self._sender.note if self._sender is not None else ""

    @property
    def costs(self) -> dict[str, float]:
        """What the cells cost so far, by currency; an estimate where the actual cost is not known."""
        costs: dict[str, float] = {}
        for one in self.cells:
            if one.cost is not None and one.state not in ("waiting", "refused", "not sent"):
                costs[one.currency] = costs.get(one.currency, 0.0) + one.cost
        return costs

    @property
    def seconds_left(self) -> float | None:
        """How long it will still take, by how long it took so far; None where that is not known."""
        sender = self._sender
        took = [one.seconds for one in self.cells if one.state == "done" and one.seconds is not None]
        if sender is None or sender.over or not took or not sender.sent:
            return None
        return sum(took) / len(took) * sender.left / sender.parallel

    @property
    def offline(self) -> bool:
        """Whether the cells of the embedded service are meant, and not the hosted one's."""
        if self._client is not None:
            return self._client.core.offline
        return self._found_offline

    @cached
    def _found_offline(self) -> bool:
        rows = self.log.experiments.rows(self.name)
        return default_client().is_offline if not rows else all(row.offline for row in rows)

    def refresh(self) -> Self:
        """Look once more at what the log says, also of what other notebooks did."""
        mine = set(self._runs)
        self.board.put(*(one for one in self._read(None) if one.key not in mine))
        return self

    def _read(self, keys: Collection[str] | None) -> list[TrialCell]:
        """What the log says of these cells, or of all."""
        board = self.board
        latest: dict[str, TrialCell] = {}
        rows, all_shown = self.log.experiments.with_shown(self.name, keys)
        shown: dict[str, dict[int, Shown]] = {}
        for (run, number), one in all_shown.items():
            shown.setdefault(run, {})[number] = one
        for row in rows:
            if row.offline is not self.offline or row.cell not in board:
                continue
            cell = of_row(board[row.cell].cell, row, shown.get(row.id, {}))
            if cell.state == "refused" and says_busy(row.problem):
                cell = TrialCell(cell.cell, offline=row.offline)
            before = latest.get(row.cell)
            # What is paid for counts, whatever was tried after it.
            if before is None or before.state in ("waiting", "refused") or cell.state != "waiting":
                latest[row.cell] = cell
        return list(latest.values())

    def __getitem__(self, cell: Cell | TrialCell | str | int) -> TrialCell:
        """The cell of this key or number."""
        key = cell if isinstance(cell, str) else None
        if isinstance(cell, Cell | TrialCell):
            key = cell.key
        for one in self.cells:
            if one.key == key or one.cell.number == cell:
                return one
        raise SettingsError(f"There is no cell {cell!r:.80} in {self.name!r}. See trial.cells.")

    def on_change(self, callback: Callable[[TrialCell], None], remove: bool = False) -> None:
        """Call `callback(cell)` with the `TrialCell` whenever something of a cell changes.

        It is called on a thread of the package, never on two at once, in order. What it raises is logged.
        """
        self.board.watch(callback, remove)

    # Sending

    def resume(
        self,
        client: Client | AsyncClient | None = None,
        *,
        budget: Budget | None = None,
        parallel: int = 4,
        per_minute: int | None = None,
        refused: bool = False,
        save_to: str | Path | None = None,
        on: Any = None,
    ) -> Self:
        """Send what was never sent, in the background; see `Experiment.run`.

        `refused`: also once more what the service refused. `save_to`: a folder into which each result is saved as it
        comes, pasted, with what made it. An interrupt stops it, as it does `wait`. Raises `SettingsError`, or
        `ResultError` where the log can't be written.
        """
        _check(parallel, per_minute, budget)
        try:
            with self._lock:
                if self.running:
                    raise SettingsError("This experiment is under way. Wait for it, or stop() it first.")
                client = self._client = client or self._client or default_client()
                self.__dict__.pop("_found_offline", None)
                folder = _folder(save_to)
                keep(self.log, self.plan.photos)
                self.log.experiments.save(self.name, self.plan.to_json())
                load(client.core)
                once_more = ("not sent", "refused") if refused else ("not sent",)
                self.board.put(
                    *(TrialCell(one.cell) for one in self.refresh().cells if one.state in once_more)
                )
                self._cancelled = threading.Event()
                do = self._doing(client, budget, folder, on)
                self._sender = sender = Sender(
                    self.board, self.log, do, self._read, parallel=parallel, per_minute=per_minute
                )
                _going.add(self)
                sender.begin(self._in("waiting"), self._in("elsewhere"))
            return self
        except KeyboardInterrupt as error:
            drop(self, error)
            raise

    def _in(self, state: State) -> list[str]:
        return [one.key for one in self.cells if one.state == state]

    def _doing(
        self, client: Client | AsyncClient, budget: Budget | None, save_to: Path | None, on: Any
    ) -> Does:
        if on is not None:
            return Elsewhere(self.plan, self.log, client, budget, save_to, on)
        return partial(self._carry, client, budget, save_to, room(), self._cancelled)

    def _carry(
        self,
        client: Client | AsyncClient,
        budget: Budget | None,
        save_to: Path | None,
        place: Any,
        cancelled: threading.Event,
        cell: Cell,
        again: bool,
        begun: Callable[[], None],
        answered: Callable[[], None],
    ) -> Outcome:
        def about_to(_: Run) -> None:
            if cancelled.is_set():
                raise NotSentError(CANCELLED)

        def under_way(run: Run) -> None:
            # In this order: whoever cancels it meanwhile sets that first.
            self._runs[cell.key] = run
            if cancelled.is_set():
                run.cancel()
            begun()

        try:
            return carry(
                cell,
                Claim(self.name, cell.key, again),
                client=client,
                log=self.log,
                budget=budget,
                save_to=save_to,
                room=place,
                watch=about_to,
                begun=under_way,
                answered=answered,
            )
        finally:
            self._runs.pop(cell.key, None)

    def wait(self, timeout: float | None = None, *, progress: bool = False) -> Self:
        """Wait until all is sent and answered, or it has stopped. Raises `TimeoutError` after `timeout` seconds.

        An interrupt stops it: nothing more is sent, and what has left goes on and is kept in the log.
        """
        try:
            return self._waited(timeout, progress)
        except KeyboardInterrupt as error:
            drop(self, error)
            raise

    def _waited(self, timeout: float | None, progress: bool) -> Self:
        if loop.is_here():
            raise RuntimeError("This would wait for the very thread it is called on. Use another thread.")
        sender = self._sender
        if sender is None:
            return self
        with Progress(self, show=progress) as shown:
            shown.follow(sender, timeout)
        if not sender.over:
            raise TimeoutError(
                f"The experiment is still going on after {timeout:g} seconds. Wait again, or stop() it."
            )
        return self

    def stop(self) -> None:
        """Send nothing more. What is under way goes on, and its answers are kept. Returns at once."""
        self._end(STOPPED)

    def cancel(self) -> None:
        """As `stop`, and keep what has not left yet from leaving."""
        self._cancelled.set()
        self._end(CANCELLED)
        for run in list(self._runs.values()):
            if run.status == "sending":
                run.cancel()

    def _end(self, why: str) -> None:
        if self._sender is not None:
            self._sender.stop(why)

    def add(self, prompts: Any = (), *, repeats: int | None = None) -> Self:
        """Add prompts, or repeats up to so many in all, also while it runs: then they are sent too.

        Raises `SettingsError`.
        """
        self.plan = self.plan.grown(prompts, repeats)
        self.log.experiments.save(self.name, self.plan.to_json())
        new = self.board.arrange(self.plan.cells)
        self.refresh()
        waiting = [one.key for one in new if self.board[one.key].state == "waiting"]
        if self._sender is not None:
            self._sender.add(waiting)
        return self

    def again(self, *cells: Cell | TrialCell | str | int) -> Self:
        """Send these cells once more while it runs, though they were sent, and are paid for once more."""
        keys = [self[cell].key for cell in cells]
        if self._sender is None or not self._sender.add(keys, again=True):
            raise SettingsError(
                "The experiment is not under way. Start it with resume(), and then ask again."
            )
        return self

    def found(self, cell: Cell | TrialCell | str | int, *, billed: bool) -> Self:
        """Say what you found out about a cell of unknown outcome, in the TTAPI Dashboard say: whether it was billed.

        One that was not is sent when the experiment is resumed. Raises `ResultError` where its outcome is known.
        """
        self.log.found(self[cell].run_id, billed=billed)
        return self.refresh()


def _check(parallel: object, per_minute: object, budget: object) -> None:
    for name, value, most in (("parallel", parallel, MOST_PARALLEL), ("per_minute", per_minute, 100_000)):
        if name == "per_minute" and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise SettingsError(f"{name}={value!r:.40} is not a whole number from 1 to {most:,}.")
    if budget is not None and not isinstance(budget, Budget):
        raise SettingsError(f"budget={budget!r:.40} is no budget. Use one like Budget(runs=50).")


def _folder(path: str | Path | None) -> Path | None:
    if path is None:
        return None
    folder = Path(path).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"save_to={str(folder)!r:.100} can't be a folder ({error.strerror}). Give another."
        ) from None
    return folder


def drop(trial: UnderWay, error: BaseException) -> None:
    """Who began it or waited was stopped by `error`, which is told what that means."""
    trial.cancel()
    if not getattr(error, "__notes__", None):
        error.add_note(INTERRUPTED.format(name=trial.name))


@atexit.register
def _stop_all() -> None:
    """Python ends: what has left is waited for, and nothing more is begun."""
    for trial in list(_going):
        trial.stop()
