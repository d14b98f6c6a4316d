"""What a report tells: the cells with their places on the axes, what they took, the ranking, and how it was made."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from PIL import Image

from ... import __version__
from ...errors import SettingsError, TTAPIError
from ...log.budget import amount_in_words
from ...models import OFFLINE_NOTICE
from ...picture import on_white, preview
from ...run import Result
from ..board import TrialCell
from ..carrying import THUMB
from ..judged import Judged
from ..photos import Photo
from ..ranking import COLUMNS

__all__ = ["pictures_of", "told_of"]

FORMAT = 1
# As a picture of a result is kept in the file; at this quality nobody sees a difference side by side.
QUALITY = 92


def told_of(trial: Judged, cells: Sequence[TrialCell], *, full: bool) -> dict[str, Any]:
    """All that is in the report besides pictures, which are named by their places in `pictures_of`."""
    several = any(len(one.shown) > 1 for one in cells)
    results, place = [], len(_photos(trial)) * 2
    for one in cells:
        for number in sorted(one.shown) or (1,):
            shown = one.shown.get(number)
            results.append(_result(one, number, several, place if shown is not None else None))
            place += 0 if shown is None else 1 + (full and one.state == "done")
    plan = trial.plan
    costs = [amount_in_words(cost, currency) for currency, cost in trial.costs.items()]
    return {
        "format": FORMAT,
        "name": trial.name,
        "made": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "version": __version__,
        "notices": [OFFLINE_NOTICE] if any(one.offline for one in cells if one.state == "done") else [],
        "note": trial.note,
        "full": full,
        "thumb": THUMB,
        "by": trial.main_axis,
        "counts": {str(state): count for state, count in trial.counts.items()},
        "cost": "nothing was billed" if trial.offline else f"cost {', '.join(costs) or 'unknown'}",
        "results": results,
        "photos": [
            {"name": photo.label, "at": 2 * number, "masked": photo.mask is not None}
            for number, photo in enumerate(_photos(trial))
        ],
        "skipped": [
            {"values": dict(one.cell.values), "text": one.cell.text, "why": one.reason}
            for one in plan.skipped
        ],
        "prompts": [{"name": one.name, "text": one.text} for one in plan.prompts],
        "rankings": _rankings(trial),
        "how": _how(trial),
    }


def _result(one: TrialCell, number: int, several: bool, at: int | None) -> dict[str, Any]:
    shown, rating = one.shown.get(number), one.ratings.get(number)
    values = dict(one.cell.values) | ({"result": str(number)} if several else {})
    return {
        "id": f"{one.key}.{number}",
        "number": one.cell.number,
        "values": values,
        "text": one.cell.text,
        "state": one.state,
        "problem": one.problem,
        "at": at,
        "size": None if shown is None else list(shown.size),
        "leak": None if shown is None or shown.leak is None else shown.leak[0],
        "seconds": one.seconds,
        "cost": one.cost,
        "currency": one.currency,
        "tokens": one.tokens,
        "stars": rating.stars if rating else 0,
        "note": rating.note if rating else "",
    }


def _rankings(trial: Judged) -> list[dict[str, Any]]:
    rankings = []
    for axis in trial.plan.axes:
        if axis in ("photo", "repeat"):
            continue
        try:
            ranking = trial.ranking(axis)
        except SettingsError as error:
            return [{"by": axis, "columns": [], "rows": [], "notes": [str(error)]}]
        if ranking.votes:
            rankings.append(
                {"by": axis, "columns": [axis, *COLUMNS], "rows": ranking.rows, "notes": list(ranking.notes)}
            )
    return rankings


def _how(trial: Judged) -> list[list[str]]:
    plan = trial.plan
    times = [one.seconds for one in trial.cells if one.seconds is not None and one.state == "done"]
    lines = [
        ["Models", ", ".join(plan.models)],
        ["Sizes", ", ".join(plan.sizes)],
        *([f"Option {name}", ", ".join(map(str, values))] for name, values in plan.options.items()),
        *([f"Variable {name}", ", ".join(values)] for name, values in plan.variables.items()),
        ["Repeats", str(plan.repeats)],
        [
            "Fit",
            f"{plan.fit}, {'what lies outside the mask is kept' if plan.strict else 'the model’s picture as it is'}",
        ],
        ["Answered by", "the embedded service" if trial.offline else "the hosted service, or a gateway"],
    ]
    if times:
        lines.append(["Seconds for one", f"{min(times):.1f} to {max(times):.1f}"])
    return lines


# Pictures


def pictures_of(trial: Judged, cells: Sequence[TrialCell], *, full: bool) -> Iterator[bytes]:
    """The photos, each as it is and with its mask, then each result's thumbnail, and the `full` one where that is
    wanted.
    """
    for photo in _photos(trial):
        yield from _of_photo(photo)
    for one in cells:
        results: Sequence[Result] = ()
        if full and one.state == "done":
            try:
                results = trial.results(one.key)
            except TTAPIError:
                results = ()
        by_number: Mapping[int, Result] = {result.number: result for result in results}
        for number in sorted(one.shown):
            yield one.shown[number].thumb
            if full and one.state == "done":
                yield (
                    _webp(by_number[number].image, QUALITY)
                    if number in by_number
                    else one.shown[number].thumb
                )


def _photos(trial: Judged) -> list[Photo]:
    return [photo for photo in trial.plan.photos if photo.picture is not None]


def _of_photo(photo: Photo) -> Iterator[bytes]:
    if photo.picture is None:
        return
    yield _webp(preview(photo.picture.pixels, THUMB), 80)
    shown = (
        photo.mask.over(photo.picture, longest=THUMB)
        if photo.mask is not None
        else preview(photo.picture.pixels, THUMB)
    )
    yield _webp(shown, 80)


def _webp(image: Image.Image, quality: int) -> bytes:
    out = io.BytesIO()
    on_white(image).save(out, "WEBP", quality=quality)
    return out.getvalue()
