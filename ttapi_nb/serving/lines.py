"""`Lines`: what a line may take; and the socket that lines come in at."""

from __future__ import annotations

import socket
from dataclasses import dataclass

__all__ = ["BACKLOG", "HEAD_CAP", "Lines", "listen"]

BACKLOG = 1024
"""How many may have connected that are not looked at yet."""
HEAD_CAP = 64 * 1024
"""In bytes: of a head that is not whole yet."""


@dataclass
class Lines:
    """How long a line may take, in seconds, and how many there may be.

    `head_seconds` is for a head to come, from the line's beginning or from the answer before; `write_seconds` how long
    nothing of an answer may be taken, and `answer_seconds` how long all of it may wait for whoever takes it slowly;
    `drain_seconds` how long the rest of a refused request is read, since many clients look at an answer only after they
    have sent all; `leaving_seconds` what answers are given as the server ends. Where there are `most` lines, one that
    has waited for a request for `patience` seconds gives way to a new one.
    """

    head_seconds: float = 75.0
    write_seconds: float = 120.0
    answer_seconds: float = 900.0
    drain_seconds: float = 60.0
    leaving_seconds: int = 25
    most: int | None = None
    patience: float = 1.0


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens: whoever connects from now on waits to be answered. Raises `OSError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener
