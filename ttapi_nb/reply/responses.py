"""What comes back from an edit, as typed values that can show and save themselves."""

from __future__ import annotations

import asyncio
import html
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from PIL import Image

from ..errors import DownloadError, ImageError, ResultError
from ..forking import cached
from ..models import OFFLINE_NOTICE, REPLAY_NOTICE
from ..picture import SourceImage, open_image, thumbnail_html
from ..picture.opening import NO_MEMORY
from .addresses import Address, hidden
from .base64s import decoded
from .envelopes import item_in

__all__ = ["ImageData", "ImagesResponse", "PartialData", "Usage", "counted", "read_response"]

MOST_TOKENS = 10**12
LONGEST_PROMPT = 32_000
MOST_RESULTS = 200
# Four times what the largest model makes (TTAPI, POST /v1/images/edits: 8,294,400 pixels).
RESULT_PIXELS = 4 * 8_294_400
SENT = "The service sent"

Fetch = Callable[[str], Awaitable[bytes]]


@dataclass(frozen=True)
class Usage:
    """Tokens that the service counted; None where it did not say."""

    total_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    text_tokens: int | None = None
    image_tokens: int | None = None


@dataclass(frozen=True)
class ImageData:
    """One result: the bytes of its file as they came, or the `url` it waits at and why it could not be fetched.

    A result URL dies an hour after the run (TTAPI, POST /v1/images/edits): fetch again before that.
    """

    data: bytes | None = field(default=None, repr=False)
    url: str | None = None
    revised_prompt: str | None = None
    problem: str = ""

    def __repr__(self) -> str:
        return (
            f"ImageData({len(self.data):,} bytes)"
            if self.data is not None
            else f"ImageData(not fetched: {self.problem})"
        )

    @cached
    def _opened(self) -> SourceImage:
        if self.data is None:
            raise ResultError(f"This result is not here. {self.problem}".strip())
        try:
            return open_image(self.data, name="result", pixel_cap=RESULT_PIXELS)
        except ImageError as error:
            problem = "The service sent a result that is not a picture. Its bytes are kept in .data."
            if NO_MEMORY in str(error):
                problem = f"A result could not be shown. {NO_MEMORY} Its bytes are kept in .data."
            elif "set pixel_cap higher" in str(error):
                problem = (
                    f"The service sent a result of more than {RESULT_PIXELS / 10**6:.0f} million pixels. Its bytes "
                    "are kept in .data; if you trust them, open_image(result.data, pixel_cap=...) opens a larger one."
                )
        raise ResultError(problem)

    @property
    def image(self) -> Image.Image:
        """The picture. Raises `ResultError` where it is not here or is none."""
        return self._opened.pixels

    def save(self, path: str | Path) -> Path:
        """Write the result to `path` and return where it is: the bytes as they came, unless the suffix asks for another
        format (.png, .jpg or .webp). Raises `ResultError`.
        """
        return self._opened.save(path, as_it_came=self.data)


@dataclass(frozen=True)
class PartialData(ImageData):
    """A draft of a result, as a stream sends it before the result is done. `index` is its number as the service counts
    them, from 0; which of several results it belongs to nothing says.
    """

    index: int | None = None


@dataclass(frozen=True)
class ImagesResponse:
    """The reply to one edit.

    `created` is when the service made it (seconds since 1970, None if it did not say), `data` the results in order,
    `usage` what it counted. `offline` is true where the embedded service made the results, `replayed` where they come
    from a recording. `note` says what else there is to know. `partials` are the drafts that came before the results.
    """

    created: int | None
    data: tuple[ImageData, ...]
    usage: Usage | None = None
    offline: bool = False
    replayed: bool = False
    note: str = ""
    partials: tuple[PartialData, ...] = field(default=(), repr=False)

    @property
    def is_whole(self) -> bool:
        """Whether each result is here, or has an address that it can be fetched from."""
        return all(item.data is not None or item.url is not None for item in self.data)

    @property
    def images(self) -> list[Image.Image]:
        """The results as PIL images. Raises `ResultError` where one is not here."""
        return [item.image for item in self.data]

    @property
    def notice(self) -> str:
        """What a reader of these results should know, or nothing."""
        sentences = [
            REPLAY_NOTICE if self.replayed else "",
            OFFLINE_NOTICE if self.offline else "",
            self.note,
        ]
        return " ".join(words for words in sentences if words)

    def __repr__(self) -> str:
        tokens = (
            f", {self.usage.total_tokens} tokens"
            if self.usage and self.usage.total_tokens is not None
            else ""
        )
        count = f"{len(self.data)} result{'' if len(self.data) == 1 else 's'}"
        return f"ImagesResponse({count}{tokens}{', replayed' * self.replayed}{', offline' * self.offline})"

    def _repr_html_(self) -> str:
        cells = []
        for number, item in enumerate(self.data, 1):
            try:
                cells.append(
                    thumbnail_html(item.image, f"Result {number}: {item.image.width}x{item.image.height}")
                )
            except ResultError as error:
                cells.append(f"<p>Result {number}: {html.escape(str(error))}</p>")
        notice = f"<p>{html.escape(self.notice)}</p>" if self.notice else ""
        return f'<div style="display:flex;flex-wrap:wrap;gap:12px">{"".join(cells)}</div>{notice}'


async def read_response(
    reply: dict[str, Any], *, offline: bool, fetch: Fetch, most: int = MOST_RESULTS
) -> ImagesResponse:
    """The typed response of a plain reply; results that are given as URLs are fetched at once with `fetch`.

    No more than `most` are read, those with a picture or an address first, and the note says how many there were.
    """
    # Where pictures are decoded, no other run waits for it.
    read, note = await asyncio.to_thread(_read, reply["data"], most)
    items = [item if item.data is not None or item.problem else await fetched(item, fetch) for item in read]
    own_note = reply.get("note")
    notes = " ".join(words for words in (own_note if isinstance(own_note, str) else "", note) if words)
    return ImagesResponse(
        _count(reply.get("created")), tuple(items), _read_usage(reply.get("usage")), offline, note=notes
    )


def _read(items: list[Any], most: int) -> tuple[list[ImageData], str]:
    chosen, note = _chosen(items, most)
    return [_read_item(item) for item in chosen], note


def _chosen(items: list[Any], most: int) -> tuple[list[Any], str]:
    if len(items) <= most:
        return items, ""
    sound = [at for at, item in enumerate(items) if item_in(item)][:most]
    others = (at for at in range(len(items)) if at not in set(sound)) if len(sound) < most else iter(())
    kept = sorted([*sound, *islice(others, most - len(sound))])
    which = "the first" if kept == list(range(most)) else "only"
    return [items[at] for at in kept], f"{SENT} {len(items):,} results; {which} {most} were read."


def counted(response: ImagesResponse, asked: int) -> ImagesResponse:
    """`response`, saying so where it has another number of results than were asked for."""
    came = len(response.data)
    if came == asked:
        return response
    note = f"You asked for {asked} result{'' if asked == 1 else 's'}, and the service sent {came}."
    if f"{SENT} " in response.note and "were read" in response.note:
        # How many came is said there.
        note = f"You asked for {asked}."
    return replace(response, note=f"{response.note} {note}".strip())


def _read_item(entry: Any) -> ImageData:
    """A result, whose picture is yet to be fetched where it has neither bytes nor a problem."""
    item = item_in(entry)
    if item is None and not isinstance(entry, dict):
        return ImageData(problem="The service sent something else in its place.")
    revised = entry.get("revised_prompt") if isinstance(entry, dict) else None
    blank = ImageData(revised_prompt=revised[:LONGEST_PROMPT] if isinstance(revised, str) else None)
    if item is None:
        return replace(blank, problem="The service sent neither a picture nor the address of one.")
    encoded, url = item.get("b64_json"), item.get("url")
    # Bytes were decoded as they arrived.
    data = decoded(encoded) if isinstance(encoded, str) else encoded
    if data:
        return replace(blank, data=data)
    if url is not None:
        return replace(blank, url=url)
    return replace(blank, problem="The service sent it damaged (its base64 can't be read).")


async def fetched(item: ImageData, fetch: Fetch) -> ImageData:
    """`item` with the bytes behind its URL, or with the problem in fetching them."""
    if item.url is None:
        return item
    try:
        with hidden(item.url):
            return replace(item, data=await fetch(item.url), problem="")
    except DownloadError as error:
        words = item.url.shown(str(error)) if isinstance(item.url, Address) else str(error)
        return replace(item, problem=f"{words} It was paid for: fetch it again within the hour.")


def _read_usage(usage: Any) -> Usage | None:
    if not isinstance(usage, dict):
        return None
    details = usage.get("input_tokens_details")
    details = details if isinstance(details, dict) else {}
    return Usage(
        *(_count(usage.get(name)) for name in ("total_tokens", "input_tokens", "output_tokens")),
        *(_count(details.get(name)) for name in ("text_tokens", "image_tokens")),
    )


def _count(value: Any) -> int | None:
    sound = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS
    return value if sound else None
