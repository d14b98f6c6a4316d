"""The thin client: a call is checked, written in one of three body forms, sent once, and typed values come back."""

from .client import AsyncClient, Client, default_client

__all__ = ["AsyncClient", "Client", "default_client"]
