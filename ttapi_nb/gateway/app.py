"""The gateway as an ASGI application."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Any, Unpack

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .answering import GATEWAY_HEADER, HONOURED, path_of, refusal
from .carrier import Carrier
from .crowds import Crowd
from .gate import BodyLimits, Gate, Identify
from .keeping import Keeper
from .ledger import Ledger
from .pruning import Kept
from .reading import Wire
from .routes import images, joining, limits, people, teaching, watching
from .runs import Refused
from .sender import Sender
from .storing import Store
from .upstream import EmbeddedUpstream, NetworkUpstream, Upstream

__all__ = ["make_app"]

FAULT = Refused("The gateway failed. Tell your teacher.", 500, "class_unknown")


class _Signed:
    """Says on every answer that this is a gateway."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def signed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers[GATEWAY_HEADER] = HONOURED
                headers["X-Content-Type-Options"] = "nosniff"
            await send(message)

        try:
            await self._app(scope, receive, signed)
        finally:
            Crowd.leave(scope)


def make_app(
    ledger: Ledger,
    upstream: Upstream,
    *,
    at_once: int = 16,
    per_minute: int | None = None,
    wire: Wire | None = None,
    identify: Sequence[Identify] = (),
    public: str = "",
    keeper: bool = False,
    kept: Kept | None = None,
    **bodies: Unpack[BodyLimits],
) -> ASGIApp:
    """The application. Its lifespan begins and ends what carries runs out.

    `kept`: how much of answers is kept. `keeper`: the lines to a service elsewhere are a process of their own, which
    outlives this one. `bodies`: how large they may be. The rest is as in `Gate`.
    """
    store = Store(ledger.database.folder)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        beside = None
        if keeper and isinstance(upstream, NetworkUpstream):
            beside = Keeper(partial(_settings, upstream, ledger))
        carrier = Carrier(
            Sender(ledger, store, upstream), at_once=at_once, per_minute=per_minute, keeper=beside, kept=kept
        )
        app.state.gate = Gate(carrier, store, wire, identify=list(identify), public=public, **bodies)
        await carrier.start()
        try:
            yield
        finally:
            await carrier.stop()

    parts = (images, people, watching, joining, teaching, limits)
    routes = [route for part in parts for route in part.ROUTES]
    if isinstance(upstream, EmbeddedUpstream):
        routes.append(Route("/v1/files/{name}", _file(upstream)))
    app = Starlette(
        routes=routes, lifespan=lifespan, exception_handlers={404: _no_such, 405: _not_so, Exception: _failed}
    )
    return _Signed(app)


def _settings(upstream: NetworkUpstream, ledger: Ledger) -> dict[str, Any]:
    """What a keeper is told first; the key is in it."""
    address = None if ledger.database.is_default else ledger.database.address
    return upstream.settings() | {"database": address, "folder": str(ledger.database.folder)}


async def _no_such(request: Request, _: Exception) -> Response:
    return refusal(
        Refused("There is nothing here. Edit pictures with POST /v1/images/edits.", 404, "class_no_page")
    )


async def _failed(request: Request, error: Exception) -> Response:
    # Its kind alone: its words may hold what is the user's own.
    logging.getLogger("ttapi_nb.gateway").warning("A request failed: %s", type(error).__name__)
    return refusal(FAULT)


async def _not_so(request: Request, _: Exception) -> Response:
    return refusal(Refused("This address takes another method.", 405, "class_method"))


def _file(upstream: EmbeddedUpstream) -> Callable[[Request], Response]:
    def get(request: Request) -> Response:
        # On a thread, as the service's work is.
        answer = upstream.service.handle("GET", f"http://{upstream.here}{path_of(request)}", {}, b"")
        return Response(answer.body, answer.status, dict(answer.headers))

    return get
