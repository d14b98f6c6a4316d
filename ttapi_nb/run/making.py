"""The results of an answer: brought back into the photo, pasted strictly, and its leak measured."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

from ..errors import ResultError
from ..fit import mask_for
from ..mask import Mask
from ..picture import SourceImage, edited_picture, open_image
from ..reply import ImageData, ImagesResponse
from ..strict import measure_leak, paste, surroundings
from .result import Result
from .run import Run

__all__ = ["results_of"]

Box: TypeAlias = tuple[int, int, int, int]


def results_of(run: Run, response: ImagesResponse) -> tuple[tuple[Result, ...], str]:
    """The results that are here, and what became of the others."""
    given = run.asked.request.mask
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
    answer, source, fit = item.image, run.source, run.plan
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
