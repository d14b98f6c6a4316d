"""What a cassette's file says, checked word by word: it may come from anywhere."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ResultError
from ...lineage import Lineage, Step
from ...picture import open_image
from ...reply.responses import ImageData, Usage
from .asks import Ask, Recorded
from .file import ENTRY_NAME, DamagedError, check_members, json_in, member

__all__ = [
    "INDEX_CAP",
    "MASK_CAP",
    "RESULTS_CAP",
    "Entry",
    "read_entries",
    "read_mask",
    "read_results",
    "step_in",
]

RESULTS_CAP = 128_000_000
"""The most bytes of the results of one exchange."""
INDEX_CAP = 32_000_000
# What one exchange may have of each: far more than any service takes.
PROMPT_CAP = 200_000
WORD_CAP = 2_000
STEP_CAP = 1_000_000
MASK_CAP = 8_000_000
ITEMS_CAP = 100
DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Entry:
    """`drawn`: the name of the file that the mask is in, where there is one; `step`: what was asked for before it was
    fitted.
    """

    ask: Ask
    reply: dict[str, Any]
    drawn: str | None = None
    step: Step | None = None

    @property
    def recorded(self) -> Recorded:
        return self.ask.listed(self.refused, self.step)

    @property
    def refused(self) -> bool:
        return "refusal" in self.reply


def read_entries(archive: zipfile.ZipFile) -> list[Entry]:
    sizes = {name: size for name, size in check_members(archive).items() if ENTRY_NAME.fullmatch(name)}
    if sum(sizes.values()) > INDEX_CAP:
        raise DamagedError("It holds more than any recording does.")
    return [_entry(json_in(archive, name), name) for name in sorted(sizes)]


def _entry(entry: dict[str, Any], name: str) -> Entry:
    try:
        options = _dict(entry["options"])
        # Plain values only: they are compared and shown, and nothing else.
        if any(not isinstance(value, str | int | float) for value in options.values()):
            raise TypeError
        if len(options) > ITEMS_CAP or any(
            len(text) > WORD_CAP for text in (*options, *options.values()) if isinstance(text, str)
        ):
            raise ValueError
        ask = Ask(
            _text(entry["prompt"], PROMPT_CAP),
            _text(entry["model"]),
            {_text(field): value for field, value in options.items()},
            _digest(entry["extra"]) if entry["extra"] != "" else "",
            tuple(map(_picture, _list(entry["images"]))),
            None if entry["mask"] is None else _picture(entry["mask"]),
        )
        drawn = entry.get("mask_file")
        return Entry(
            ask,
            _reply(_dict(entry["reply"])),
            None if drawn is None else _digest(drawn),
            step_in(_text(entry.get("asked", ""), STEP_CAP)),
        )
    except (KeyError, TypeError, ValueError):
        pass
    raise DamagedError(f"{name} in it is not what a recording holds.")


def step_in(text: str) -> Step | None:
    """The step that is written in a lineage of one; None where there is none that can be read."""
    try:
        return Lineage.from_json(text).steps[-1] if text else None
    except ResultError:
        # A newer version's, perhaps: the exchange can be played all the same.
        return None


def _reply(entry: dict[str, Any]) -> dict[str, Any]:
    if "refusal" in entry:
        refused = _dict(entry["refusal"])
        return {
            "refusal": {
                "status": _number(refused["status"]),
                "message": _text(refused["message"], PROMPT_CAP),
                "code": _text_or_none(refused["code"]),
                "param": _text_or_none(refused["param"]),
            }
        }
    counts = None if entry["usage"] is None else _dict(entry["usage"])
    usage = counts and {item.name: _number_or_none(counts.get(item.name)) for item in fields(Usage)}
    results = [
        (_text_or_none(_dict(item)["sha256"]), _text_or_none(item["revised_prompt"], PROMPT_CAP))
        for item in _list(entry["results"])
    ]
    if not all(name is None or DIGEST.fullmatch(name) for name, _ in results):
        raise ValueError
    return {
        "created": _number_or_none(entry["created"]),
        "usage": usage,
        "embedded": entry["embedded"] is True,
        "results": results,
    }


def _picture(picture: Any) -> tuple[str, int, int]:
    digest, width, height = _list(picture)
    return _digest(digest), _number(width), _number(height)


def _digest(value: Any) -> str:
    if not DIGEST.fullmatch(_text(value)):
        raise ValueError
    return str(value)


def _text(value: Any, most: int = WORD_CAP) -> str:
    if not isinstance(value, str) or len(value) > most:
        raise TypeError
    return value


def _text_or_none(value: Any, most: int = WORD_CAP) -> str | None:
    return None if value is None else _text(value, most)


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > 10**12:
        raise TypeError
    return value


def _number_or_none(value: Any) -> int | None:
    return None if value is None else _number(value)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list) or len(value) > ITEMS_CAP:
        raise TypeError
    return value


def _dict(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError
    return value


def read_mask(archive: zipfile.ZipFile, name: str, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Which pixels a kept mask lets be edited, (height, width) for `size`, (width, height)."""
    data = member(archive, f"masks/{name}", MASK_CAP)
    if hashlib.sha256(data).hexdigest() != name:
        raise DamagedError(f"a mask in {Path(str(archive.filename)).name} has been changed.")
    picture = open_image(data).pixels
    if picture.size != size or picture.mode != "RGB":
        raise DamagedError(f"masks/{name} in it is not what a recording holds.")
    return np.asarray(picture)[..., 0] >= 128


def read_results(
    archive: zipfile.ZipFile, results: Iterable[tuple[str | None, str | None]]
) -> tuple[ImageData, ...]:
    items = []
    left = RESULTS_CAP
    for name, revised in results:
        if name is None:
            missing = "It could not be fetched when this was recorded."
            items.append(ImageData(revised_prompt=revised, problem=missing))
            continue
        data = member(archive, f"results/{name}", left)
        left -= len(data)
        if hashlib.sha256(data).hexdigest() != name:
            raise DamagedError(f"a result in {Path(str(archive.filename)).name} has been changed.")
        items.append(ImageData(data, revised_prompt=revised))
    return tuple(items)
