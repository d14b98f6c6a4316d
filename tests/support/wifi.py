"""A line between a client and a server that breaks where a test says."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from typing import Literal, Self, TypeAlias

Cut: TypeAlias = tuple[Literal["up", "down"], int] | None
PATIENCE = 30


class Wifi:
    """Passes connections on to a port while its `with` block lasts.

    `cut(number)` says of each connection, counted from 0, after how many bytes to the server or back it breaks.
    """

    def __init__(self, port: int, cut: Callable[[int], Cut]) -> None:
        self.target, self._cut = port, cut
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self.connections = self.broken = 0
        self._closing = False
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._closing = True
        # Wakes accept().
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            pass
        self._listener.close()

    def _accept(self) -> None:
        while not self._closing:
            line, _ = self._listener.accept()
            if self._closing:
                line.close()
                return
            with self._lock:
                number, self.connections = self.connections, self.connections + 1
            threading.Thread(target=self._pass, args=(line, self._cut(number)), daemon=True).start()

    def _pass(self, near: socket.socket, cut: Cut) -> None:
        try:
            far = socket.create_connection(("127.0.0.1", self.target), PATIENCE)
        except OSError:
            near.close()
            return
        over = threading.Event()
        left = {"up": None if cut is None or cut[0] != "up" else cut[1]}
        left["down"] = None if cut is None or cut[0] != "down" else cut[1]

        def copy(source: socket.socket, target: socket.socket, way: str) -> None:
            with contextlib.suppress(OSError):
                while data := source.recv(65_536):
                    most = left[way]
                    if most is not None:
                        target.sendall(data[:most])
                        left[way] = most - len(data)
                        if len(data) >= most:
                            with self._lock:
                                self.broken += 1
                            break
                    else:
                        target.sendall(data)
            over.set()

        threads = [
            threading.Thread(target=copy, args=given, daemon=True)
            for given in ((near, far, "up"), (far, near, "down"))
        ]
        for thread in threads:
            thread.start()
        over.wait()
        for line in (near, far):
            with contextlib.suppress(OSError):
                if cut is not None:
                    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                line.shutdown(socket.SHUT_RDWR)
            line.close()
