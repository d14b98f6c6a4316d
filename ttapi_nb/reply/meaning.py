"""Telling what a reply means: the plain answer out of either envelope, or the error that says what to do next."""

from __future__ import annotations

import codecs
import contextlib
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ..errors import (
    AuthenticationError,
    QuotaError,
    RateLimitError,
    RefusedError,
    UnknownOutcomeError,
)
from ..models import living
from ..text import DASHBOARD
from .addresses import Address
from .base64s import is_picture_text
from .envelopes import ADDRESSES, CONTAINERS, item_in, search
from .reading import mended

__all__ = ["PARTIAL", "Asked", "interpret", "may_be_billed", "parse", "refusal", "says_busy"]

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
TEXT_IN_TEXT, PAGE_HEAD = r"{\"", 1000
LONGEST_MESSAGE = 10_000
NO_ERROR = (
    "",
    "none",
    "null",
    "no error",
    "false",
    "0",
    "ok",
    "success",
    "undefined",
    "nil",
    "{}",
    "[]",
    "200",
)
PARTIAL = "Only pictures that were not finished came."
NO_PICTURES: Mapping[str, bytes | str] = MappingProxyType({})


NEXT_STEP = {
    400: "Change what it names and run again.",
    401: "Use another key (TT_API_KEY), or see in {account} whether the account's email address is activated.",
    402: "The quota is used up: add some in {account}.",
    403: "The account may not do this: see its state in {account}.",
    404: "Check the base_url and the model's name.",
    408: "It arrived too slowly: run again, perhaps with a smaller picture.",
    413: "The request is too large for a gateway on the way: use a smaller picture.",
    429: "Too many requests at once: wait {pause} and run again.",
    499: "The service's queue is full: wait {pause} and run again.",
}
KINDS: dict[int, type[RefusedError]] = {
    401: AuthenticationError,
    402: QuotaError,
    403: AuthenticationError,
    429: RateLimitError,
    499: RateLimitError,
}
DAY = 86_400
UNBILLED = "Nothing was billed."
NO_MODEL = "model_not_found"
# Where no code says it: "The model `x` does not exist", "model x has been deprecated", "invalid model: x".
MODEL_GONE = re.compile(
    r"\bmodel\b.{0,120}?\b(not exist|not found|unknown|unsupported|not supported|retired|deprecated|shut ?down"
    r"|no longer|discontinued)|\b(unknown|invalid|unsupported|no such) model\b",
    re.IGNORECASE | re.DOTALL,
)
MODERATED = "The service won't make this picture: reword the prompt, or use another picture."


@dataclass(frozen=True)
class Asked:
    """What a refusal's sentence has to know: where the `account` is, the `model` that was asked for, and for how many
    seconds the service wants to be left alone, where it said.
    """

    account: str = DASHBOARD
    model: str = ""
    retry_after: float | None = None


NOBODY = Asked()


def may_be_billed(account: str = DASHBOARD) -> str:
    """What is said where nobody knows what became of a request."""
    return (
        f"It may have been carried out and billed: look at your usage in {account} before you run it again."
    )


def says_busy(problem: str) -> bool:
    """Whether the words of a refusal are those for a service that was too busy."""
    # Up to where a number of seconds stands.
    said = (NEXT_STEP[status].partition("{")[0] for status, kind in KINDS.items() if kind is RateLimitError)
    return any(words in problem for words in said)


def interpret(status: int, reply: dict[str, Any] | None, asked: Asked = NOBODY) -> dict[str, Any]:
    """The plain reply `{created, data, usage, note}` in a parsed body, whichever envelope it is in.

    Where there are pictures they are the answer, also beside an error or with another status; `note` says so then.
    Raises `RefusedError` where there are none and the service said no, also with HTTP 200, and `UnknownOutcomeError`
    where nothing says whether the edit was made.
    """
    error = None if reply is None else _error_in(reply)
    plain = None if reply is None else _plain_in(reply)
    if reply is not None:
        found = _found(status, reply, error, plain)
        if found is not None:
            return found
    if error is not None and (status < 500 or _is_of_class(error["code"])):
        raise refusal(status, **error, asked=asked)
    if reply is not None and status == 200:
        if plain is not None:
            return _noteless(plain)
        raise UnknownOutcomeError(
            f"The service answered without a picture. {may_be_billed(asked.account)}", status=status
        )
    said = error["message"] if error else ""
    # 303 alone says that the request was carried out and where its answer is (RFC 9110, 15.4.4).
    if 300 <= status < 400 and status != 303:
        raise RefusedError(
            f"The service answered with another address, which is not followed. {UNBILLED} Check the base_url.",
            status=status,
        )
    if 400 <= status < 500:
        raise refusal(status, said, None, None, asked)
    what = (
        "with something that is not its JSON, a web page perhaps" if status == 200 else f"with HTTP {status}"
    )
    words = f" ({_short(said)})" if said else ""
    raise UnknownOutcomeError(
        f"The service, or a gateway before it, answered {what}{words}. {may_be_billed(asked.account)}",
        status=status,
    )


def _plain_in(reply: dict[str, Any]) -> dict[str, Any] | None:
    """The plain reply, where it is written as TTAPI's pages say, in its envelope or not."""
    plain = reply.get("data") if reply.get("status") == "SUCCESS" else reply
    # A bare list in the envelope: what else there is, usage say, stands beside it.
    plain = reply if isinstance(plain, list) else plain
    return (
        plain if isinstance(plain, dict) and isinstance(plain.get("data"), list) and plain["data"] else None
    )


def _noteless(plain: dict[str, Any]) -> dict[str, Any]:
    # A note is ours: what a service calls so is not shown as if we had said it.
    return {name: value for name, value in plain.items() if name != "note"}


def _found(
    status: int, reply: dict[str, Any], error: dict[str, Any] | None, plain: dict[str, Any] | None
) -> dict[str, Any] | None:
    """The plain reply with all results that are in `reply`; None where there are none."""
    well = error is None and 200 <= status < 300
    if well and plain is not None:
        items: list[Any] = []
        sound = False
        for given in plain["data"]:
            item = item_in(given)
            more = [item] if item else search(given, sure=True).items
            sound = sound or bool(more)
            # What is none stays, and says so in its place.
            items += more or [given]
        if sound:
            return _noteless(plain) | {"data": items}
    found = search(reply, sure=well)
    if not found.items:
        return None
    notes = [PARTIAL] if found.partial else []
    if error is not None:
        words = f": {_short(error['message'])}" if error["message"].strip() else ""
        notes.append(
            f"The service sent pictures together with an error (HTTP {status}){words}".rstrip(".") + "."
        )
    elif not well:
        notes.append(f"The service sent pictures together with HTTP {status}, which speaks of an error.")
    return {**found.beside, "data": found.items, "note": " ".join(notes)}


def parse(
    body: bytes | bytearray, scrub: Callable[[str], str], pictures: Mapping[str, bytes | str] = NO_PICTURES
) -> dict[str, Any] | None:
    """The JSON object in a response's body, or None where it is something else.

    What stands before and after it is passed over, and of several values, as a stream's events, those that hold
    pictures are put together: `{"values": [...], "error": …}`. Where a word of `pictures` stands for a picture, that
    takes its place (see `ReplyReader`). `scrub` takes the key out of all words. Pictures are left alone, as a key
    could stand in them by chance, and so are addresses, which would lead nowhere: those are `Address`, which shows
    itself without the key.
    """
    if sum(map(body.count, MARKS)) > MOST_MARKS:
        return None
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
    errors = (value.get("error") or value.get("message") for value in values if _is_error(value))
    return {"values": values, "error": next(errors, None)}


class _Hook:
    """Takes the key out of the words of a reply, and puts its pictures in, as it is read."""

    def __init__(self, scrub: Callable[[str], str], pictures: Mapping[str, bytes | str]) -> None:
        self._scrub, self._pictures = scrub, pictures

    def keep(self, found: dict[str, Any]) -> dict[str, Any]:
        """An object that was read."""
        return {name: self.kept(name, value) for name, value in found.items()}

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
        said = token[0]
        if said in CLOSES:
            ends.append(CLOSES[said])
            whole = token.end()
        elif said == ",":
            whole = token.start()
        elif said == '"':
            break
        elif said.startswith('"'):
            # A name says nothing without its value.
            if ends[-1:] == ["]"] or text[
                max(0, token.start() - LONGEST_GAP) : token.start()
            ].rstrip().endswith(":"):
                whole = token.end()
        elif ends and ends.pop() == said:
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


def _error_in(reply: dict[str, Any]) -> dict[str, Any] | None:
    """Message, code and param of an error body in either envelope."""
    error = reply.get("error")
    if isinstance(error, dict):
        # An empty one, or one that says that there is none, is no error.
        if any(_speaks(value) for value in error.values()):
            return {
                "message": str(error.get("message") or ""),
                "code": _name(error.get("code")),
                "param": _name(error.get("param")),
            }
    elif _speaks(error):
        return {"message": str(error), "code": None, "param": None}
    if reply.get("status") == "FAILED":
        return {"message": str(reply.get("message") or ""), "code": None, "param": None}
    return None


def _is_error(value: Any) -> bool:
    return isinstance(value, dict) and _error_in(value) is not None


def _speaks(value: object) -> bool:
    return bool(value) and str(value)[:20].strip().rstrip(".!").lower() not in NO_ERROR


def refusal(
    status: int, message: str, code: str | None, param: str | None, asked: Asked = NOBODY
) -> RefusedError:
    """The error for what the service said: that nothing was billed, and what to do next."""
    message = message[:LONGEST_MESSAGE]
    models = _others(status, message, code, asked.model)
    next_step = NEXT_STEP.get(status, NEXT_STEP[400])
    if code == "moderation_blocked":
        next_step = MODERATED
    elif models:
        next_step = f"Choose another model: TTAPI lists {' and '.join(models)}, which live."
    if _is_of_class(code):
        # Of a class's gateway, which knows what to do next.
        words = _short(message)
        return KINDS.get(status, RefusedError)(words, status=status, code=code, service_message=message)
    said = f": {_short(message)}" if message.strip() else "."
    said = said if said.endswith((".", "!", "?")) else said + "."
    next_step = next_step.format(account=asked.account, pause=_pause(asked.retry_after))
    error = KINDS.get(status, RefusedError)(
        f"The service refused the request (HTTP {status}){said} {UNBILLED} {next_step}",
        status=status,
        code=code,
        param=param,
        service_message=message,
    )
    error.models = models
    if isinstance(error, RateLimitError):
        error.retry_after = asked.retry_after
    return error


def _is_of_class(code: str | None) -> bool:
    """Whether a class's gateway said no itself, so that nothing was sent to the service."""
    return code is not None and code.startswith("class_") and code != "class_unknown"


def _others(status: int, message: str, code: str | None, model: str) -> tuple[str, ...]:
    """The models to ask where this one is unknown or gone; empty where a refusal is about something else."""
    gone = code == NO_MODEL or (status in (400, 404, 410) and MODEL_GONE.search(message) is not None)
    return tuple(name for name in living() if name != model) if gone else ()


def _pause(seconds: float | None) -> str:
    if seconds is None:
        return "a minute"
    if seconds > DAY:
        return "more than a day, as it asks,"
    whole = max(1, math.ceil(seconds))
    if whole < 120:
        return "1 second, as it asks," if whole == 1 else f"{whole} seconds, as it asks,"
    return f"{math.ceil(whole / 60):,} minutes, as it asks,"


def _name(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _short(message: str) -> str:
    # A gateway's page, or a message with terminal codes in it, must not take over the screen.
    message = message[:LONGEST_MESSAGE]
    plain = " ".join("".join(letter if letter.isprintable() else " " for letter in message).split())
    return plain if len(plain) <= 300 else plain[:297] + "..."
