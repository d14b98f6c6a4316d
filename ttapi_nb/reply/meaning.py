"""Telling what a reply means: the plain answer out of either envelope, or the error that says what to do next."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from ..errors import (
    AuthenticationError,
    QuotaError,
    RateLimitError,
    RefusedError,
    UnknownOutcomeError,
)
from ..models import living
from ..text import DASHBOARD, may_be_billed
from .envelopes import error_in, item_in, search
from .parsing import Streamed, parse

__all__ = ["Asked", "interpret", "parse", "refusal", "says_busy"]

LONGEST_MESSAGE = 10_000
DRAFTS = "The answer ended before its picture was finished: only drafts of it came."


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


def says_busy(problem: str) -> bool:
    """Whether the words of a refusal are those for a service that was too busy."""
    # Up to where a number of seconds stands.
    phrases = (
        NEXT_STEP[status].partition("{")[0] for status, kind in KINDS.items() if kind is RateLimitError
    )
    return any(words in problem for words in phrases)


def interpret(status: int, reply: dict[str, Any] | None, asked: Asked = NOBODY) -> dict[str, Any]:
    """The plain reply `{created, data, usage, note}` in a parsed body, whichever envelope it is in.

    Where there are pictures they are the answer, also beside an error or with another status; `note` says so then.
    Raises `RefusedError` where there are none and the service said no, also with HTTP 200, and `UnknownOutcomeError`
    where nothing says whether the edit was made. Drafts are no pictures.
    """
    error = None if reply is None else error_in(reply)
    plain = None if reply is None else _plain_in(reply)
    if reply is not None:
        answer = _with_results(status, reply, error, plain)
        if answer is not None:
            return answer
    broke = isinstance(reply, Streamed) and reply.broke
    if error is not None and ((status < 500 and not broke) or _is_of_class(error["code"])):
        raise refusal(status, **error, asked=asked)
    if reply is not None and status == 200:
        if plain is not None:
            return _noteless(plain)
        message = _unfinished(reply, error)
        raise UnknownOutcomeError(f"{message} {may_be_billed(asked.account)}", status=status)
    message = error["message"] if error else ""
    # 303 alone says that the request was carried out and where its answer is (RFC 9110, 15.4.4).
    if 300 <= status < 400 and status != 303:
        raise RefusedError(
            f"The service answered with another address, which is not followed. {UNBILLED} Check the base_url.",
            status=status,
        )
    if 400 <= status < 500:
        raise refusal(status, message, None, None, asked)
    what = (
        "with something that is not its JSON, a web page perhaps" if status == 200 else f"with HTTP {status}"
    )
    words = f" ({_short(message)})" if message else ""
    raise UnknownOutcomeError(
        f"The service, or a gateway before it, answered {what}{words}. {may_be_billed(asked.account)}",
        status=status,
    )


def _unfinished(reply: dict[str, Any], error: dict[str, Any] | None) -> str:
    """What came in place of a picture."""
    drafts = reply.drafts if isinstance(reply, Streamed) else len(search(reply, sure=True).drafts)
    sentence = DRAFTS if drafts else "The service answered without a picture."
    words = _short(error["message"]) if error is not None else ""
    return f"{sentence} It said: {words}".rstrip(".") + "." if words else sentence


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


def _with_results(
    status: int, reply: dict[str, Any], error: dict[str, Any] | None, plain: dict[str, Any] | None
) -> dict[str, Any] | None:
    """The plain reply with all results that are in `reply`; None where there are none."""
    well = error is None and 200 <= status < 300
    if well and plain is not None:
        items: list[Any] = []
        sound = False
        for entry in plain["data"]:
            item = item_in(entry)
            more = [item] if item else search(entry, sure=True).items
            sound = sound or bool(more)
            # What is none stays, and says so in its place.
            items += more or [entry]
        if sound:
            return _noteless(plain) | {"data": items}
    results = search(reply, sure=well)
    if not results.items:
        return None
    notes = []
    if error is not None:
        words = f": {_short(error['message'])}" if error["message"].strip() else ""
        notes.append(
            f"The service sent pictures together with an error (HTTP {status}){words}".rstrip(".") + "."
        )
    elif not well:
        notes.append(f"The service sent pictures together with HTTP {status}, which speaks of an error.")
    return {**results.beside, "data": results.items, "note": " ".join(notes)}


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
    reason = f": {_short(message)}" if message.strip() else "."
    reason = reason if reason.endswith((".", "!", "?")) else reason + "."
    next_step = next_step.format(account=asked.account, pause=_pause(asked.retry_after))
    error = KINDS.get(status, RefusedError)(
        f"The service refused the request (HTTP {status}){reason} {UNBILLED} {next_step}",
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


def _short(message: str) -> str:
    # A gateway's page, or a message with terminal codes in it, must not take over the screen.
    message = message[:LONGEST_MESSAGE]
    plain = " ".join("".join(letter if letter.isprintable() else " " for letter in message).split())
    return plain if len(plain) <= 300 else plain[:297] + "..."
