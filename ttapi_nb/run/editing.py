"""The whole way of an edit, without a widget: check, fit, log, send, return, strict paste."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import wait
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Literal, Unpack

from ..asked import Asked, prepare
from ..client import AsyncClient, Client, default_client
from ..client.core import Core
from ..errors import BudgetError, InvalidRequestError, SettingsError
from ..log import Budget, Claim, RunLog, default_log
from ..log.budget import NO_LOG
from ..picture import ImageSource
from ..request import EditRequest, GenerateRequest, MaskSource, Options
from .carrier import STOPPED_PATIENCE, Carrier
from .ending import INTERRUPTED
from .making import load, results_of
from .partial import Partial
from .run import Run
from .tiled import TiledRun, Tiles

__all__ = ["edit", "generate", "start", "start_edit"]


def edit(
    image: ImageSource | Sequence[ImageSource],
    prompt: str,
    *,
    mask: MaskSource | None = None,
    client: Client | AsyncClient | None = None,
    fit: str = "auto",
    strict: bool = True,
    log: RunLog | Literal[False] | None = None,
    budget: Budget | None = None,
    check: bool = True,
    on_partial: Callable[[Partial], None] | None = None,
    **options: Unpack[Options],
) -> Run:
    """Edit a picture and wait for the results; `run.results[0].image` is the first.

    * `image`: what `open_image` takes, or a list of such where the model takes several; the mask is for the first.
    * `mask`: a `Mask`, a picture that is transparent where the edit is, or whatever else `Mask.read` reads in one way.
      Without one, or where nothing is painted on it, the whole picture may change.
    * `client`: left out, one with the environment's key, or where there is none the embedded service.
    * `fit`: how the picture is brought to what the model takes: `"auto"`, `"crop"` to the mask's surroundings,
      `"tiles"` along the mask, `"pad"`, `"scale"`, or `"none"`; see `Fit.plan`. Tiles are sent one by one, each as a
      run of its own: see `TiledRun`. The results are of the picture's own size either way.
    * `strict`: where there is a mask, keep what lies outside it exactly as it was.
    * `log`: where the run is recorded; False for nowhere.
    * `budget`: how much may be spent in the log, which it needs; see `Budget`. The embedded service spends nothing.
    * `on_partial`: called with each `Partial`, as one comes, where `partial_images` asks for some: on a thread of the
      package, one at a time, before the run's end. What it raises is logged, and the run goes on.
    * `options`: model, size, n and the other fields of `EditRequest`.

    Raises `InvalidRequestError`, `FitError` or `BudgetError` before anything is sent, or what the client raises. An
    interrupt stops the waiting and not the run, whose answer the log keeps.
    """
    asked = Asked(EditRequest.make(image=image, prompt=prompt, mask=mask, **options), fit, strict)
    return _waited(
        partial(start, asked, client=client, log=log, budget=budget, check=check, on_partial=on_partial)
    )


def start_edit(
    image: ImageSource | Sequence[ImageSource],
    prompt: str,
    *,
    mask: MaskSource | None = None,
    client: Client | AsyncClient | None = None,
    fit: str = "auto",
    strict: bool = True,
    log: RunLog | Literal[False] | None = None,
    budget: Budget | None = None,
    check: bool = True,
    on_partial: Callable[[Partial], None] | None = None,
    **options: Unpack[Options],
) -> Run:
    """As `edit`, without waiting: the run goes on in the background. Its problems are still raised at once.

    Where Python ends before the run has, a request that has left is waited for, and one that has not is not sent.
    """
    asked = Asked(EditRequest.make(image=image, prompt=prompt, mask=mask, **options), fit, strict)
    return start(asked, client=client, log=log, budget=budget, check=check, on_partial=on_partial)


def generate(
    prompt: str,
    *,
    client: Client | AsyncClient | None = None,
    log: RunLog | Literal[False] | None = None,
    budget: Budget | None = None,
    check: bool = True,
    on_partial: Callable[[Partial], None] | None = None,
    **options: Unpack[Options],
) -> Run:
    """Make a picture of words alone and wait for it: `run.results[0].image`, which can be the source of an edit.

    All else is as in `edit`. The embedded service paints colours, and reads nothing of the prompt but colour words.
    """
    asked = Asked(GenerateRequest.make(prompt=prompt, **options))
    return _waited(
        partial(start, asked, client=client, log=log, budget=budget, check=check, on_partial=on_partial)
    )


def _waited(begin: Callable[..., Run]) -> Run:
    begun: list[Run] = []
    try:
        return begin(watch=begun.append).wait()
    except KeyboardInterrupt as error:
        # Between the two nobody else has it.
        for run in begun:
            run._left_alone(error)
        raise


def start(
    asked: Asked,
    *,
    client: Client | AsyncClient | None = None,
    log: RunLog | Literal[False] | None = None,
    budget: Budget | None = None,
    check: bool = True,
    watch: Callable[[Run], None] | None = None,
    claim: Claim | None = None,
    on_partial: Callable[[Partial], None] | None = None,
    room: AbstractContextManager[Any] | None = None,
) -> Run:
    """As `start_edit`, for what was put together before; `watch(run)` is called before anything happens to the run,
    `claim` is the cell of an experiment that it is of, and its photo is fitted in the `room` that there is for that.
    Raises `ClaimedError` where the cell was sent before.
    """
    if log is False and budget is not None:
        raise SettingsError(NO_LOG)
    client = client or default_client()
    core = client.core
    with room or contextlib.nullcontext():
        prepared = prepare(asked, core.problems if check else None, cuts=core.cuts and claim is None)
    if prepared.problems:
        raise InvalidRequestError(prepared.problems)
    load(core)
    if prepared.requests > 1:
        again = partial(start, client=client, log=log, budget=budget, check=check)
        where = default_log() if log is None else log or None
        return _in_tiles(
            TiledRun(prepared, log=where, budget=budget, on_partial=on_partial), core, again, watch
        )
    run = Run(
        prepared,
        log=default_log() if log is None else log or None,
        budget=budget,
        claim=claim,
        on_partial=on_partial,
    )
    if watch is not None:
        watch(run)
    # Of a cell this is seen by nobody: whoever looks at its results has them made from the log.
    make = results_of if claim is None else partial(results_of, look=False)
    carrier = run._carrier = Carrier(run, core, make)
    try:
        carrier.begin()
        return run
    except KeyboardInterrupt as error:
        # Whoever stopped the cell has no run to wait for or to cancel, so it must not leave any more. This comes first,
        # and without a call: a second interrupt may come with the next one.
        carrier.withdrawn = True
        with contextlib.suppress(KeyboardInterrupt):
            if carrier.withdraw(INTERRUPTED):
                wait((carrier.over,), STOPPED_PATIENCE)
            else:
                run._left_alone(error)
        raise


def _in_tiles(
    run: TiledRun, core: Core, again: Callable[..., Run], watch: Callable[[Run], None] | None
) -> Run:
    """As `start`, for what goes in tiles: none is sent where the budget has not room for all."""
    if run.budget is not None and run.log is not None and not core.offline:
        problems = run.log.problems(run.budget, run.request, run.prepared.requests)
        if problems:
            raise BudgetError(problems)
    if watch is not None:
        watch(run)
    tiles = run._carrier = Tiles(run, again, timeout=core.timeout, offline=core.offline)
    try:
        tiles.begin()
        return run
    except KeyboardInterrupt as error:
        tiles.withdrawn = True
        tiles.drop(error)
        raise
