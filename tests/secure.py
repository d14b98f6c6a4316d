"""A server that speaks TLS, with a certificate of an authority that nobody believes but who names it."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

from tests.server import Server

FIXTURES = Path(__file__).parent / "fixtures"
AUTHORITY = FIXTURES / "tls_authority.pem"
"""Whose certificates the server has: for api.example.com, results.example.com, 127.0.0.1 and ::1."""


class SecureServer(Server):
    """As `Server`, over TLS; `names` are those that clients asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str | None] = []
        self.origin = self.origin.replace("http:", "https:")
        self.url = self.url.replace("http:", "https:")
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(FIXTURES / "tls_server.pem")
        self._context.sni_callback = lambda _socket, name, _context: self.names.append(name)

    def _serve(self, connection: socket.socket) -> None:
        try:
            secure = self._context.wrap_socket(connection, server_side=True)
        except OSError:
            # Whoever does not believe the certificate hangs up.
            connection.close()
            return
        super()._serve(secure)
