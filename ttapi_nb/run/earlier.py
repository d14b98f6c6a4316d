"""A run of the log as a `Run` again: its answer, brought back into its photo as it was then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..asked import Asked, prepare
from ..errors import ImageError, ResultError, TTAPIError
from ..lineage import Origin, Step
from ..log import RunLog, RunRow
from ..picture import SourceImage, open_image
from ..reply import ImageData, ImagesResponse
from ..reply.responses import Usage
from ..request import EditRequest
from .making import results_of
from .result import Result
from .run import Run

__all__ = ["earlier"]

GONE = "The results of this run are not here any more: {why}"
PRUNED = "they were pruned to make room."
NEVER = "none had come, or their files were deleted."
NO_PHOTO = (
    "The photo of this run, {name!r}, is not at hand, so this is the model's answer as it came. Open the photo and "
    "show the run again."
)
DRAFTS = "These are drafts: the answer ended before a result had come."
NO_MASK = "The mask of this run was too large to be kept, so this is the model's answer as it came."


def earlier(log: RunLog, run_id: str, find: Callable[[Origin], SourceImage | None]) -> Run:
    """A run of `log` with its results, as a run that is done; nothing is sent.

    `find(origin)` gives the photo that it was made from, where that is at hand; without it the results are the model's
    answers alone, and say so. Where only drafts came, they stand in for the results, and say so. Raises `ResultError`
    where the log has no such run, or nothing that came for it.
    """
    row, step = log.row(run_id), log.restore(run_id)
    answers = _answers(row)
    drafts = () if answers else _drafts(log, row)
    if not answers and not drafts:
        raise ResultError(GONE.format(why=PRUNED if row.pruned else NEVER))
    answers = answers or drafts
    response = ImagesResponse(None, answers, Usage(**row.usage) if row.usage else None, row.offline)
    source = find(step.source) if row.source else None
    run = None if source is None or (row.mask and step.mask is None) else _landed(log, step, source, response)
    if run is None:
        note = (
            ""
            if not row.source
            else NO_MASK
            if source is not None
            else NO_PHOTO.format(name=step.source.name)
        )
        run = _bare(log, step, response, note)
    if drafts:
        run.note = " ".join(filter(None, (DRAFTS, run.note)))
        run.results = tuple(
            replace(one, note=" ".join(filter(None, (DRAFTS, one.note)))) for one in run.results
        )
    run.id, run.response, run.cost = row.id, response, row.cost
    run._end("done", None)
    run.started -= max(0.0, (row.finished or row.started) - row.started)
    run._release()
    return run


def _answers(row: RunRow) -> tuple[ImageData, ...]:
    """The answers in their places; one that is not here holds its place."""
    answers: dict[int, ImageData] = {}
    for number, path in zip(row.numbers, row.results, strict=True):
        try:
            answers[number] = ImageData(path.read_bytes())
        except OSError:
            continue
    return tuple(
        answers.get(number, ImageData(problem="It is not here."))
        for number in range(1, max(answers, default=0) + 1)
    )


def _drafts(log: RunLog, row: RunRow) -> tuple[ImageData, ...]:
    """The drafts that came where no result did; none where no answer is kept."""
    if row.pruned or not log.keeps_answer(row.id):
        return ()
    return tuple(ImageData(draft.data) for draft in log.partials(row.id))


def _landed(log: RunLog, step: Step, source: SourceImage, response: ImagesResponse) -> Run | None:
    """The run as it was, or None where that can't be: what a log says may be anything."""
    try:
        request = EditRequest.make(
            image=source, prompt=step.prompt, mask=step.mask, model=step.model, **step.options
        )
        run = Run(prepare(Asked(request, step.fit, step.strict)), log=log)
        run.results, run.note = results_of(run, response)
    except (TTAPIError, TypeError, ValueError):
        return None
    return run


def _bare(log: RunLog, step: Step, response: ImagesResponse, note: str) -> Run:
    """The answers alone, each in the place of its own photo."""
    results: list[Result] = []
    stem = step.source.name.rsplit(".", 1)[0] or "image"
    for number, item in enumerate(response.data, 1):
        if item.data is None:
            continue
        try:
            picture = open_image(item.data, name=f"{stem}-answer-{number}")
        except ImageError:
            continue
        results.append(Result(number, picture, item, False, None, note, response.offline))
    if not results:
        raise ResultError(GONE.format(why=NEVER))
    request = EditRequest(image=(results[0].picture,), prompt=step.prompt, model=step.model)
    run = Run(prepare(Asked(request, "none")), log=log)
    run.results = tuple(results)
    return run
