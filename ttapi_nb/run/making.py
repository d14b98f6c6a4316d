"""The results of an answer: brought back into the photo, pasted strictly, and its leak measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial

from PIL import Image

from .. import fit
from ..client.core import Core
from ..errors import ResultError
from ..loading import loading
from ..mask import Mask
from ..picture import SourceImage, edited_picture, open_image
from ..reply import ImageData, ImagesResponse
from ..request import EditRequest
from .blank import blank, plan_of
from .finer import finer, is_filled
from .result import Result
from .run import Run

__all__ = ["load", "results_of"]


def load(core: Core) -> None:
    """Load what sends and what lands an answer, before anything is sent: see `Core.load`."""
    core.load()
    with loading():
        _ = fit.measure_leak, fit.paste


def results_of(run: Run, response: ImagesResponse, *, look: bool = True) -> tuple[tuple[Result, ...], str]:
    """The results that are here, and what became of the others; without `look`, with no word on what one would see of
    their leak.
    """
    if run.request.generates:
        return _made(response, partial(_generated, run, response))
    wanted = run.asked.request.mask
    mask = fit.mask_for(run.source, wanted)
    if mask is None and isinstance(wanted, Mask):
        # An unchecked request may send a mask of another size. Its answer is paid for all the same.
        mask = wanted.resize(run.source.size)
    # Decoded once, and only where it is looked at.
    sent = lru_cache(partial(_sent, run.request))
    return _made(response, partial(_result, run, response, mask, sent, look))


def _made(
    response: ImagesResponse, make: Callable[[ImageData, int], Result]
) -> tuple[tuple[Result, ...], str]:
    results: list[Result] = []
    missing: list[ResultError] = []
    for number, item in enumerate(response.data, 1):
        try:
            results.append(replace(make(item, number), replayed=response.replayed))
        except ResultError as error:
            missing.append(error)
    if missing and not results:
        raise missing[0]
    return tuple(results), " ".join(map(str, missing))


def _generated(run: Run, response: ImagesResponse, item: ImageData, number: int) -> Result:
    picture = open_image(item.image, name=f"generated-{number}")
    if number == 1:
        run.source = blank(picture.size)
        run.plan = plan_of(run.source, run.request.model, run.request.size)
    return Result(number, picture, item, kept=False, offline=response.offline)


def _sent(request: EditRequest) -> Image.Image:
    """The first picture as it arrives: a JPEG as other pixels than it was made from, which is not the model's doing."""
    picture = request.image[0]
    return open_image(request.image_files[0].data).pixels if picture.format == "JPEG" else picture.pixels


def _result(
    run: Run,
    response: ImagesResponse,
    mask: Mask | None,
    sent: Callable[[], Image.Image],
    look: bool,
    item: ImageData,
    number: int,
) -> Result:
    answer, source, plan = item.image, run.source, run.plan
    name = f"{source.name.rsplit('.', 1)[0]}-edit-{number}"
    if mask is None:
        landed = plan.land(answer, source)
        picture = edited_picture(source, plan.laid(landed, source), name)
        note = _note_of(landed.note, source, picture)
        return Result(number, picture, item, False, None, note, response.offline)
    wanted = fit.surroundings(mask.bounds or plan.inside, source.size) if run.strict else None
    landed = plan.land(answer, source, mask, wanted)
    leak = fit.measure_leak(sent(), landed.raw, plan.there_mask(mask), landed.counted, look=look)
    past = None if leak is None or leak.past is None else leak.past.scaled(plan.scale)
    light, moved, note = None, None, landed.note
    protects = mask.meaning.protected > 0
    if not protects:
        note = f"{note} Nothing was protected: the mask covers every pixel, some of them in part.".strip()
    if not run.strict:
        picture = edited_picture(source, plan.laid(landed, source), name)
    elif landed.region is None or landed.part is None:
        picture = edited_picture(source, source.pixels.copy(), name, (0, 0, 0, 0))
        note = (
            f"{note} What you masked is not in it, so nothing changed. Ask for a size of the picture's shape."
        )
    else:
        part = landed.part
        if response.offline and is_filled(item.data):
            part = finer(part, landed.region, source.pixels, mask, plan)
        pasted = fit.paste(source.pixels, part, mask, landed.region[:2])
        picture = edited_picture(source, pasted.image, name, pasted.box, pasted.weight)
        light, moved = pasted.light, pasted.moved
    return Result(
        number,
        picture,
        item,
        run.strict and protects,
        leak,
        _note_of(note, source, picture),
        response.offline,
        light,
        moved,
        past,
    )


def _note_of(note: str, source: SourceImage, picture: SourceImage) -> str:
    """A result's note, with what opening the photo changed, and what of the answer its kind could not hold."""
    return " ".join(words for words in dict.fromkeys((note, *source.changes, *picture.changes)) if words)
