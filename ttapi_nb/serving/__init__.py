"""The server under the gateway and under the embedded service on a port: uvicorn, on a socket of ours.

What it leaves open is closed here: how long a head may take, and an answer to be read; how many lines there are; and
requests that a proxy before it could take in another way (RFC 9112, section 6).
"""

from __future__ import annotations

from .framing import BODILESS
from .lines import BACKLOG, Lines, listen
from .refusing import Refuse
from .server import Server, server_for
from .spooling import spool

__all__ = ["BACKLOG", "BODILESS", "Lines", "Refuse", "Server", "listen", "server_for", "spool"]
