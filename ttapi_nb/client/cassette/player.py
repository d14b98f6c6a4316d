"""`Player`: answers requests from a cassette, without a key or a network."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...errors import ImageError, NotRecordedError, ResultError, SettingsError
from ...reply.meaning import refusal
from ...reply.responses import ImagesResponse, Usage
from ...request import EditRequest
from .asks import Ask, Recorded, ask_of, edited_in, plain
from .file import DamagedError, checked_path, opened
from .near import nearest
from .reading import Entry, read_entries, read_mask, read_results, step_in

__all__ = ["Match", "Player"]

LISTED = 8
Match: TypeAlias = Literal["exact", "prompt"]
"""How a recording is looked for: just what is asked, or the nearest of the same prompt."""


class Player:
    """Answers the requests that the zip file at `path` holds; the same request asked again gets its next recording, and
    from the last one on always that. With `match="prompt"` another request gets the nearest recording of its prompt:
    see `nearest`. Raises `SettingsError` where the file is none that `Client.record` wrote.
    """

    def __init__(self, path: str | os.PathLike[str], match: Match = "exact") -> None:
        self.path = checked_path(path)
        self.match: Match = match
        self._lock = threading.Lock()
        self._asked: dict[str, int] = {}
        problem = ""
        try:
            with opened(self.path) as archive:
                self._entries = read_entries(archive)
        except FileNotFoundError:
            problem = f"There is no recording {str(self.path)!r}. Make one with Client.record(…), or check the path."
        except (OSError, DamagedError) as error:
            why = (
                str(error)
                if isinstance(error, DamagedError)
                else f"{self.path.name} can't be read ({error})."
            )
            problem = f"{why} Record it again with Client.record(…), or get the file anew."
        if problem:
            raise SettingsError(problem)
        self._by_key: dict[str, list[Entry]] = {}
        for entry in self._entries:
            self._by_key.setdefault(entry.ask.key, []).append(entry)

    def __repr__(self) -> str:
        return f"Player({str(self.path)!r}, {len(self._entries)} exchanges)"

    @property
    def recorded(self) -> tuple[Recorded, ...]:
        """What can be asked, each request once, in the order of recording."""
        return tuple(entries[0].recorded for entries in self._by_key.values())

    def answer(
        self, request: EditRequest, asked: Callable[[], str] = lambda: ""
    ) -> Callable[[], ImagesResponse]:
        """How `request` was answered: call what is returned for the response, or for the service's refusal. `asked` is
        `Told.asked`.

        Raises `NotRecordedError` where it was not recorded. What is returned raises `RefusedError` as the service did,
        or `ResultError` where the file has been damaged since it was opened.
        """
        ask = ask_of(request)
        key, note = ask.key, ""
        if key not in self._by_key and self.match == "prompt":
            key, note = self._nearest(ask, request, asked)
        with self._lock:
            entries = self._by_key.get(key)
            if entries:
                turn = min(self._asked.get(key, 0), len(entries) - 1)
                self._asked[key] = turn + 1
                entry = entries[turn]
                return lambda: replace(self._played(entry), note=note)
        raise NotRecordedError(self._not_here(ask))

    def _nearest(self, ask: Ask, request: EditRequest, asked: Callable[[], str]) -> tuple[str, str]:
        """The key of the recording that is nearest to what is asked, and what is different about it; or nothing."""
        alike = [entry for entry in self._entries if plain(entry.ask.prompt) == plain(ask.prompt)]
        text = asked() if alike else ""
        near = nearest(ask, edited_in(request.mask), step_in(text), alike, self._mask_of)
        return ("", "") if near is None else (near.entry.ask.key, near.words)

    def _mask_of(self, entry: Entry) -> NDArray[np.bool_] | None:
        """The mask that was recorded, or None where none was kept, or it can't be read."""
        if entry.drawn is None or entry.ask.mask is None:
            return None
        _, width, height = entry.ask.mask
        try:
            with opened(self.path) as archive:
                return read_mask(archive, entry.drawn, (width, height))
        except (OSError, DamagedError, ImageError):
            return None

    def _played(self, entry: Entry) -> ImagesResponse:
        reply = entry.reply
        refused = reply.get("refusal")
        if refused is not None:
            raise refusal(refused["status"], refused["message"], refused["code"], refused["param"])
        problem = ""
        try:
            with opened(self.path) as archive:
                items = read_results(archive, reply["results"])
        except (OSError, DamagedError) as error:
            problem = str(error)
        if problem:
            raise ResultError(f"The recording can't be read: {problem} Get the file anew.")
        usage = Usage(**reply["usage"]) if reply["usage"] is not None else None
        return ImagesResponse(reply["created"], items, usage, reply["embedded"], replayed=True)

    def _not_here(self, ask: Ask) -> str:
        near = [entry.recorded for entry in self._entries if plain(entry.ask.prompt) == plain(ask.prompt)]
        sentence = f"{self.path.name} holds no recording of this request, and nothing was sent."
        same = [one for one in near if one.model == ask.model and one.options == ask.options]
        if same and len(ask.images) == len(same[0].images):
            sentence += " It has this prompt with the same settings, but with another picture or mask."
        elif near:
            sentence += " It has this prompt, but with other settings."
        if not self._entries:
            return f"{sentence} It holds nothing yet: make one with Client.record(…)."
        listed = list(dict.fromkeys(map(str, [*near, *self.recorded])))
        lines = [f"- {line}" for line in listed[:LISTED]]
        more = len(listed) - len(lines)
        lines += [f"… and {more} more: see client.recorded."] if more > 0 else []
        if same and self.match == "exact":
            lines.append(
                'A mask painted by hand is another each time: Client.replay(…, match="prompt") takes that.'
            )
        return "\n".join([f"{sentence} Ask for one of these:", *lines])
