"""`Player`: answers requests from a cassette, without a key or a network."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from ...errors import NotRecordedError, ResultError, SettingsError
from ...reply.meaning import refusal
from ...reply.responses import ImagesResponse, Usage
from ...request import EditRequest
from .asks import Ask, Recorded, ask_of, plain
from .file import DamagedError, checked_path, opened
from .reading import Entry, read_entries, read_results

__all__ = ["Player"]

LISTED = 8


class Player:
    """Answers the requests that the zip file at `path` holds; the same request asked again gets its next recording, and
    from the last one on always that. Raises `SettingsError` where the file is none that `Client.record` wrote.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = checked_path(path)
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

    def answer(self, request: EditRequest) -> Callable[[], ImagesResponse]:
        """How `request` was answered: call what is returned for the response, or for the service's refusal.

        Raises `NotRecordedError` where it was not recorded. What is returned raises `RefusedError` as the service did,
        or `ResultError` where the file has been damaged since it was opened.
        """
        ask = ask_of(request)
        with self._lock:
            entries = self._by_key.get(ask.key)
            if entries:
                turn = min(self._asked.get(ask.key, 0), len(entries) - 1)
                self._asked[ask.key] = turn + 1
                entry = entries[turn]
                return lambda: self._played(entry)
        raise NotRecordedError(self._not_here(ask))

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
        said = f"{self.path.name} holds no recording of this request, and nothing was sent."
        same = [one for one in near if one.model == ask.model and one.options == ask.options]
        if same and len(ask.images) == len(same[0].images):
            said += " It has this prompt with the same settings, but with another picture or mask."
        elif near:
            said += " It has this prompt, but with other settings."
        if not self._entries:
            return f"{said} It holds nothing yet: make one with Client.record(…)."
        listed = list(dict.fromkeys(map(str, [*near, *self.recorded])))
        lines = [f"- {line}" for line in listed[:LISTED]]
        more = len(listed) - len(lines)
        lines += [f"… and {more} more: see client.recorded."] if more > 0 else []
        return "\n".join([f"{said} Ask for one of these:", *lines])
