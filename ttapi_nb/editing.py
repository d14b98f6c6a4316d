"""The whole way of an edit, without a widget: check, fit, log, send, return, strict paste."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import wait
from dataclasses import replace
from functools import partial
from typing import Literal, TypeAlias, Unpack

from .budget import Budget
from .carrying import INTERRUPTED, STOPPED_PATIENCE, Carrier
from .client import AsyncClient, Client, default_client
from .client.core import Core
from .errors import InvalidRequestError, ResultError, SettingsError
from .fit import mask_for
from .mask import Mask
from .picture import ImageSource, SourceImage, edited_picture, open_image
from .reply import ImageData, ImagesResponse
from .request import EditRequest, MaskSource, Options
from .runs import Result, Run, RunLog, default_log
from .strict import measure_leak, paste, surroundings

__all__ = ["edit", "start_edit"]

Box: TypeAlias = tuple[int, int, int, int]


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
    **options: Unpack[Options],
) -> Run:
    """Edit a picture and wait for the results; `run.results[0].image` is the first.

    * `image`: what `open_image` takes, or a list of such where the model takes several; the mask is for the first.
    * `mask`: a `Mask`, a picture that is transparent where the edit is, or whatever else `Mask.read` reads in one way.
      Without one, or where nothing is painted on it, the whole picture may change.
    * `client`: left out, one with the environment's key, or where there is none the embedded service.
    * `fit`: how the picture is brought to what the model takes: `"auto"`, `"crop"` to the mask's surroundings, `"pad"`,
      `"scale"`, or `"none"`; see `Fit.plan`. The results are of the picture's own size either way.
    * `strict`: where there is a mask, keep what lies outside it exactly as it was.
    * `log`: where the run is recorded; False for nowhere.
    * `budget`: how much may be spent in the log, which it needs; see `Budget`. The embedded service spends nothing.
    * `options`: model, size, n and the other fields of `EditRequest`.

    Raises `InvalidRequestError`, `FitError` or `BudgetError` before anything is sent, or what the client raises. An
    interrupt stops the waiting and not the run, whose answer the log keeps.
    """
    run = start_edit(
        image,
        prompt,
        mask=mask,
        client=client,
        fit=fit,
        strict=strict,
        log=log,
        budget=budget,
        check=check,
        **options,
    )
    return run.wait()


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
    **options: Unpack[Options],
) -> Run:
    """As `edit`, without waiting: the run goes on in the background. Its problems are still raised at once.

    Where Python ends before the run has, a request that has left is waited for, and one that has not is not sent.
    """
    return start_watched(
        None,
        image,
        prompt,
        mask=mask,
        client=client,
        fit=fit,
        strict=strict,
        log=log,
        budget=budget,
        check=check,
        **options,
    )


def start_watched(
    watch: Callable[[Run], None] | None,
    image: ImageSource | Sequence[ImageSource],
    prompt: str,
    *,
    mask: MaskSource | None,
    client: Client | AsyncClient | None,
    fit: str,
    strict: bool,
    log: RunLog | Literal[False] | None,
    budget: Budget | None,
    check: bool = True,
    **options: Unpack[Options],
) -> Run:
    """As `start_edit`; `watch(run)` is called before anything happens to the run."""
    if log is False and budget is not None:
        raise SettingsError(
            "A budget counts in a log, and there is none with log=False. Leave log out, or budget."
        )
    client = client or default_client()
    request = EditRequest.make(image=image, prompt=prompt, mask=mask, **options)
    source = request.image[0] if request.image else None
    sent, plan = request.fitted(fit)
    found = client.core.problems(sent) if check else ()
    if found or source is None or plan is None:
        raise InvalidRequestError(found or ("There is no picture. Open one first.",))
    client.core.load()
    run = Run(
        sent,
        source,
        plan,
        strict=strict,
        log=default_log() if log is None else log or None,
        asked=request,
        how=fit,
        budget=budget,
    )
    if watch is not None:
        watch(run)
    carrier = run._carrier = Carrier(run, client.core, _results)
    try:
        carrier.begin(partial(_write_row, run, client.core))
        return run
    except KeyboardInterrupt:
        # Whoever stopped the cell has no run to wait for or to cancel, so it must not leave any more. This comes first,
        # and without a call: a second interrupt may come with the next one.
        carrier.withdrawn = True
        carrier.withdraw(INTERRUPTED)
        with contextlib.suppress(KeyboardInterrupt):
            wait((carrier.over,), STOPPED_PATIENCE)
        raise


def _write_row(run: Run, core: Core, log: RunLog) -> None:
    log.begin(
        run.id,
        run.request,
        offline=core.offline,
        source=run.source,
        asked=run.asked,
        fit=run.how,
        strict=run.strict,
        address=core.address,
        budget=run.budget,
    )


def _results(run: Run, response: ImagesResponse) -> tuple[tuple[Result, ...], str]:
    """The results that are here, and what became of the others."""
    given = run.asked.mask
    mask = mask_for(run.source, given)
    if mask is None and isinstance(given, Mask):
        # An unchecked request may send a mask of another size. Its answer is paid for all the same.
        mask = given.resize(run.source.size)
    results: list[Result] = []
    missing: list[ResultError] = []
    for number, item in enumerate(response.data, 1):
        try:
            result = _result(run, response, item, number, mask)
            results.append(replace(result, replayed=response.replayed))
        except ResultError as error:
            missing.append(error)
    if missing and not results:
        raise missing[0]
    return tuple(results), " ".join(map(str, missing))


def _result(run: Run, response: ImagesResponse, item: ImageData, number: int, mask: Mask | None) -> Result:
    answer, source, fit = item.image, run.source, run.fit
    landing = fit.landing(answer, source, mask)
    name = f"{source.name.rsplit('.', 1)[0]}-edit-{number}"
    if mask is None:
        picture = edited_picture(source, fit.back(answer, source), name)
        note = _said(landing.note, source, picture)
        return Result(number, picture, item, False, None, note, response.offline)
    # A JPEG arrives as other pixels than it was made from, and that is not the model's doing.
    sent = open_image(run.request.image_files[0].data).pixels
    raw, counted = fit.on_sent(answer, landing)
    leak = measure_leak(sent, raw, fit.there_mask(mask), counted)
    shift, note = None, landing.note
    protects = mask.meaning.protected > 0
    if not protects:
        note = f"{note} Nothing was protected: the mask covers every pixel, some of them in part.".strip()
    if run.strict:
        region = _common(fit.reach(landing), surroundings(mask.bounds or fit.inside, source.size))
        if region is None:
            picture = edited_picture(source, source.pixels.copy(), name, (0, 0, 0, 0))
            note = f"{note} What you masked is not in it, so nothing changed. Ask for a size of the picture's shape."
        else:
            pasted = paste(source.pixels, fit.part(answer, region, landing), mask, region[:2])
            picture, shift = (
                edited_picture(source, pasted.image, name, pasted.box, pasted.weight),
                pasted.shift,
            )
    else:
        picture = edited_picture(source, fit.back(answer, source, mask), name)
    return Result(
        number,
        picture,
        item,
        run.strict and protects,
        leak,
        _said(note, source, picture),
        response.offline,
        shift,
    )


def _said(note: str, source: SourceImage, picture: SourceImage) -> str:
    """A result's note, with what opening the photo changed, and what of the answer its kind could not hold."""
    return " ".join(words for words in dict.fromkeys((note, *source.changes, *picture.changes)) if words)


def _common(one: Box, other: Box) -> Box | None:
    box = max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])
    return box if box[0] < box[2] and box[1] < box[3] else None
