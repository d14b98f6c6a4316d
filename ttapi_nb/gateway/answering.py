"""How a gateway says no, and who asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from .runs import Refused

__all__ = ["GATEWAY_HEADER", "HONOURED", "RUN_HEADER", "path_of", "refusal", "token_of", "unread"]

GATEWAY_HEADER, HONOURED = "TTAPI-NB-Gateway", "idempotency-key"
"""On every answer of a gateway: it honours `Idempotency-Key`."""
RUN_HEADER = "TTAPI-NB-Run"
"""The id of the run that an answer belongs to."""


def refusal(refused: Refused, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """An answer of the gateway's own, in OpenAI's words and in TTAPI's at once."""
    kind = "server_error" if refused.status >= 500 else "invalid_request_error"
    error: dict[str, Any] = {"message": refused.message, "type": kind, "param": None, "code": refused.code}
    content = {"status": "FAILED", "message": refused.message, "data": None, "error": error}
    # For the openai package: asked again, it is another run.
    told = {"x-should-retry": "false", **(headers or {})}
    return JSONResponse(content, refused.status, told)


def path_of(request: Request) -> str:
    """The path that was asked for, without what a hub put before it."""
    return str(request.scope["path"]).removeprefix(str(request.scope.get("root_path", "")))


def token_of(request: Request) -> str:
    """The token that a request carries, as our own client sends it or as openai's does; empty where it has not one."""
    plain = [value.strip() for value in request.headers.getlist("tt-api-key")]
    bearer = [
        value.strip().partition(" ")[2].strip()
        for value in request.headers.getlist("authorization")
        if value.strip().lower().startswith("bearer ")
    ]
    tokens = {one for one in (*plain, *bearer) if one}
    return tokens.pop() if len(tokens) == 1 else ""


def unread(status: int, message: str, _: Mapping[str, str]) -> JSONResponse:
    """The answer to what is refused before the gateway itself sees it."""
    return refusal(Refused(message, status, "class_http"), {GATEWAY_HEADER: HONOURED})
