"""Telling what a reply means: the plain answer out of either envelope, or the error that says what to do next."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from ..errors import (
    AuthenticationError,
    QuotaError,
    RateLimitError,
    RefusedError,
    UnknownOutcomeError,
)

__all__ = ["interpret", "parse", "refusal"]

# An answer has a dozen of these, and a million of them take fifty times their size in memory.
MARKS, MOST_MARKS = (b"[", b"{", b",", b":"), 200_000

LONGEST_MESSAGE = 10_000
NO_PICTURES: Mapping[str, bytes | str] = MappingProxyType({})

MAY_BE_BILLED = (
    "It may have been carried out and billed: "
    "look at your usage in the TTAPI Dashboard before you run it again."
)

NEXT_STEP = {
    400: "Change what it names and run again.",
    401: "Check the key (TT_API_KEY), and that the account's email address is activated, in the TTAPI Dashboard.",
    402: "The quota is used up: add some in the TTAPI Dashboard.",
    403: "The account may not do this: see its state in the TTAPI Dashboard.",
    404: "Check the base_url and the model's name.",
    408: "It arrived too slowly: run again, perhaps with a smaller picture.",
    413: "The request is too large for a gateway on the way: use a smaller picture.",
    429: "Too many requests at once: wait a minute and run again.",
    499: "The service's queue is full: wait a minute and run again.",
}
KINDS: dict[int, type[RefusedError]] = {
    401: AuthenticationError,
    402: QuotaError,
    403: AuthenticationError,
    429: RateLimitError,
    499: RateLimitError,
}
MODERATED = "The service won't make this picture: reword the prompt, or use another picture."


def interpret(status: int, reply: dict[str, Any] | None) -> dict[str, Any]:
    """The plain reply `{created, data, usage}` in a parsed body, taken out of TTAPI's envelope where it is in one.

    Raises `RefusedError` where the service said no, also with HTTP 200, and `UnknownOutcomeError` where nothing says
    whether the edit was made.
    """
    if reply is not None:
        error = _error_in(reply)
        if error is not None and status < 500:
            raise refusal(status, **error)
        if status == 200:
            plain = reply.get("data") if reply.get("status") == "SUCCESS" else reply
            # A bare list in the envelope: what else there is, usage say, stands beside it.
            plain = reply if isinstance(plain, list) else plain
            if isinstance(plain, dict) and isinstance(plain.get("data"), list) and plain["data"]:
                return plain
            raise UnknownOutcomeError(
                f"The service answered without a picture. {MAY_BE_BILLED}", status=status
            )
        said = error["message"] if error else ""
    else:
        said = ""
    # 303 alone says that the request was carried out and where its answer is (RFC 9110, 15.4.4).
    if 300 <= status < 400 and status != 303:
        raise RefusedError(
            "The service answered with another address, which is not followed. Check the base_url.",
            status=status,
        )
    if 400 <= status < 500:
        raise refusal(status, said, None, None)
    what = (
        "with something that is not its JSON, a web page perhaps" if status == 200 else f"with HTTP {status}"
    )
    words = f" ({_short(said)})" if said else ""
    raise UnknownOutcomeError(
        f"The service, or a gateway before it, answered {what}{words}. {MAY_BE_BILLED}", status=status
    )


def parse(
    body: bytes | bytearray, scrub: Callable[[str], str], pictures: Mapping[str, bytes | str] = NO_PICTURES
) -> dict[str, Any] | None:
    """The JSON object in a response's body, or None where it is something else.

    Where a word of `pictures` stands for a picture, that takes its place (see `ReplyReader`). `scrub` takes the key out
    of all words. Pictures are left alone: a short key would stand in them by chance.
    """

    def scrubbed(given: Any) -> Any:
        if isinstance(given, list):
            return [scrubbed(item) for item in given]
        # Half a character can be neither shown nor stored.
        return scrub(given.encode(errors="replace").decode()) if isinstance(given, str) else given

    def kept(name: str, value: Any) -> Any:
        if name != "b64_json":
            return scrubbed(value)
        return pictures.get(value, value) if isinstance(value, str) else value

    def keep(found: dict[str, Any]) -> dict[str, Any]:
        return {name: kept(name, value) for name, value in found.items()}

    if sum(map(body.count, MARKS)) > MOST_MARKS:
        return None
    try:
        reply = json.loads(body.decode("utf-8", "replace"), object_hook=keep)
    except (ValueError, RecursionError):
        return None
    return reply if isinstance(reply, dict) else None


def _error_in(reply: dict[str, Any]) -> dict[str, Any] | None:
    """Message, code and param of an error body in either envelope."""
    error = reply.get("error")
    if isinstance(error, dict):
        return {
            "message": str(error.get("message") or ""),
            "code": _name(error.get("code")),
            "param": _name(error.get("param")),
        }
    if error:
        return {"message": str(error), "code": None, "param": None}
    if reply.get("status") == "FAILED":
        return {"message": str(reply.get("message") or ""), "code": None, "param": None}
    return None


def refusal(status: int, message: str, code: str | None, param: str | None) -> RefusedError:
    """The error for what the service said, with what to do next."""
    message = message[:LONGEST_MESSAGE]
    next_step = MODERATED if code == "moderation_blocked" else NEXT_STEP.get(status, NEXT_STEP[400])
    said = f": {_short(message)}" if message.strip() else "."
    said = said if said.endswith((".", "!", "?")) else said + "."
    return KINDS.get(status, RefusedError)(
        f"The service refused the request (HTTP {status}){said} {next_step}",
        status=status,
        code=code,
        param=param,
        service_message=message,
    )


def _name(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _short(message: str) -> str:
    # A gateway's page, or a message with terminal codes in it, must not take over the screen.
    message = message[:LONGEST_MESSAGE]
    plain = " ".join("".join(letter if letter.isprintable() else " " for letter in message).split())
    return plain if len(plain) <= 300 else plain[:297] + "..."
