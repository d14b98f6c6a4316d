"""Reading a reply's body as values: JSON whatever stands around it, and the events of a stream."""

from __future__ import annotations

import codecs
import contextlib
import functools
import json
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from .addresses import Address
from .base64s import is_picture_text
from .envelopes import (
    ADDRESSES,
    COMPLETED,
    CONTAINERS,
    FAILED,
    error_in,
    in_words,
    is_draft,
    is_error,
    kind_in,
    search,
)
from .events import Event, EventReader, is_stream
from .reading import mended

__all__ = ["Streamed", "parse", "parsed_events"]

# An answer has a dozen of these, and a million of them take fifty times their size in memory.
MARKS, MOST_MARKS = (b"[", b"{", b",", b":"), 200_000

# Where a value may begin; each that is none costs a look at all that follows.
BEGINS, MOST_FAILURES = re.compile(r"[{\[]"), 200
# The lines of an event stream (HTML Standard, server-sent events), but for what they carry.
EVENT = re.compile(r"^(?:data:|(?:event|id|retry)?:.*$)", re.MULTILINE)
# What an answer may have lost at its end, and what may stand there in its place.
ENDS, LOOSE = ("]", "}", "]}", "}]}"), " ,}\0\r\n\t"
# What an end is known by in the beginning of an answer; a quotation mark alone begins what has no end.
TOKEN, CLOSES, LONGEST_GAP = (
    re.compile(r'"(?:[^"\\]++|\\.)*+"|[{}\[\],"]', re.DOTALL),
    {"{": "}", "[": "]"},
    20,
)
# What an event is called that lost its end, and which errors are the service's own.
CUT = "cut.partial_image"
OWN_FAULT = re.compile(r"server|internal|overload|unavailable|gateway|time_?d?_?out|\b5\d\d\b")
OWN_WORDS, LONGEST_WORDS = (
    re.compile(
        r"internal|server error|overload|unavailable|gateway|tim(ed?|ing) ?-?out|disconnect|upstream"
        r"|connection (was |is )?(reset|closed|lost|aborted|error|refused)|\b5(0\d|2\d)\b"
    ),
    1000,
)
TEXT_IN_TEXT, PAGE_HEAD = r"{\"", 1000
NO_PICTURES: Mapping[str, bytes | str] = MappingProxyType({})


def parse(
    body: bytes | bytearray, scrub: Callable[[str], str], pictures: Mapping[str, bytes | str] = NO_PICTURES
) -> dict[str, Any] | None:
    """The JSON object in a response's body, or None where it is something else.

    What stands before and after it is passed over, and of several values those that hold pictures are put together:
    `{"values": [...], "error": …}`; a stream is `Streamed`. Where a word of `pictures` stands for a picture, that takes
    its place (see `ReplyReader`). `scrub` takes the key out of all words. Pictures are left alone, as a key could stand
    in them by chance, and so are addresses, which would lead nowhere: those are `Address`, which shows itself without
    the key.
    """
    if sum(map(body.count, MARKS)) > MOST_MARKS:
        return None
    if is_stream(body):
        reader = EventReader()
        reader.feed(bytes(body))
        reader.end()
        return parsed_events(reader, scrub, pictures)
    hook = _Hook(scrub, pictures)
    text = _text(body)
    # Within a text, a service may break lines as they are.
    decoder = json.JSONDecoder(object_hook=hook.keep, strict=False)
    try:
        reply = decoder.decode(text)
        if isinstance(reply, dict):
            return reply
        values, alone = [hook.kept("data", reply)], False
    except (ValueError, RecursionError):
        values, alone = _values(text, decoder)
        if not search(values, sure=True).items:
            more = _mended_values(text, decoder)
            values, alone = (more, False) if search(more, sure=True).items else (values, alone)
    if alone and isinstance(values[0], dict):
        return values[0]
    # A page shows pictures that are no results.
    page = text[:PAGE_HEAD].lstrip().startswith("<") and "b64_json" not in text
    if page or not values or not search(values, sure=True).items:
        return None
    errors = (value.get("error") or value.get("message") for value in values if is_error(value))
    return {"values": values, "error": next(errors, None)}


class Streamed(dict[str, Any]):
    """What a stream said, but for its drafts: `values`, an `error`, and the `usage` of all that was completed.

    `drafts` is how many of those there were, `results` how many pictures, and `broke` whether its error is the
    service's own fault, so that nobody knows what it had done until then.
    """

    drafts: int = 0
    results: int = 0
    broke: bool = False


def parsed_events(
    reader: EventReader, scrub: Callable[[str], str], pictures: Mapping[str, bytes | str] = NO_PICTURES
) -> Streamed | None:
    """What the events say that `reader` has kept; None where they are too much."""
    events = reader.events
    if sum(map(_marks, events)) > MOST_MARKS:
        # Of what is too much, what may be a picture.
        events = [event for event in events if event.pictures or b"b64_json" in event.text]
        if sum(map(_marks, events)) > MOST_MARKS:
            return None
    values: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    drafts = reader.drafts
    for event in events:
        hook = _Hook(scrub, {**pictures, **event.pictures})
        objects = _event_values(event, json.JSONDecoder(object_hook=hook.keep, strict=False))
        # Half of what it says may be taken for something else.
        whole = [value for value in objects if value.get("type") != CUT]
        errors += [error for value in whole if (error := _event_error(value)) is not None]
        sure = [value for value in objects if not is_draft(value)]
        drafts += sum(bool(search(value, sure=True).drafts) for value in objects)
        values += sure
        if not objects and event.is_whole and event.name in FAILED:
            errors.append({"message": scrub(event.text.decode("utf-8", "replace")), "type": "error"})
    reply = Streamed(values=values, error=errors[0] if errors else None)
    reply.drafts, reply.results = drafts, len(search(values, sure=True).items)
    reply.broke = any(_is_own_fault(one, begun=drafts > 0) for one in errors)
    done = [one for value in values if (one := _completed(value)) is not None]
    usages = [usage for value in done if isinstance(usage := value.get("usage"), dict)]
    if usages:
        reply["usage"] = functools.reduce(_added, usages)
    times = [value.get("created_at") for value in done if value.get("created_at")]
    if times:
        reply["created"] = times[-1]
    return reply


def _marks(event: Event) -> int:
    return sum(map(event.text.count, MARKS))


def _event_values(event: Event, decoder: json.JSONDecoder) -> list[dict[str, Any]]:
    """The objects in an event, each with a `type` that says what it is; one that is cut off is a draft unless it says
    that it is complete.
    """
    text, is_whole = _text(event.text), event.is_whole
    try:
        objects, is_whole = [decoder.decode(text)], True
    except (ValueError, RecursionError):
        objects = _values(text, decoder)[0]
        if not search(objects, sure=True).items:
            objects = _mended_values(text, decoder) or objects
    values = [value if isinstance(value, dict) else {"data": value} for value in objects if value]
    typed = [value if kind_in(value) or not event.name else value | {"type": event.name} for value in values]
    if is_whole:
        return typed
    return [value if _completed(value) is not None else value | {"type": CUT} for value in typed]


def _completed(value: dict[str, Any]) -> dict[str, Any] | None:
    """What an event says of a result that is complete, in an envelope or not; None where it speaks of none."""
    for one in (value, value.get("data")):
        if isinstance(one, dict) and kind_in(one).endswith(COMPLETED):
            return one
    return None


def _event_error(value: dict[str, Any]) -> dict[str, Any] | None:
    """The error that an event speaks of, as an error's object."""
    if error_in(value) is None and not kind_in(value).endswith(FAILED):
        return None
    error = value.get("error")
    details = error if isinstance(error, dict) else value
    words = error if isinstance(error, str) else details.get("message")
    code = details.get("code")
    return {
        "message": in_words(words),
        "code": code if isinstance(code, str) else None,
        "param": details.get("param"),
        "type": f"{kind_in(details) or 'error'} {code if isinstance(code, int) else ''}".strip(),
    }


def _is_own_fault(error: dict[str, Any], *, begun: bool) -> bool:
    """Whether an error is the service's own; of one that had begun, whatever it names it by."""
    named = f"{error.get('type')} {error.get('code')}".lower()
    return OWN_FAULT.search(named) is not None or (
        begun and OWN_WORDS.search(error["message"][:LONGEST_WORDS].lower()) is not None
    )


def _added(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Two counts of tokens as one: each event tells those of its own picture."""
    total: dict[str, Any] = dict(one)
    for name, value in other.items():
        mine = one.get(name)
        if isinstance(value, dict) and isinstance(mine, dict):
            total[name] = _added(mine, value)
        elif type(value) is int and type(mine) is int:
            total[name] = mine + value
        else:
            total.setdefault(name, value)
    return total


class _Hook:
    """Takes the key out of the words of a reply, and puts its pictures in, as it is read."""

    def __init__(self, scrub: Callable[[str], str], pictures: Mapping[str, bytes | str]) -> None:
        self._scrub, self._pictures = scrub, pictures

    def keep(self, parsed: dict[str, Any]) -> dict[str, Any]:
        """An object that was read."""
        return {name: self.kept(name, value) for name, value in parsed.items()}

    def kept(self, name: str, value: Any) -> Any:
        """A value that was read, by its name."""
        if isinstance(value, list):
            return [self.kept(name, item) for item in value]
        if not isinstance(value, str):
            return value
        if name == "b64_json":
            return self._pictures.get(value, value)
        if is_picture_text(value):
            return value
        # Half a character can be neither shown nor stored.
        text = value.encode(errors="replace").decode()
        shown = self._scrub(text)
        return Address(text, self._scrub) if shown != text and name in (*ADDRESSES, *CONTAINERS) else shown


def _text(body: bytes | bytearray) -> str:
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return body.decode("utf-16", "replace")
    return body.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace")


def _mended_values(text: str, decoder: json.JSONDecoder) -> list[Any]:
    """The values in an answer that lost its end, or that stands in another one as a text and lost its end there."""
    if text.lstrip()[:1] in ("{", "["):
        for end in ENDS:
            with contextlib.suppress(ValueError, RecursionError):
                return [decoder.decode(text.rstrip(LOOSE) + end)]
        with contextlib.suppress(ValueError, RecursionError):
            return [decoder.decode(_closed(text))]
    return _values(text.replace(r"\"", '"').replace(r"\\", "\\"), decoder)[0] if TEXT_IN_TEXT in text else []


def _closed(text: str) -> str:
    """The beginning of a JSON text without its last value, where that is not whole, and with all its ends."""
    ends: list[str] = []
    whole = 0
    for token in TOKEN.finditer(text):
        symbol = token[0]
        if symbol in CLOSES:
            ends.append(CLOSES[symbol])
            whole = token.end()
        elif symbol == ",":
            whole = token.start()
        elif symbol == '"':
            break
        elif symbol.startswith('"'):
            # A name says nothing without its value.
            if ends[-1:] == ["]"] or text[
                max(0, token.start() - LONGEST_GAP) : token.start()
            ].rstrip().endswith(":"):
                whole = token.end()
        elif ends and ends.pop() == symbol:
            whole = token.end()
        else:
            break
    return text[:whole] + "".join(reversed(ends))


def _values(text: str, decoder: json.JSONDecoder) -> tuple[list[Any], bool]:
    """The JSON values that stand in `text`, and whether it is a single one at its beginning."""
    text = mended(text)
    if EVENT.search(text):
        text = EVENT.sub("", text)
    values: list[Any] = []
    at, failures, first = 0, 0, True
    while failures < MOST_FAILURES and (begins := BEGINS.search(text, at)):
        first = first and not text[: begins.start()].strip()
        try:
            value, at = decoder.raw_decode(text, begins.start())
            values.append(value)
        except (ValueError, RecursionError):
            at, failures, first = begins.start() + 1, failures + 1, False
    return values, first and len(values) == 1
