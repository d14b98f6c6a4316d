"""`TiledRun`: an edit that goes in tiles, one after the other, each a run of its own in log, budget and lineage.

Each tile begins with the picture that the one before it made, so that they fit each other, and each is sent once: where
one fails, those before it are done, and those after it are not sent.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import wait
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PIL import Image

from .. import exiting, fit, loop
from ..asked import Asked, Prepared
from ..errors import NotSentError, RunCancelledError, TTAPIError
from ..mask import Mask
from ..picture import encode, on_white
from ..reply import ImageData, ImagesResponse
from ..reply.responses import Usage
from .ending import ENDED, INTERRUPTED, Ended, cancelled, unsent
from .result import Result
from .run import Run

if TYPE_CHECKING:
    from ..fit import Light, Moved

__all__ = ["TiledRun", "Tiles"]

WATCHER_PATIENCE = 5.0
"""Seconds for which the end is held back until those who watch it have seen it."""


class TiledRun(Run):
    """One edit whose tiles are `parts`, a `Run` each, as far as they have begun; all else is of the whole.

    `results` is the picture with all that is done; where a tile failed, `left` is what is masked and not done yet.
    `response` and `Result.raw` show the answers together, at the size that the whole would have been sent at.
    """

    def __init__(self, prepared: Prepared, **settings: Any) -> None:
        super().__init__(prepared, **settings)
        mask = fit.mask_for(self.source, prepared.asked.request.mask)
        if mask is None:
            raise ValueError("Without a mask there is nothing to cut.")
        self.mask: Mask = mask
        self.parts: tuple[Run, ...] = ()

    @property
    def left(self) -> Mask | None:
        """What is masked and not done yet; None where all is done."""
        done = len(_done(self.parts))
        if done == len(self.plan.tiles):
            return None
        left = [self.part_mask(at).coverage() for at in range(done, len(self.plan.tiles))]
        total = left[0].copy()
        for one in left[1:]:
            total |= one
        return Mask.of_coverage(total)

    def part_mask(self, number: int) -> Mask:
        """What of the mask the tile of that number, from 0, is to change."""
        return fit.part_of(self.mask, self.plan.tiles[number])


class Tiles(exiting.Unfinished):
    """Has the tiles of `run` carried out; `start(asked, watch=…)` starts a run."""

    def __init__(self, run: TiledRun, start: Callable[..., Run], *, timeout: float, offline: bool) -> None:
        super().__init__(timeout, offline)
        self.run = run
        self._start = start
        self._lane = loop.lane()
        # The number of parts whose end was seen to, and why there is to be no further one; under the run's guard.
        self._seen = 0
        # How many drafts those before the one under way have had.
        self._drafts = 0
        self._stopped: TTAPIError | None = None
        # Set alone, without a call, by whoever is interrupted as it begins.
        self.withdrawn = False

    def begin(self) -> None:
        """Start the first tile. Raises what that raises, and nothing is sent then."""
        try:
            exiting.add(self)
            self._next()
        except Exception as error:
            self._over("failed", error)
            raise

    def drop(self, error: BaseException) -> None:
        """Whoever began it, and set `withdrawn`, was stopped by `error`: tell of the first tile where that has left."""
        has_left = False
        for part in self.run.parts:
            has_left = part._carrier is not None and part._carrier.has_left
            if has_left:
                part._left_alone(error)
            part.cancel()
        self._over("cancelled", RunCancelledError(cancelled(has_left=has_left, offline=self.offline)))

    def cancel(self) -> None:
        """Stop the tile that is under way, and begin no other."""
        if self._stop(RunCancelledError(cancelled(has_left=False, offline=self.offline))):
            for part in self.run.parts[-1:]:
                part.cancel()

    def withdraw(self) -> bool:
        """Begin no other tile; the one under way sees to itself."""
        self._stop(NotSentError(ENDED))
        return False

    def waits_here(self) -> bool:
        """Whether what it waits for is called on this thread."""
        return self._lane.is_here() or any(part._waits_here() for part in self.run.parts)

    def _stop(self, why: TTAPIError) -> bool:
        with self.run._guard:
            if self._stopped is None and not self.run.done:
                self._stopped = why
                return True
        return False

    def _next(self) -> None:
        """Begin the next tile, with the picture as far as it is."""
        run, number = self.run, len(self.run.parts)
        source = run.parts[-1].results[0].picture if number else run.source
        request = run.asked.request
        asked = Asked(
            replace(request, image=(source, *request.image[1:]), mask=run.part_mask(number)),
            "crop",
            run.strict,
        )
        if self._stopped is not None or self.withdrawn:
            raise self._stopped or NotSentError(INTERRUPTED)
        self._start(asked, watch=self._begun)

    def _begun(self, part: Run) -> None:
        if len(self.run.parts) + 1 == len(self.run.plan.tiles):
            # What is thought of the whole is kept with the tile that ends it.
            part.id = self.run.id
        part._follow(self._changed, self._lane)
        self.run.parts = (*self.run.parts, part)

    # On the lane

    def _changed(self, part: Run) -> None:
        run, count = self.run, len(self.run.plan.tiles)
        number = run.parts.index(part) + 1
        for draft in part.partials[len(run.partials) - self._drafts :]:
            run._add_partial(replace(draft, number=len(run.partials) + 1))
        if not part.done:
            with run._guard:
                if not run.done:
                    run.status = part.status
                    run.note = f"Tile {number} of {count}. {part.note}".strip()
                    self.left_at = part.started if part.status == "waiting" else self.left_at
            run._tell()
            return
        if number <= self._seen:
            # An answer that came after it was cancelled.
            if part.results and run.done and not run.results:
                self._show()
                run._tell()
            return
        self._seen, self._drafts = number, len(run.partials)
        if part.status != "done" or number == count:
            self._over(part.status, part.error)
            return
        try:
            self._next()
        except BaseException as error:  # noqa: BLE001 - whatever happened, whoever waits for the run is told
            ended: Ended = "cancelled" if isinstance(error, RunCancelledError) else "failed"
            self._over(ended, error if isinstance(error, Exception) else unsent(error))

    def _over(self, status: Any, error: Exception | None) -> None:
        """All has ended: for who looks, then for who waits."""
        run = self.run
        with contextlib.suppress(Exception):
            self._show()
        with run._guard:
            if not run.done:
                run._end(status, error)
        told = run._tell()
        wait(told, WATCHER_PATIENCE)
        run._release()
        run._carrier = None
        self.set_over()

    def _show(self) -> None:
        run, done = self.run, _done(self.run.parts)
        if not done:
            run.note = run.parts[-1].note if run.parts else run.note
            return
        if len(done) < len(run.plan.tiles):
            # In the log it is what the last of them made.
            run.id = done[-1].id
        run.response, run.results = _together(run, done)
        costs = [part.cost for part in done]
        run.cost = None if None in costs else sum(cost for cost in costs if cost is not None)
        run.note = " ".join(dict.fromkeys(part.note for part in run.parts if part.note))


def _done(parts: Sequence[Run]) -> tuple[Run, ...]:
    return tuple(part for part in parts if part.results)


def _together(run: TiledRun, done: Sequence[Run]) -> tuple[ImagesResponse, tuple[Result, ...]]:
    """The answers as one, and what they made."""
    last = done[-1].results[0]
    sent = on_white(run.request.image[0].pixels)
    raw = sent.copy()
    for part in done:
        _lay(raw, run, part)
    leak = fit.measure_leak(sent, raw, run.plan.there_mask(run.mask), run.plan.not_padding())
    past = None if leak is None or leak.past is None else leak.past.scaled(run.plan.scale)
    results = [part.results[0] for part in done]
    lights = [one.light for one in results if one.light is not None]
    moves = [one.moved for one in results if one.moved is not None]
    count, notes = len(run.plan.tiles), [one.note for one in results]
    if len(done) < count:
        notes.insert(0, f"Only {len(done)} of {count} tiles are in it; the others were not made.")
    data = ImageData(encode(raw, "PNG"), revised_prompt=last.data.revised_prompt)
    result = replace(
        last,
        number=1,
        picture=replace(last.picture, name=f"{run.source.name.rsplit('.', 1)[0]}-edit-1"),
        data=data,
        kept=all(one.kept for one in results),
        leak=leak,
        light=max(lights, key=_far, default=None),
        moved=max(moves, key=_away, default=None),
        past=past,
        note=" ".join(dict.fromkeys(note for note in notes if note)),
        _saved=[],
    )
    replies = [part.response for part in done if part.response is not None]
    response = replace(
        replies[-1],
        data=(data,),
        usage=_usage([reply.usage for reply in replies]),
        note=" ".join(dict.fromkeys(reply.note for reply in replies if reply.note)),
    )
    return response, (result,)


def _lay(raw: Image.Image, run: TiledRun, part: Run) -> None:
    """Lay a tile's answer where it belongs on the whole as it would have been sent."""
    mask = fit.mask_for(part.source, part.asked.request.mask)
    landed = part.plan.land(part.results[0].raw, part.source, mask)
    region, answer = landed.region, landed.part
    if region is None or answer is None:
        return
    (x0, y0), (x1, y1) = (run.plan.there_point(float(x), float(y)) for x, y in (region[:2], region[2:]))
    box = round(x0), round(y0), max(round(x0) + 1, round(x1)), max(round(y0) + 1, round(y1))
    size = box[2] - box[0], box[3] - box[1]
    raw.paste(on_white(answer).resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0), box[:2])


def _far(light: Light) -> float:
    return max(abs(light.red), abs(light.green), abs(light.blue))


def _away(moved: Moved) -> float:
    return abs(moved.right) + abs(moved.down) + moved.bent


def _usage(usages: Sequence[Usage | None]) -> Usage | None:
    """The tokens of all; unknown where one of them is."""
    known = [usage for usage in usages if usage is not None]
    if not known or len(known) < len(usages):
        return None

    def total(name: str) -> int | None:
        counts = [getattr(usage, name) for usage in known]
        return None if None in counts else sum(counts)

    return Usage(
        *map(total, ("total_tokens", "input_tokens", "output_tokens", "text_tokens", "image_tokens"))
    )
