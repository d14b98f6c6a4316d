"""The whole way of an edit, without a widget: check, fit, log, send, return, strict paste."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Literal, Unpack

from PIL import Image

from . import loop
from .client import AsyncClient, Client, default_client
from .client.responses import ImageData, ImagesResponse
from .errors import InvalidRequestError, ResultError
from .images import ImageSource, SourceImage, open_image
from .mask import Mask
from .request import EditRequest, MaskSource, Options
from .runs import Result, Run, RunLog, default_log
from .strict import Leak, measure_leak, paste

__all__ = ["edit", "start_edit"]


def edit(
    image: ImageSource | Sequence[ImageSource],
    prompt: str,
    *,
    mask: MaskSource | None = None,
    client: Client | AsyncClient | None = None,
    fit: str = "auto",
    strict: bool = True,
    log: RunLog | Literal[False] | None = None,
    check: bool = True,
    **options: Unpack[Options],
) -> Run:
    """Edit a picture and wait for the results; `run.results[0].image` is the first.

    * `image`: what `open_image` takes, or a list of such where the model takes several; the mask is for the first.
    * `mask`: a `Mask`, or a picture that is transparent where the edit is. Without one the whole picture may change.
    * `client`: left out, one with the environment's key, or where there is none the embedded service.
    * `strict`: where there is a mask, keep what lies outside it exactly as it was.
    * `log`: where the run is recorded; False for nowhere.
    * `options`: model, size, n and the other fields of `EditRequest`.

    Raises `InvalidRequestError` before anything is sent, or what the client raises. An interrupt stops the waiting
    and not the run, whose answer the log keeps.
    """
    run = start_edit(
        image, prompt, mask=mask, client=client, fit=fit, strict=strict, log=log, check=check, **options
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
    check: bool = True,
    **options: Unpack[Options],
) -> Run:
    """As `edit`, without waiting: the run goes on in the background. Its problems are still raised at once."""
    client = client or default_client()
    request = EditRequest.make(image=image, prompt=prompt, mask=mask, **options)
    source = request.image[0] if request.image else None
    sent, plan = request.fitted(fit)
    found = client.core.problems(sent) if check else ()
    if found or source is None or plan is None:
        raise InvalidRequestError(found or ("There is no picture. Open one first.",))
    run = Run(sent, source, plan, strict=strict, log=default_log() if log is None else log or None)
    if run.log is not None:
        run.log.begin(run.id, sent, offline=client.core.offline)
    loop.submit(_carry_out(run, client))
    return run


async def _carry_out(run: Run, client: Client | AsyncClient) -> None:
    task = asyncio.current_task()
    if task is not None:
        run.began(task)
    try:
        response = await client.core.send(run.request, check=False, on_sent=run.left)
        await asyncio.to_thread(run.answered, response)
        results, note = await asyncio.to_thread(_results, run, response)
    except BaseException as error:  # noqa: BLE001 - whatever happened, whoever waits for the run is told
        run.stopped(error)
    else:
        run.succeeded(results, note)


def _results(run: Run, response: ImagesResponse) -> tuple[tuple[Result, ...], str]:
    """The results that are here, and what became of the others."""
    mask = _mask_of(run.request)
    results: list[Result] = []
    missing: list[ResultError] = []
    for number, item in enumerate(response.data, 1):
        try:
            results.append(_result(run, response, item, number, mask))
        except ResultError as error:
            missing.append(error)
    if missing and not results:
        raise missing[0]
    return tuple(results), " ".join(map(str, missing))


def _result(run: Run, response: ImagesResponse, item: ImageData, number: int, mask: Mask | None) -> Result:
    answer = item.image
    returned = run.fit.back(answer)
    whole, leak, kept, note = answer if returned is None else returned, None, False, ""
    if mask is not None and returned is None:
        note = run.fit.cannot_return(answer.size)
    elif mask is not None and returned is not None:
        leak = _leak(run, answer, mask)
        if run.strict:
            whole, kept = paste(run.source.pixels, returned, mask.resize(run.fit.source_size)), True
    name = f"{run.source.name.rsplit('.', 1)[0]}-edit-{number}"
    return Result(number, SourceImage(whole, "PNG", name), item, kept, leak, note, response.offline)


def _leak(run: Run, answer: Image.Image, mask: Mask) -> Leak:
    # A JPEG arrives as other pixels than it was made from, and that is not the model's doing.
    sent = open_image(run.request.image_files[0].data).pixels
    raw = answer if answer.size == sent.size else answer.resize(sent.size, Image.Resampling.LANCZOS)
    return measure_leak(sent, raw, mask)


def _mask_of(request: EditRequest) -> Mask | None:
    mask = request.mask
    if isinstance(mask, SourceImage):
        # Unchecked requests may send a mask that says nothing. Their answers are paid for all the same.
        mask = Mask.from_image(mask, edit="transparent") if mask.pixels.mode == "RGBA" else None
    return None if mask is None else mask.resize(request.image[0].size)
