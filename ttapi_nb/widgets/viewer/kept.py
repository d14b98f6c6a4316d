"""What a notebook keeps of a session's results in a cell's output: plain HTML that shows without a kernel."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Sequence
from itertools import groupby

from ...picture import SourceImage
from ...text import one_line
from ..thumbnails import THUMBNAIL_EDGE
from ..tray import Entry
from .words import by_size, figures_of, leaked, said_of

__all__ = ["alt_of", "kept_html"]

MOST = 24
"""A notebook keeps the thumbnails of so many results, the latest."""


def alt_of(at: int, entry: Entry) -> str:
    """What stands in the place of a result's picture: its number, from `at`, and its prompt."""
    return f"Result {at + 1}: {one_line(entry.run.request.prompt, 300)}"


def kept_html(entries: Sequence[Entry], photo: Callable[[SourceImage], bytes]) -> str:
    """The thumbnails of the latest results with what is said of each, by run; `photo` gives that of a photo."""
    first = max(0, len(entries) - MOST)
    numbered = list(enumerate(entries))[first:]
    runs = [_run_html(list(group), photo) for _, group in groupby(numbered, key=lambda one: one[1].run.id)]
    more = f"<p>{first} earlier results are in the run log.</p>" if first else ""
    return f'<div class="ttapi-kept">{more}{"".join(runs)}</div>'


def _run_html(numbered: list[tuple[int, Entry]], photo: Callable[[SourceImage], bytes]) -> str:
    run = numbered[0][1].run
    figures = [_figure(photo(run.source), "Before the edit", f"Before: {by_size(run.source.pixels)}")]
    for at, entry in numbered:
        rating = entry.rating
        note = f"Note: {rating.note}" if rating.note else ""
        kept = "Kept." if rating.verdict == "kept" else ""
        words = (figures_of(run, at, entry.at, entry.result.image), leaked(entry.result), kept, note)
        caption = " ".join(filter(None, words))
        stars = f"{'★' * rating.stars} " if rating.stars else ""
        figures.append(_figure(entry.thumbnail, alt_of(at, entry), stars + caption))
    sentences = dict.fromkeys(words for _, entry in numbered for words in said_of(entry.result))
    paragraphs = "".join(f"<p>{html.escape(words)}</p>" for words in sentences)
    return (
        f"<p>Prompt: {html.escape(one_line(run.request.prompt, 600))}</p>"
        f'<div style="display:flex;flex-wrap:wrap;gap:12px">{"".join(figures)}</div>{paragraphs}'
    )


def _figure(thumbnail: bytes, alt: str, caption: str) -> str:
    source = base64.b64encode(thumbnail).decode()
    return (
        f'<figure style="margin:0;max-width:{THUMBNAIL_EDGE}px"><img alt="{html.escape(alt)}" '
        f'src="data:image/webp;base64,{source}"><figcaption>{html.escape(caption)}</figcaption></figure>'
    )
