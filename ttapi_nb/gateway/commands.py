"""`ttapi-nb class …` and `ttapi-nb gateway`, as the command line calls them. Each returns the exit code."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ..client import checks
from ..client.client import DEFAULT_BASE_URL, is_offline_forced
from ..client.key import find_key
from ..errors import SettingsError, TTAPIError
from ..network.address import is_loopback
from .app import make_app
from .classes import Made
from .exporting import as_csv
from .hub import Hub, port_here, under_prefix
from .ledger import Ledger
from .serving import listen, server_for
from .terms import Limits, Terms, moment_of
from .upstream import EmbeddedUpstream, NetworkUpstream, Upstream

__all__ = ["run_class", "run_gateway"]

EMBEDDED = "embedded"
PORT = 8080


def run_class(args: argparse.Namespace) -> int:
    """`ttapi-nb class`."""
    try:
        ledger = Ledger(args.database)
        try:
            return _CLASS[args.action](ledger, args)
        finally:
            ledger.close()
    except TTAPIError as error:
        print(error, file=sys.stderr)
        return 1


def _new(ledger: Ledger, args: argparse.Namespace) -> int:
    people, teams = _people(args)
    made = ledger.classes.make(
        args.name, people, _terms(args, people if isinstance(people, int) else len(people)), teams=teams,
        most_people=(people if isinstance(people, int) else len(people)) + args.join,
    )  # fmt: skip
    told = {
        "name": made.room.name,
        "join_code": made.room.code,
        "teacher_token": made.teacher_token,
        "people": [{"name": name, "token": token} for name, token in made.people],
    }
    if args.json:
        print(json.dumps(told, indent=2))
    else:
        _say_new(made)
    return 0


def _people(args: argparse.Namespace) -> tuple[int | list[str], list[str]]:
    """How many people, or their names and teams from a file: a name a line, and behind a comma the team."""
    if args.names is None:
        return args.people, []
    try:
        lines = Path(args.names).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise SettingsError("The file of --names can't be read. Write a name a line, in UTF-8.") from None
    pairs = [line.partition(",") for line in lines if line.strip()]
    return [name for name, _, _ in pairs], [" ".join(team.split())[:60] for _, _, team in pairs]


def _terms(args: argparse.Namespace, people: int) -> Terms:
    each = Limits(runs=args.runs_each, images=args.images_each, tokens=args.tokens_each, cost=args.cost_each)
    # Who joins by the code comes on top of those who have a token already, and the room's money should not grow by it.
    room_runs = args.runs_room
    if room_runs is None and args.runs_each is not None:
        room_runs = args.runs_each * max(1, people)
    room = Limits(runs=room_runs, images=args.images_room, tokens=args.tokens_room, cost=args.cost_room)
    team = Limits(runs=args.runs_team, images=args.images_team, tokens=args.tokens_team, cost=args.cost_team)
    return Terms(
        each=each,
        team=team,
        room=room,
        models=_listed(args.models),
        sizes=_listed(args.sizes),
        opens=None if args.opens is None else moment_of(args.opens),
        closes=None if args.closes is None else moment_of(args.closes),
        weekly=args.weekly,
        prices=_prices(args.prices),
        currency=args.currency or "",
        tokens_each=args.tokens_per_image,
    )


def _listed(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def _prices(path: str | None) -> dict[str, float]:
    if path is None:
        return {}
    problem = 'The file of --prices can\'t be read. Write JSON like {"gpt-image-1": 0.04}.'
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict) or not all(
        isinstance(price, int | float) and not isinstance(price, bool) for price in found.values()
    ):
        raise SettingsError(problem)
    return found


def _say_new(made: Made) -> None:
    print(f"The class {made.room.name!r} is open. People join with the code {made.room.code}.")
    print(f"Your own token, for the teacher's page: {made.teacher_token}")
    print("Each person's token, shown this once:")
    for name, token in made.people:
        print(f"  {name}\t{token}")


def _show(ledger: Ledger, args: argparse.Namespace) -> int:
    report = ledger.report(ledger.classes.named(args.name))
    if args.json:
        print(json.dumps(report, indent=2))
        return 0
    spent = report["spent"]
    print(
        f"The class {report['name']!r} is {'open' if report['open'] else 'closed'}. Join code: {report['join_code']}"
    )
    print(f"Spent: {spent['runs']} runs, {spent['images']} images, {spent['unknown']} of unknown outcome.")
    for person in report["people"]:
        mark = " (revoked)" if person["revoked"] else " (paused)" if person["paused"] else ""
        limit = person["limits"].get("runs")
        print(
            f"  {person['name']}{mark}: {person['spent']['runs']}{f' of {limit}' if limit is not None else ''} runs"
        )
    return 0


def _set_open(ledger: Ledger, args: argparse.Namespace) -> int:
    room = ledger.classes.named(args.name)
    is_open = args.action == "open"
    ledger.classes.change(room.id, open=int(is_open))
    words = "open: people can run edits" if is_open else "closed: nothing more is sent for it"
    return _told(args, {"name": room.name, "open": is_open}, f"The class {room.name!r} is {words}.")


def _export(ledger: Ledger, args: argparse.Namespace) -> int:
    rows = ledger.listed(ledger.classes.named(args.name))
    text = json.dumps(rows, indent=2) if args.json else as_csv(rows)
    if args.to is None:
        sys.stdout.write(text if text.endswith("\n") or not text else text + "\n")
        return 0
    try:
        Path(args.to).write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise SettingsError(
            f"The export could not be written ({error.strerror}). Name another file."
        ) from None
    print(f"{len(rows)} runs are in {args.to}.")
    return 0


def _revoke(ledger: Ledger, args: argparse.Namespace) -> int:
    room = ledger.classes.named(args.name)
    found = next((one for one in ledger.classes.people_of(room) if one.name == args.person), None)
    if found is None:
        raise SettingsError("There is nobody of that name in this class. See ttapi-nb class show.")
    if args.action == "revoke":
        ledger.classes.change_person(found.id, revoked=1)
        return _told(
            args,
            {"name": found.name, "revoked": True},
            f"The token of {found.name!r} is not valid any more.",
        )
    token = ledger.classes.renew(found.id)
    return _told(args, {"name": found.name, "token": token}, f"The new token of {found.name!r}: {token}")


def _told(args: argparse.Namespace, fields: dict[str, Any], words: str) -> int:
    print(json.dumps(fields, indent=2) if args.json else words)
    return 0


_CLASS = {
    "new": _new,
    "show": _show,
    "open": _set_open,
    "close": _set_open,
    "export": _export,
    "revoke": _revoke,
    "renew": _revoke,
}


# The gateway


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
    )  # fmt: skip

    def ready() -> None:
        print(f"The gateway answers at http://{shown}:{port}/v1 and {upstream.words}.")
        print("People use tt.Client(api_key=token, base_url=that address). Stop it with Ctrl+C.")
        pages = public or f"http://{shown}:{port}"
        print(f"They join at {pages}/join; your own page is {pages}/teacher.", flush=True)

    server = server_for(under_prefix(app) if hub else app, ready)
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
