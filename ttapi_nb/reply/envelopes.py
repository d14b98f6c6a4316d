"""Finding the results in a reply whose form was not foreseen: one search, of bounded depth.

What a gateway makes of an answer is its own affair. The edit was paid for, so a picture counts wherever it stands.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .base64s import is_picture, is_picture_text

__all__ = [
    "ADDRESSES",
    "COMPLETED",
    "CONTAINERS",
    "DAMAGED",
    "FAILED",
    "PLACE",
    "Results",
    "error_in",
    "in_words",
    "is_draft",
    "is_error",
    "item_in",
    "kind_in",
    "says_nothing",
    "search",
]

DAMAGED = "?"
"""What stands for base64 that was damaged, once it was long enough to be a picture."""
MOST_DEPTH, MOST_NODES, MOST_FOUND = 16, 400_000, 10_000
# In letters: fewer in b64_json, beside an error, are no picture but a word.
LEAST_LETTERS = 100
# Where results are; an address counts in these only.
CONTAINERS = (
    "data", "values", "images", "image", "output", "outputs", "result", "results", "urls", "image_urls", "content",
    "response", "choices", "artifacts", "generated_images", "predictions", "files", "items",
)  # fmt: skip
ADDRESSES = ("url", "image_url", "imageUrl", "uri", "href", "download_url", "file_url", "signed_url")
# A gateway may quote the request in what it answers, and its pictures are no results.
NOT_RESULTS = frozenset(
    {
        "input", "inputs", "request", "body_sent", "mask", "prompt", "parameters", "params", "thumbnail",
        "preview", "init_image",
    }
)  # fmt: skip
ERRORS = frozenset({"error", "errors", "detail", "details"})
# What a stream sends before a result is done, and what it sends then (OpenAI, image_edit.partial_image).
PARTIAL, COMPLETED = "partial_image", "completed"
# What it calls an event that speaks of an error.
FAILED = ("error", "failed")
STREAMED = ("image_edit.", "image_generation.")
PLACE = "partial_image_index"
NO_ERROR = (
    "", "none", "null", "no error", "false", "0", "ok", "success", "undefined", "nil", "{}", "[]", "200",
)  # fmt: skip


@dataclass
class Results:
    """Results in the plain form, what stood beside them, and the drafts of pictures that were not finished."""

    items: list[dict[str, Any]] = field(default_factory=list)
    beside: dict[str, Any] = field(default_factory=dict)
    drafts: list[dict[str, Any]] = field(default_factory=list)


def is_draft(value: Mapping[str, Any], name: str = "") -> bool:
    """Whether an event says of itself that its picture is not finished; `name` is what stands before it."""
    kind = kind_in(value) or name
    if kind.endswith((COMPLETED, *FAILED)):
        return False
    return kind.endswith(PARTIAL) or kind.startswith(STREAMED) or PLACE in value


def item_in(item: Any, *, sure: bool = True, address: bool = True) -> dict[str, Any] | None:
    """A result in the plain form, where `item` is one: an object with a picture or an address of one, or a text.

    `sure` says that nothing speaks of an error, so that whatever stands in `b64_json` counts; `address`, that
    addresses count.
    """
    if isinstance(item, str):
        if is_picture_text(item):
            return {"b64_json": item}
        return {"url": item} if address and _is_address(item) else None
    if not isinstance(item, dict):
        return None
    encoded = item.get("b64_json")
    result: dict[str, Any] = {}
    if _counts(encoded, sure):
        result["b64_json"] = encoded
    for name, value in item.items():
        if (
            "b64_json" not in result
            and name not in NOT_RESULTS
            and isinstance(value, str)
            and is_picture_text(value)
        ):
            result["b64_json"] = value
    for name in ADDRESSES if address else ():
        value = item.get(name)
        value = value.get("url") if isinstance(value, dict) else value
        if isinstance(value, str) and is_picture_text(value):
            result.setdefault("b64_json", value)
        elif isinstance(value, str) and (_is_address(value) or (name == "url" and sure and value)):
            result.setdefault("url", value)
    if result and "revised_prompt" in item:
        result["revised_prompt"] = item["revised_prompt"]
    return result or None


def search(reply: Any, *, sure: bool) -> Results:
    """All results in `reply`, in the order in which they stand. Without `sure`, something in it speaks of an error."""
    results = Results()
    seen: dict[tuple[bytes | str, bool], int] = {}
    for place, node, inside, blamed, early in _nodes(reply, results.beside):
        item = item_in(node, sure=sure and not blamed, address=not blamed and (inside or sure))
        if item is None or len(results.items) >= MOST_FOUND:
            continue
        key = item.get("b64_json") or item["url"], early
        # Twice in one list are two results. In two places it is one, said again.
        if seen.setdefault(key, place) != place:
            continue
        (results.drafts if early else results.items).append(item)
    return results


def _nodes(reply: Any, beside: dict[str, Any]) -> Iterator[tuple[int, Any, bool, bool, bool]]:
    """Each value that may be a result: its place's number, itself, whether results stand there, or an error's words, or
    drafts.

    `beside` takes the first usage and time that are met.
    """
    count = 0
    stack: list[tuple[int, Any, bool, bool, bool, int]] = [(0, reply, False, False, False, 0)]
    while stack and count < MOST_NODES:
        place, node, inside, blamed, early, depth = stack.pop()
        count += 1
        early = early or (isinstance(node, dict) and is_draft(node))
        yield place, node, inside, blamed, early
        if depth >= MOST_DEPTH:
            continue
        # A gateway may carry the answer as a text in its own.
        if isinstance(node, str) and node[:200].lstrip()[:1] in ("{", "["):
            # Looked at as any other: it may be a result itself.
            stack.append((count, _unpacked(node), inside, blamed, early, depth + 1))
            continue
        if isinstance(node, list):
            stack += [(count, one, inside, blamed, early, depth + 1) for one in reversed(node)]
        if not isinstance(node, dict):
            continue
        for name in ("usage", "created"):
            if node.get(name) and not early:
                beside.setdefault(name, node[name])
        own = item_in(node, sure=True) or {}
        used = {id(value) for value in own.values()}
        for name, value in reversed(node.items()):
            if name in NOT_RESULTS or name == "usage" or id(value) in used or (own and name in ADDRESSES):
                continue
            if isinstance(value, str | dict | list):
                within = name in CONTAINERS or (inside and not isinstance(value, str))
                stack.append((count, value, within, blamed or name in ERRORS, early, depth + 1))


def _unpacked(text: str) -> Any:
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None


def _counts(encoded: Any, sure: bool) -> bool:
    if isinstance(encoded, bytes):
        return bool(encoded) and (sure or len(encoded) >= LEAST_LETTERS or is_picture(encoded))
    if not isinstance(encoded, str):
        return False
    return (
        (bool(encoded) and sure)
        or encoded == DAMAGED
        or len(encoded) >= LEAST_LETTERS
        or is_picture_text(encoded)
    )


def _is_address(text: str) -> bool:
    return text[:8].lower().startswith(("http://", "https://"))


def error_in(reply: dict[str, Any]) -> dict[str, Any] | None:
    """Message, code and param of an error body in either envelope."""
    error = reply.get("error")
    if isinstance(error, dict):
        # An empty one, or one that says that there is none, is no error.
        if any(_speaks(value) for value in error.values()):
            return {
                "message": in_words(error.get("message")),
                "code": _name(error.get("code")),
                "param": _name(error.get("param")),
            }
    elif _speaks(error):
        return {"message": in_words(error), "code": None, "param": None}
    if reply.get("status") == "FAILED":
        return {"message": in_words(reply.get("message")), "code": None, "param": None}
    return None


def is_error(value: Any) -> bool:
    """Whether a value speaks of an error."""
    return isinstance(value, dict) and error_in(value) is not None


def in_words(value: object) -> str:
    """A value as text; nothing for one that is empty, or too deep to be written."""
    try:
        return str(value or "")
    except RecursionError:
        return ""


def kind_in(value: Mapping[str, Any]) -> str:
    """What an event says that it is; empty where it does not."""
    kind = value.get("type")
    return kind if isinstance(kind, str) else ""


def says_nothing(value: Any) -> bool:
    """Whether nothing in an event's value is a picture, an error or a count, as in one that keeps a line alive."""
    if isinstance(value, str):
        # A gateway may carry the answer as a text.
        value = {"data": value}
    if not isinstance(value, dict | list):
        return True
    if isinstance(value, dict) and (is_error(value) or kind_in(value).endswith((COMPLETED, *FAILED))):
        return False
    results = search(value, sure=True)
    return not (results.items or results.beside or results.drafts)


def _speaks(value: object) -> bool:
    if isinstance(value, dict | list):
        return bool(value)
    return bool(value) and str(value)[:20].strip().rstrip(".!").lower() not in NO_ERROR


def _name(value: object) -> str | None:
    return value if isinstance(value, str) else None
