"""Where a client sends that is not told where: `TTAPI_BASE_URL`, or TTAPI itself; and who one is on a JupyterHub."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from .key import Secret
from .ways import DEFAULT_BASE_URL

__all__ = ["ADDRESS_VARIABLE", "address_here", "hub_token_for"]

ADDRESS_VARIABLE = "TTAPI_BASE_URL"
TOKEN_VARIABLE = "JUPYTERHUB_API_TOKEN"  # noqa: S105 - the name of a variable
# Each may hold an address of the hub's own.
HUB_VARIABLES = (
    "JUPYTERHUB_API_URL",
    "JUPYTERHUB_HOST",
    "JUPYTERHUB_PUBLIC_HUB_URL",
    "JUPYTERHUB_PUBLIC_URL",
)


def address_here() -> str:
    """The address that the environment names, up to the path, or TTAPI's own."""
    # Alone in here: where a statement with os.environ in it raises, a traceback shows the environment with the key.
    return os.environ.get(ADDRESS_VARIABLE, "").strip() or DEFAULT_BASE_URL


def hub_token_for(base_url: str) -> Secret | None:
    """The token by which a JupyterHub knows this notebook server's owner, for a class's gateway on the hub.

    None but where `base_url` is what the environment names, and is a service on the hub's own host: to anybody else
    that token would open the server.
    """
    if base_url != address_here() or "/services/" not in base_url:
        return None
    try:
        host = urlsplit(base_url).hostname
        hosts = {urlsplit(os.environ.get(name, "")).hostname for name in HUB_VARIABLES}
    except ValueError:
        return None
    token = os.environ.get(TOKEN_VARIABLE, "")
    return Secret(token) if token and host and host in hosts else None
