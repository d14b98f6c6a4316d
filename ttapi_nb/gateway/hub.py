"""A gateway as a service of a JupyterHub: who asks is told by the hub, so that nobody on it has a token to type.

A person's notebook server has a token by which the hub knows its owner. It is asked who that is, and that alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from ..errors import SettingsError
from .answering import token_of
from .classes import Person
from .gate import gate_of
from .ledger import Ledger
from .runs import Refused
from .tokens import PREFIX, looks_like_token

__all__ = ["Hub", "port_here", "under_prefix"]

PREFIX_VARIABLE, URL_VARIABLE = "JUPYTERHUB_SERVICE_PREFIX", "JUPYTERHUB_SERVICE_URL"
NO_HUB = Refused(
    "The hub can't be asked who you are, so nothing was sent. Try again in a minute, or tell your teacher.",
    503,
    "class_hub",
)
NO_CLASS = Refused(
    "You are in none of the classes here. Ask your teacher to take you in.", 403, "class_no_class"
)


class Hub:
    """Tells who asks. `rooms` are classes by name, each with the group of the hub whose people are in it, "" for all.

    Raises `SettingsError` where this is no service of a hub, or a class is not there.
    """

    def __init__(self, ledger: Ledger, rooms: Sequence[tuple[str, str]]) -> None:
        self._ledger = ledger
        self._rooms = [(ledger.classes.named(name).name, group) for name, group in rooms]
        self._auth = _auth()

    async def __call__(self, request: Request) -> Person | Refused | None:
        """Who asks; None where they have a token of the class's own, or the hub does not know theirs."""
        token = token_of(request)
        if not looks_like_token(token) or token.startswith(PREFIX):
            return None
        try:
            user: Mapping[str, Any] | None = await asyncio.to_thread(self._auth.user_for_token, token)
        except Exception:  # noqa: BLE001 - whatever the hub answers, nobody is let in by it
            return NO_HUB
        if not user or user.get("kind") != "user" or not isinstance(user.get("name"), str):
            return None
        groups = user.get("groups") or ()
        for name, group in self._rooms:
            if not group or group in groups:
                return await gate_of(request).carrier.call(self._person, name, str(user["name"]))
        return NO_CLASS

    def _person(self, name: str, user: str) -> Person | Refused:
        room = self._ledger.classes.named(name)
        own = hashlib.sha256(f"{room.id} {user}".encode(errors="surrogatepass")).hexdigest()[:32]
        try:
            return self._ledger.classes.known_as(room, own, user)
        except SettingsError as error:
            return Refused(str(error), 403, "class_full")


def _auth() -> Any:
    problem = ""
    try:
        from jupyterhub.services.auth import HubAuth

        if os.environ.get(PREFIX_VARIABLE):
            return HubAuth(cache_max_age=60)
        problem = (
            "--hub is for a gateway that a JupyterHub starts as its service. Leave it out here, or put the command "
            "into the hub's configuration."
        )
    except ModuleNotFoundError:
        problem = "A service of a hub needs its package. Install it with: pip install jupyterhub"
    raise SettingsError(problem)


def port_here() -> int | None:
    """The port at which the hub expects its service; None where it says nothing."""
    return urlsplit(os.environ.get(URL_VARIABLE, "")).port


def under_prefix(app: ASGIApp) -> ASGIApp:
    """The application below the path that the hub gives its service."""
    prefix = os.environ.get(PREFIX_VARIABLE, "").rstrip("/")
    if not prefix:
        return app

    async def below(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(f"{prefix}/"):
            scope = {**scope, "root_path": prefix}
        await app(scope, receive, send)

    return below
