"""The pages that people see of a gateway: rendered here, with all that users or the service wrote escaped."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jinja2
import segno
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

__all__ = ["COOKIE", "Tries", "asset", "csrf_of", "fields_of", "page", "qr", "root_of", "secured"]

HERE = Path(__file__).parent
COOKIE = "ttapi_nb_teacher"
ASSETS = {"style.css": "text/css", "page.js": "text/javascript"}
# Nothing from elsewhere, no script in a page itself, no frame around it.
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:;"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
MOST_FIELDS = 16_000
"""In bytes: a form of these pages is never longer."""
MOST_NAMES = 40

_templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def _clock(moment: float) -> str:
    return datetime.fromtimestamp(moment).astimezone().strftime("%H:%M")


_templates.filters["clock"] = _clock


class Tries:
    """How often somebody may guess: so many wrong ones a minute from one address, and so many in all."""

    def __init__(self, each: int = 10, whole: int = 100, seconds: float = 60.0) -> None:
        self._each, self._whole, self._seconds = each, whole, seconds
        self._wrong: list[tuple[float, str]] = []

    def wait(self, who: str) -> int:
        """For how many seconds no further guess is looked at; 0 where one is."""
        start = time.monotonic() - self._seconds
        self._wrong = [one for one in self._wrong if one[0] > start]
        own = [moment for moment, other in self._wrong if other == who]
        if len(own) >= self._each:
            return int(own[-self._each] - start) + 1
        if len(self._wrong) >= self._whole:
            return int(self._wrong[-self._whole][0] - start) + 1
        return 0

    def wrong(self, who: str) -> None:
        """A guess was wrong."""
        self._wrong.append((time.monotonic(), who))


def root_of(request: Request) -> str:
    """What stands before every path, where a hub or a proxy put the gateway under one."""
    return str(request.scope.get("root_path", "")).rstrip("/")


def secured(response: Response) -> Response:
    """A response that no cache keeps, no other site frames, and that runs nothing of anybody else's."""
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["Cache-Control"] = "no-store"
    return response


def page(request: Request, template: str, /, status: int = 200, **values: Any) -> Response:
    """A page from its template."""
    text = _templates.get_template(template).render(root=root_of(request), **values)
    return secured(HTMLResponse(text, status))


def asset(request: Request) -> Response:
    """The pages' style and script."""
    name = request.path_params["name"]
    if name not in ASSETS:
        return Response(status_code=404)
    answer = Response((HERE / name).read_bytes(), media_type=ASSETS[name])
    answer.headers["Cache-Control"] = "max-age=300"
    return answer


def qr(text: str) -> str:
    """A QR code of a text as a picture's address, black on white in either theme."""
    code: str = segno.make(text, error="m").svg_data_uri(scale=4, border=2, dark="#000", light="#fff")
    return code


def csrf_of(token: str) -> str:
    """What a form of a teacher's page carries: another site that can send the cookie can't know it."""
    return hmac.new(token.encode(), b"ttapi_nb teacher's form", hashlib.sha256).hexdigest()


async def fields_of(request: Request) -> Mapping[str, str] | None:
    """The fields of a form that was sent; None where it is none of ours, or too long."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    # A browser says where a form comes from; what is no browser can't be tricked into sending one.
    foreign = request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
    if kind != "application/x-www-form-urlencoded" or foreign:
        return None
    data = b""
    async for piece in request.stream():
        data += piece
        if len(data) > MOST_FIELDS:
            return None
    try:
        fields = parse_qs(data.decode(), keep_blank_values=True, max_num_fields=MOST_NAMES, errors="strict")
    except ValueError:
        return None
    return {name: values[-1] for name, values in fields.items()}
