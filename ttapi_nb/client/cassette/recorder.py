"""`Recorder`: keeps real exchanges in a cassette."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from PIL import Image

from ...errors import (
    AuthenticationError,
    ImageError,
    QuotaError,
    RateLimitError,
    RefusedError,
    SettingsError,
)
from ...picture import open_image
from ...reply.responses import ImagesResponse
from ...request import EditRequest
from ...text import one_line
from ..key import Secret
from .asks import ask_of, edited_in, text_of
from .file import (
    ENTRY_CAP,
    ENTRY_NAME,
    FORMAT,
    HEAD,
    DamagedError,
    alone,
    cannot_write,
    check_members,
    checked_path,
    opened,
    replace_file,
)
from .reading import INDEX_CAP, MASK_CAP, RESULTS_CAP

__all__ = ["Recorder"]

MEMBERS_CAP = 30_000
# A shorter key is a toy, which stands in words and pictures by chance.
SHORTEST_KEY = 8
# About the account, not about what was asked.
PERSONAL = (AuthenticationError, QuotaError, RateLimitError)


class Recorder:
    """Keeps each exchange in the zip file at `path`, which is made where there is none, and added to where there is.

    A new file is its owner's alone; one that is there keeps its mode, so that it can be shared. Each addition replaces
    the file as a whole, so that a crash leaves the one before; threads, and on other systems
    than Windows processes too, wait for each other. With `masks` it keeps masks too, and what was asked for before
    anything was fitted. Raises `SettingsError`.
    """

    def __init__(
        self, path: str | os.PathLike[str], secret: Secret | None = None, *, masks: bool = False
    ) -> None:
        self.masks = masks
        self.path = checked_path(path)
        self._secret = secret if secret is not None and len(secret.reveal()) >= SHORTEST_KEY else None
        problem = ""
        try:
            with alone(self.path):
                if self.path.stat().st_size:
                    with opened(self.path) as archive:
                        check_members(archive)
                else:
                    replace_file(self.path, [(HEAD, json.dumps({"format": FORMAT}).encode())])
        except OSError as error:
            problem = cannot_write(self.path, error)
        except DamagedError as error:
            problem = f"{error} Give another file to record into."
        if problem:
            raise SettingsError(problem)

    def __repr__(self) -> str:
        return f"Recorder({str(self.path)!r})"

    def keep(
        self,
        request: EditRequest,
        answer: ImagesResponse | RefusedError,
        asked: Callable[[], str] = lambda: "",
    ) -> str:
        """Write an exchange down; `asked` is `Told.asked`. Returns why it could not be, or nothing. Raises nothing: the
        answer is paid for.
        """
        try:
            written = _described(request, answer, self._clean)
            if written is None:
                return ""
            entry, results = written
            if self.masks:
                entry["asked"] = self._clean(asked() or text_of(request))
                masks = _mask_file(request)
                entry["mask_file"] = next(iter(masks), None)
                results |= {f"masks/{name}": data for name, data in masks.items()}
            with alone(self.path):
                self._add(json.dumps(entry).encode(), results)
        except Exception as error:  # noqa: BLE001 - a paid answer must not be lost to whatever goes wrong here
            return (
                f"This was not recorded in {self.path.name} ({one_line(str(error), 200)}). Save the results."
            )
        return ""

    def _clean(self, text: str) -> str:
        return self._secret.scrub(text) if self._secret is not None else text

    def _add(self, entry: bytes, results: Mapping[str, bytes]) -> None:
        if len(entry) > ENTRY_CAP or sum(map(len, results.values())) > RESULTS_CAP:
            raise ValueError("it is too large for a recording")
        there: dict[str, int] = {}
        # Somebody may have removed it meanwhile, or begun a new one.
        if self.path.stat().st_size:
            with opened(self.path) as archive:
                there = check_members(archive)
        members = [] if there else [(HEAD, json.dumps({"format": FORMAT}).encode())]
        numbers = [int(name[10:16]) for name in there if ENTRY_NAME.fullmatch(name)]
        number = max(numbers, default=0) + 1
        members += [(name, data) for name, data in results.items() if name not in there]
        described = len(entry) + sum(size for name, size in there.items() if ENTRY_NAME.fullmatch(name))
        if len(there) + len(members) >= MEMBERS_CAP or described > INDEX_CAP or number > 999_999:
            raise ValueError("it is full: begin another")
        replace_file(self.path, [*members, (f"exchanges/{number:06d}.json", entry)], keep=bool(there))


def _described(
    request: EditRequest, answer: ImagesResponse | RefusedError, clean: Callable[[str], str]
) -> tuple[dict[str, Any], dict[str, bytes]] | None:
    """An exchange as it is written: its description, and its results as members, named by the digest of their bytes."""
    ask = asdict(ask_of(request))
    files: dict[str, bytes] = {}
    if isinstance(answer, RefusedError):
        if isinstance(answer, PERSONAL) or 300 <= answer.status < 400:
            return None
        refused = {
            "status": answer.status,
            "code": answer.code,
            "param": answer.param,
            "message": answer.service_message,
        }
        return _cleaned(ask | {"reply": {"refusal": refused}}, clean), files
    results = []
    for item in answer.data:
        data = item.data if item.data is None else _without(item.data, clean)
        name = None if data is None else hashlib.sha256(data).hexdigest()
        if data is not None and name is not None:
            files[f"results/{name}"] = data
        results.append({"sha256": name, "revised_prompt": item.revised_prompt})
    if not files:
        return None
    reply = {
        "created": answer.created,
        "usage": asdict(answer.usage) if answer.usage is not None else None,
        "embedded": answer.offline,
        "results": results,
    }
    return _cleaned(ask | {"reply": reply}, clean), files


def _mask_file(request: EditRequest) -> dict[str, bytes]:
    """The mask as it was sent, white where it is edited, as a PNG by the digest of its bytes; nothing for no mask."""
    edited = edited_in(request.mask)
    if edited is None:
        return {}
    file = io.BytesIO()
    Image.fromarray(edited).save(file, "PNG")
    data = file.getvalue()
    return {hashlib.sha256(data).hexdigest(): data} if len(data) <= MASK_CAP else {}


def _cleaned(value: Any, clean: Callable[[str], str]) -> Any:
    """`value` with the key taken out of all words in it."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list | tuple):
        return [_cleaned(item, clean) for item in value]
    if isinstance(value, dict):
        # Digests, and the names that are ours, stay as they are.
        kept = ("sha256", "images", "mask", "extra")
        return {name: item if name in kept else _cleaned(item, clean) for name, item in value.items()}
    return value.item() if isinstance(value, np.generic) else value


def _without(data: bytes, clean: Callable[[str], str]) -> bytes:
    """A result's bytes; where a gateway wrote the key into its file, the picture without what is written there."""
    text = data.decode("latin-1")
    if clean(text) == text:
        return data
    try:
        return open_image(data).file().data
    except ImageError:
        return clean(text).encode("latin-1", "replace")
