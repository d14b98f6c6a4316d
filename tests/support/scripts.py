"""The browser's modules in an empty page, where a test calls them."""

from __future__ import annotations

import urllib.parse
from typing import Any

from playwright.sync_api import Page, Route

from ttapi_nb.widgets.browser import STATIC

# Nothing listens there: the scripts are answered from their folder.
SITE = "http://scripts.localhost/"


def open_scripts(page: Page) -> None:
    """Open a page that can import every script, and whose clock only moves when a test moves it."""

    def answer(route: Route) -> None:
        name = urllib.parse.urlsplit(route.request.url).path.removeprefix("/")
        if name:
            route.fulfill(path=STATIC / name, content_type="text/javascript")
        else:
            route.fulfill(body="<!doctype html><title>Scripts</title>", content_type="text/html")

    page.clock.install(time=0)
    page.route(f"{SITE}**", answer)
    page.goto(SITE)
    page.clock.pause_at(1000)


def ask(page: Page, script: str, code: str, *given: Any) -> Any:
    """What `code` returns, which sees the script's exports as `it` and what is given as `a`, `b`, `c` and `d`."""
    names = ", ".join("abcd"[: len(given)])
    return page.evaluate(
        f"async ([{names}]) => {{ const it = await import('/{script}'); {code} }}", list(given)
    )
