"""The embedded service: bytes in, bytes out, in this process or on a port of this machine."""

from .app import FILLED, Answer, Fill, Service
from .detail import detail_of
from .serve import serve

__all__ = ["FILLED", "Answer", "Fill", "Service", "detail_of", "serve"]
