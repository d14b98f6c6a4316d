"""`ttapi-nb gateway`, as the command line calls it; it returns the exit code."""

from __future__ import annotations

import argparse
import contextlib
import sys

from ..client import checks
from ..client.client import DEFAULT_BASE_URL, is_offline_forced
from ..client.key import find_key
from ..errors import SettingsError, TTAPIError
from ..network.address import is_loopback
from ..serving import BACKLOG, Lines, listen, server_for
from .answering import unread
from .app import make_app
from .hub import Hub, port_here, under_prefix
from .ledger import Ledger
from .pruning import Kept
from .upstream import EmbeddedUpstream, NetworkUpstream, Upstream

try:
    import resource
except ImportError:
    resource = None  # type: ignore[assignment]  # what this system has not

__all__ = ["run_gateway"]

EMBEDDED = "embedded"
PORT = 8080
MOST_LINES = 4096
# Files that are open besides lines: the ledger's, those of the service's lines and of its answers. And those of a line.
FILES, FILES_A_LINE = 150, 2


def run_gateway(args: argparse.Namespace) -> int:
    """`ttapi-nb gateway`, until Ctrl+C or SIGTERM."""
    try:
        upstream = _upstream(args)
        ledger = Ledger(args.database)
    except TTAPIError as error:
        print(error, file=sys.stderr)
        return 1
    try:
        hub = Hub(ledger, [_class_and_group(one) for one in args.hub]) if args.hub else None
        public = _public(args.public_url)
    except TTAPIError as error:
        ledger.close()
        print(error, file=sys.stderr)
        return 1
    try:
        socket = listen(args.host, args.port if args.port is not None else port_here() or PORT)
    except OSError as error:
        ledger.close()
        print(
            f"That port can't be used ({error.strerror}). Choose another with --port, or 0 for any.",
            file=sys.stderr,
        )
        return 1
    host, port = socket.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    if isinstance(upstream, EmbeddedUpstream):
        upstream.here = f"{'127.0.0.1' if host in ('0.0.0.0', '::') else shown}:{port}"  # noqa: S104 - compared only
    wire = args.upstream_wire
    app = make_app(
        ledger, upstream, at_once=args.at_once, per_minute=args.per_minute, wire=wire,
        identify=[hub] if hub else [], public=public, keeper=True,
        kept=Kept(args.keep_days, args.keep_gb),
    )  # fmt: skip

    def ready() -> None:
        print(f"The gateway answers at http://{shown}:{port}/v1 and {upstream.words}.")
        print("People use tt.Client(api_key=token, base_url=that address). Stop it with Ctrl+C.")
        pages = public or f"http://{shown}:{port}"
        print(f"They join at {pages}/join; your own page is {pages}/teacher.", flush=True)

    lines = Lines(most=_most_lines())
    server = server_for(under_prefix(app) if hub else app, unread, ready, lines=lines)
    try:
        server.run(sockets=[socket])
    except KeyboardInterrupt:
        pass
    finally:
        socket.close()
        ledger.close()
    if not server.started:
        print("The gateway could not start: its ledger can't be used. Check --database.", file=sys.stderr)
        return 1
    return 0


def _most_lines() -> int:
    """How many lines there may be, so that each may have a file too; as many files are opened as the system allows."""
    if resource is None:
        # Windows counts no files.
        return MOST_LINES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES + BACKLOG + FILES_A_LINE * MOST_LINES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            soft = most
    if soft == resource.RLIM_INFINITY:
        return MOST_LINES
    # So many may be there before the first is told that there are too many.
    burst = min(BACKLOG, soft // 4)
    return max(32, min(MOST_LINES, (soft - FILES - burst) // FILES_A_LINE))


def _class_and_group(text: str) -> tuple[str, str]:
    name, _, group = text.partition("=")
    return name.strip(), group.strip()


def _public(url: str) -> str:
    """The address that people are told. Raises `SettingsError`."""
    if not url:
        return ""
    where, problem = checks.address(url, "--public-url")
    if problem:
        raise SettingsError(problem)
    return where.rstrip("/").removesuffix("/v1")


def _upstream(args: argparse.Namespace) -> Upstream:
    """What the gateway sends to. Raises `SettingsError` or `NotSentError`."""
    url = args.upstream
    if url == EMBEDDED or (url is None and is_offline_forced()):
        return EmbeddedUpstream()
    where, problem = checks.address(url or DEFAULT_BASE_URL, "--upstream")
    if problem:
        raise SettingsError(f"{problem} Or use --upstream embedded.")
    import httpx

    parsed = httpx.URL(where)
    here = is_loopback(parsed.host)
    if is_offline_forced() and not here:
        raise SettingsError(
            "TTAPI_OFFLINE=1 is set, so nothing may leave this machine. Unset it, or use --upstream embedded."
        )
    if parsed.scheme == "http" and not here and not args.allow_http:
        raise SettingsError(
            "--upstream is plain http, where anyone on the way can read the key. Use https, or --allow-http where you "
            "trust the network."
        )
    return NetworkUpstream(
        where,
        find_key(),
        auth_header=args.upstream_auth_header,
        auth_scheme=args.upstream_auth_scheme,
        timeout=args.upstream_timeout,
    )
