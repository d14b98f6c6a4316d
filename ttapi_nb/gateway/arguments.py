"""What `ttapi-nb gateway` and `ttapi-nb class` take. It needs nothing of the extra that the commands need."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

__all__ = ["KINDS", "NO_LIMIT", "SCOPES", "add_class", "add_gateway", "is_extra"]

KINDS = ("runs", "images", "tokens", "cost")
SCOPES = {"each": "each person", "team": "each team", "room": "all together"}
NO_LIMIT = "none"
# What the extra named serve brings.
PACKAGES = ("jinja2", "segno", "sqlalchemy", "starlette", "uvicorn")


def is_extra(error: ModuleNotFoundError) -> bool:
    """Whether what is missing comes with the extra."""
    return (error.name or "").split(".")[0] in PACKAGES


def add_gateway(commands: Any) -> None:
    """`ttapi-nb gateway`."""
    gateway = commands.add_parser(
        "gateway", help="run the class's server: one key, many people, until Ctrl+C", allow_abbrev=False
    )
    gateway.add_argument("--port", type=_port, help="the port to listen on (8080), 0 for any that is free")
    gateway.add_argument(
        "--host", default="127.0.0.1", help="the address to listen on, 0.0.0.0 for the whole network"
    )
    gateway.add_argument(
        "--upstream", help="the service's address up to its path, or the word embedded; left out, TTAPI's own"
    )
    gateway.add_argument(
        "--upstream-wire",
        choices=("json", "multipart", "references"),
        help="the only form of body that the service takes; left out, every form is passed on",
    )
    gateway.add_argument("--upstream-auth-header", default="TT-API-KEY", help="the header of the key")
    gateway.add_argument("--upstream-auth-scheme", default="", help="the word before the key, Bearer say")
    gateway.add_argument("--upstream-timeout", type=_over_zero, default=300.0, help="seconds for one request")
    gateway.add_argument(
        "--allow-http", action="store_true", help="send the key over plain http to another machine"
    )
    gateway.add_argument(
        "--at-once", type=_positive, default=16, help="how many requests are sent at the same time"
    )
    gateway.add_argument("--per-minute", type=_positive, help="how many requests are sent a minute")
    gateway.add_argument(
        "--keep-days", type=_over_zero, default=30.0, help="for how many days answers are kept (30)"
    )
    gateway.add_argument(
        "--keep-gb", type=_over_zero, default=20.0, help="how many gigabytes of answers are kept (20)"
    )
    gateway.add_argument(
        "--hub",
        action="append",
        metavar="CLASS[=GROUP]",
        help="as a service of a JupyterHub: people of this group, or all, are in this class (may be given again)",
    )
    gateway.add_argument(
        "--public-url", default="", help="the address that people are told, where a proxy stands before it"
    )
    _add_database(gateway)


def add_class(commands: Any) -> None:
    """`ttapi-nb class`."""
    room = commands.add_parser("class", help="make, show, open, close or export a class", allow_abbrev=False)
    actions = room.add_subparsers(dest="action", required=True)
    parts = {
        "new": "make a class: prints the join code, your token and everybody's",
        "change": "change its limits, prices and rules, or with --person one person's limits; what is left out stays",
        "show": "what each has spent",
        "open": "let people run edits",
        "close": "let nobody run edits",
        "export": "every run as CSV, or with --json as JSON",
        "revoke": "make a person's token worthless",
        "renew": "give a person a new token",
    }
    made = {name: actions.add_parser(name, help=text, allow_abbrev=False) for name, text in parts.items()}
    for part in made.values():
        part.add_argument("name", help="the class's name")
        part.add_argument("--json", action="store_true", help="print JSON, for programs")
        _add_database(part)
    made["export"].add_argument("--to", help="the file to write; left out, it is printed")
    for name in ("revoke", "renew"):
        made[name].add_argument("person", help="the person's name")
    _add_identifier(made["open"])
    made["change"].add_argument("--person", help="the person whose own limits change: those for each person")
    _add_new(made["new"])
    for name in ("new", "change"):
        _add_terms(made[name])


def _add_new(new: argparse.ArgumentParser) -> None:
    who = new.add_mutually_exclusive_group()
    who.add_argument("--people", type=_whole, default=0, help="how many people get a token")
    who.add_argument("--names", help="a file with a name on each line, and behind a comma the team")
    new.add_argument("--join", type=_whole, default=40, help="how many more may join with the code (40)")


def _add_terms(part: argparse.ArgumentParser) -> None:
    for scope, whose in SCOPES.items():
        for kind in KINDS:
            read = _limit(_amount if kind == "cost" else _whole)
            part.add_argument(
                f"--{kind}-{scope}", type=read, help=f"the most {kind} for {whose}, or the word {NO_LIMIT}"
            )
    part.add_argument("--models", help="the only models allowed, with commas between them; empty for any")
    part.add_argument("--sizes", help="the only sizes allowed, with commas between them; empty for any")
    part.add_argument("--from", dest="opens", help=f"when it opens, as 2026-03-02T09:00, or {NO_LIMIT}")
    part.add_argument("--until", dest="closes", help=f"when it closes, or {NO_LIMIT}")
    part.add_argument("--tokens-until", help=f"when all tokens end, or {NO_LIMIT}")
    part.add_argument(
        "--weekly", action=argparse.BooleanOptionalAction, help="limits are for a week, and begin anew then"
    )
    part.add_argument("--prices", help='a JSON file of your own prices of a result, as {"gpt-image-1": 0.04}')
    part.add_argument("--currency", help="the word behind these prices")
    part.add_argument("--tokens-per-image", type=_whole, help="the tokens you reckon one result takes")
    _add_identifier(part)


def _add_identifier(part: argparse.ArgumentParser) -> None:
    part.add_argument(
        "--safety-identifier",
        action=argparse.BooleanOptionalAction,
        help="tell the service by a word that names nobody whose request each is, in the field safety_identifier",
    )


def _add_database(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--database",
        help="postgresql+psycopg://… for a ledger that several gateways share (or TTAPI_DATABASE); left out, a file in "
        "the data folder",
    )


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise ValueError
    return port


def _whole(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 10**9:
        raise ValueError
    return number


def _positive(text: str) -> int:
    number = _whole(text)
    if not number:
        raise ValueError
    return number


def _amount(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 10**9:
        raise ValueError
    return number


def _over_zero(text: str) -> float:
    number = _amount(text)
    if not number:
        raise ValueError
    return number


def _limit(read: Callable[[str], float]) -> Callable[[str], float | str]:
    def limit(text: str) -> float | str:
        return NO_LIMIT if text.strip().lower() == NO_LIMIT else read(text)

    return limit
