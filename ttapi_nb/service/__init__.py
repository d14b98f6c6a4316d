"""The embedded service: bytes in, bytes out, in this process or on a port of this machine."""

from .app import Answer, Fill, Service
from .serve import serve

__all__ = ["Answer", "Fill", "Service", "serve"]
