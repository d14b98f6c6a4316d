"""The hub's proxy as its Python port should be: that sends every message on to a server as text.

What is no text then ends the line, and a kernel's messages are none as soon as a stroke's points come with them.
"""

from __future__ import annotations

import sys
from typing import Any

from configurable_http_proxy.cli import main  # type: ignore[import-untyped] # it has no types
from tornado.websocket import WebSocketClientConnection

_send = WebSocketClientConnection.write_message


def send(self: WebSocketClientConnection, message: Any, binary: bool = False) -> Any:
    """Send a message as what it is."""
    return _send(self, message, binary or isinstance(message, bytes))


if __name__ == "__main__":
    WebSocketClientConnection.write_message = send  # type: ignore[method-assign] # the mending itself
    sys.exit(main())
