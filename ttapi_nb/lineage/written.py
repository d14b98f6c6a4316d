"""A step as JSON, and read from it again. Every word is checked: whoever can write a file can write its lineage.

What reads a value raises `ValueError` or `TypeError` where that is not what it should be.
"""

from __future__ import annotations

import json
import re
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, TypeVar

from ..request import EditRequest
from .drawing import MASK_CAP
from .step import Origin, Step, bare_name

__all__ = [
    "OPTIONS",
    "STEPS_CAP",
    "WORD_CAP",
    "dump",
    "fits",
    "must_be",
    "no_constant",
    "step_in",
    "step_out",
    "whole",
]

STEPS_CAP = 100
"""The most steps that are written; of a longer chain the newest."""
# Fields of an edit that are written: `user` and `extra_body` may name a person or hold a gateway's secret.
OPTIONS = tuple(
    item.name
    for item in fields(EditRequest)
    if item.name not in ("image", "prompt", "mask", "model", "user", "extra_body", "stream", "partial_images")
)
# Longer than any word the service takes as a model or an option.
WORD_CAP = 200
LONGEST_SIDE = 1_000_000
Kind = TypeVar("Kind")


def dump(value: object) -> str:
    # ASCII, so that nothing invisible stands in the file, and XML can hold all of it.
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def step_out(step: Step) -> dict[str, Any]:
    mask: dict[str, Any] | None = None
    if step.mask_digest:
        mask = {"sha256": step.mask_digest}
        if step.drawing:
            mask["drawing"] = json.loads(step.drawing)
    return {
        "prompt": step.prompt,
        "model": step.model,
        "options": dict(step.options),
        "sources": [
            {"name": origin.name, "size": origin.size, "sha256": origin.digest} for origin in step.sources
        ],
        "mask": mask,
        "fit": step.fit,
        "plan": step.plan,
        "box": step.box,
        "sent_size": step.sent_size,
        "strict": step.strict,
        "kept": step.kept,
        "leak": None if step.leak is None else {"share": step.leak[0], "mean": step.leak[1]},
        "number": step.number,
        "time": step.time.isoformat(),
        "version": step.version,
        "offline": step.offline,
    }


def step_in(read: Any) -> Step:
    record = must_be(dict, read)
    options = must_be(dict, record["options"])
    mask = {} if record["mask"] is None else must_be(dict, record["mask"])
    leak = None if record["leak"] is None else must_be(dict, record["leak"])
    drawing = dump(mask["drawing"]) if mask.get("drawing") is not None else ""
    sources = tuple(map(_origin_in, must_be(list, record["sources"])))
    if len(sources) > STEPS_CAP:
        raise ValueError
    return Step(
        prompt=must_be(str, record["prompt"]),
        model=_word(record["model"]),
        options={name: _option(options[name]) for name in OPTIONS if name in options},
        sources=sources,
        mask_digest=_digest(mask["sha256"]) if mask else "",
        drawing=drawing if len(drawing) <= MASK_CAP else "",
        fit=_word(record["fit"]),
        plan=must_be(str, record["plan"]),
        box=None if record["box"] is None else _box(record["box"]),
        sent_size=None if record["sent_size"] is None else _size(record["sent_size"]),
        strict=must_be(bool, record["strict"]),
        kept=must_be(bool, record["kept"]),
        leak=None if leak is None else (_level(leak["share"], 1), _level(leak["mean"], 255)),
        number=whole(record["number"], 1),
        time=_time(record["time"]),
        version=_word(record["version"]),
        offline=must_be(bool, record["offline"]),
    )


def _origin_in(read: Any) -> Origin:
    record = must_be(dict, read)
    return Origin(bare_name(must_be(str, record["name"])), _size(record["size"]), _digest(record["sha256"]))


def must_be(kind: type[Kind], value: Any) -> Kind:
    if not isinstance(value, kind):
        raise TypeError
    return value


def _word(value: Any) -> str:
    if len(must_be(str, value)) > WORD_CAP:
        raise ValueError
    return str(value)


def _option(value: Any) -> str | int:
    return _word(value) if isinstance(value, str) else whole(value, 0)


def fits(value: Any) -> bool:
    try:
        _option(value)
    except (TypeError, ValueError):
        return False
    return True


def whole(value: Any, least: int) -> int:
    if isinstance(value, bool) or not least <= must_be(int, value) <= LONGEST_SIDE:
        raise ValueError
    return int(value)


def _size(value: Any) -> tuple[int, int]:
    width, height = must_be(list, value)
    return whole(width, 1), whole(height, 1)


def _box(value: Any) -> tuple[int, int, int, int]:
    # It may reach beyond the picture.
    left, top, right, bottom = (whole(number, -LONGEST_SIDE) for number in must_be(list, value))
    return left, top, right, bottom


def _digest(value: Any) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", must_be(str, value)):
        raise ValueError
    return str(value)


def _level(value: Any, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise ValueError
    return float(value)


def _time(value: Any) -> datetime:
    time = datetime.fromisoformat(_word(value))
    # Without a zone it could be any hour.
    if time.tzinfo is None:
        raise ValueError
    return time.astimezone(UTC)


def no_constant(name: str) -> float:
    raise ValueError(name)
