"""Cells carried out by the workers of a Dask cluster.

The one who began the experiment decides what goes and when, so that there is one rate for all workers; a worker takes
one cell at a time from its name in the log, which all share, and gives back which run it was and the digests of its
results. What was sent is never sent again: Dask is told neither to retry a task nor to take one for another, and where
it runs a task once more because its worker was killed, the log refuses it.
"""

from __future__ import annotations

import functools
import pickle
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..client import AsyncClient, Client
from ..errors import SettingsError, TTAPIError
from ..log import Budget, Claim, RunLog
from .carrying import Outcome, carry
from .cells import Cell
from .plan import Plan

__all__ = ["Elsewhere", "work"]

NEEDS = 'Running on a Dask cluster needs Dask there too: pip install "ttapi-nb[dask]".'
LOST = "Its worker was lost, or the cluster was closed. What became of the cell is in the log."


@dataclass(frozen=True)
class Recipe:
    """How a worker makes its client: `Client`, or a method of it, with these arguments; or one that was pickled, which
    no client with a key can be. The key is found where the worker runs.
    """

    method: str = ""
    args: tuple[Any, ...] = ()
    named: tuple[tuple[str, Any], ...] = ()
    pickled: bytes = b""

    @functools.lru_cache(maxsize=8)  # noqa: B019 - a few settings, in a process that is there for this
    def client(self) -> Client:
        """The client. Raises what making one raises."""
        if self.pickled:
            made: Client = pickle.loads(self.pickled)  # noqa: S301 - of the one who runs the experiment, as the task is
            return made
        make: Any = getattr(Client, self.method) if self.method else Client
        client: Client = make(*self.args, **{name: _thawed(value) for name, value in self.named})
        return client


def recipe_of(client: Client | AsyncClient) -> Recipe:
    """How a worker makes a client like this one. Raises `SettingsError` for one that can only be here."""
    core = client.core
    if core.secret is None:
        try:
            return Recipe(pickled=pickle.dumps(client))
        except Exception as error:  # noqa: BLE001 - a function of the user's own may raise anything
            raise SettingsError(
                f"This client can't be made on the workers ({error}). Use one without functions of your own."
            ) from None
    call = core.way.call(core.form)
    return Recipe(
        call.method, call.args, tuple((name, _frozen(value)) for name, value in call.kwargs.items())
    )


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _thawed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


class Elsewhere:
    """Carries cells out on the cluster that `on`, a `distributed.Client`, is of. Raises `SettingsError`."""

    def __init__(
        self,
        plan: Plan,
        log: RunLog,
        client: Client | AsyncClient,
        budget: Budget | None,
        save_to: Path | None,
        on: Any,
    ) -> None:
        if not callable(getattr(on, "submit", None)) or not hasattr(on, "scheduler_info"):
            raise SettingsError(
                f"on={type(on).__name__} is no client of a Dask cluster. Use distributed.Client(…)."
            )
        self._on = on
        self._what = {
            "folder": str(log.folder),
            "journal": log.journal,
            "name": plan.name,
            "recipe": recipe_of(client),
            "budget": budget,
            "save_to": None if save_to is None else str(save_to.resolve()),
        }

    def __call__(
        self, cell: Cell, again: bool, begun: Callable[[], None], answered: Callable[[], None]
    ) -> Outcome:
        """Have a worker carry the cell out, and wait for it; never raises but for an interrupt.

        When its answer is there only the worker knows, which fits it before it takes another.
        """
        try:
            # A key of its own each time: a result that Dask still has must not stand for another run.
            future = self._on.submit(
                work, self._what, cell.key, again, key=f"ttapi-nb-{uuid.uuid4().hex}", pure=False, retries=0
            )
            begun()
            told = future.result()
            return Outcome(told["kind"], told["problem"], told["run_id"], told["seconds"])
        except Exception as error:  # noqa: BLE001 - a cluster may fail in any way; the log knows what was sent
            return Outcome("over", f"{LOST} ({type(error).__name__}: {error})")


# On a worker


def work(what: Mapping[str, Any], key: str, again: bool) -> dict[str, Any]:
    """Carry out the cell of this key, and tell how it went; `results` are the digests of the raw answers."""
    log = RunLog(what["folder"], journal=what["journal"])
    try:
        cell = _cells(what["folder"], what["name"], log.experiments.plan(what["name"])).get(key)
        client = what["recipe"].client()
    except TTAPIError as error:
        return asdict(Outcome("halt", f"A worker could not begin: {error}")) | {"results": []}
    if cell is None:
        return asdict(Outcome("halt", "The plan in the log has no such cell.")) | {"results": []}
    folder = None if what["save_to"] is None else Path(what["save_to"])
    went = carry(
        cell,
        Claim(what["name"], key, again),
        client=client,
        log=log,
        budget=what["budget"],
        save_to=folder,
        begun=_make_room,
    )
    results = [path.name for path in log.row(went.run_id).results] if went.run_id else []
    return asdict(went) | {"results": results}


@functools.lru_cache(maxsize=4)
def _cells(folder: str, name: str, plan: str) -> dict[str, Cell]:
    """The cells of a plan, its photos opened once for all that this worker does."""
    return {cell.key: cell for cell in Plan.from_json(plan, log=RunLog(folder)).cells}


def _make_room(_: object) -> None:
    """What follows is waiting: another task may use this one's place."""
    try:
        from distributed import secede
    except ImportError:
        raise SettingsError(NEEDS) from None
    leave: Any = secede
    leave()
