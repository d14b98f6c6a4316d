"""What a viewer says of a result."""

from __future__ import annotations

from PIL import Image

from ...run import Result, Run
from ...text import one_line, so_many

__all__ = ["HEAT_LEGEND", "by_size", "figures_of", "leaked", "no_heat", "said_of"]

NO_MASK = "Nothing was protected, so there is no map."
HEAT_LEGEND = (
    "Heat map: the brighter, the more the model changed what you had protected. "
    "What goes on past the mask is blue."
)


def figures_of(run: Run, place: int, at: int, shown: Image.Image, name: str = "Result") -> str:
    """Size, model, time and tokens of a result, and what became of its colours, in a line.

    `place` is where it stands among all that are shown, `at` where among its run's, both from 0.
    """
    usage = run.response.usage if run.response is not None else None
    total = usage.total_tokens if usage is not None else None
    several = f" for all {len(run.results)} results" if len(run.results) > 1 else ""
    tokens = "tokens unknown" if total is None else f"{so_many(total, 'token')}{several}"
    figures = f"{by_size(shown)} · {run.request.model} · {run.seconds:.1f} s · {tokens}"
    return f"{name} {place + 1}: {figures}.{_evened_out(run.results[at])}"


def no_heat(result: Result) -> str:
    """Why a result has no heat map, or nothing."""
    return "" if result.leak is not None else NO_MASK


def leaked(result: Result) -> str:
    if result.leak is None:
        return ""
    leak = result.leak
    if leak.share == 0 and not leak.seen:
        # Left as it came, it may differ by a level or two, or by a resampling.
        return f"Nothing outside the mask changed{'' if result.kept else ' visibly'}."
    then = "; that was put back." if result.kept else ", and that was left as it came."
    if leak.seen is None:
        return f"The model repainted {_share(leak.share)} of what you protected{then}"
    much = _share(leak.share)
    # What one sees has moved: only where far more did is that worth a word.
    more = leak.share > leak.seen + 0.01
    moved = f" {much[0].upper()}{much[1:]} moved at all, most of it by grain, light or place." if more else ""
    if leak.seen == 0:
        return f"Nothing that one would see changed outside the mask.{moved}"
    past = f" {result.past}" if result.past is not None else ""
    return f"The model repainted {_share(leak.seen)} of what you protected{then}{moved}{past}"


def _share(share: float) -> str:
    return "less than 1%" if share < 0.01 else f"{share:.0%}"


def _evened_out(result: Result) -> str:
    light, moved = result.light, result.moved
    parts = [str(light)] if light is not None and light.visible else []
    if moved is not None and (not moved.still or moved.bent):
        parts.append(str(moved))
    return f" Inside, {'; '.join(parts)}." if parts else ""


def said_of(result: Result) -> list[str]:
    """What a reader of this result should know."""
    revised = result.data.revised_prompt
    read = f"The model read the prompt as: {one_line(revised, 600)}" if revised else ""
    return [words for words in (result.notice, result.note, read) if words]


def by_size(image: Image.Image) -> str:
    return f"{image.width} × {image.height}"
