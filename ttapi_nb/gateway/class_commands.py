"""`ttapi-nb class …`, as the command line calls it; it returns the exit code."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import SettingsError, TTAPIError
from ..text import so_many
from .arguments import KINDS, NO_LIMIT, SCOPES
from .changing import change_limits, change_terms
from .classes import Class, Made, Person
from .exporting import as_csv
from .ledger import Ledger
from .terms import Limits, Terms, moment_of

__all__ = ["run_class"]

# What only a whole class has.
OF_ALL = (
    "models", "sizes", "opens", "closes", "tokens_until", "weekly", "prices", "currency", "tokens_per_image",
    "safety_identifier",
    *(f"{kind}_{scope}" for kind in KINDS for scope in SCOPES if scope != "each"),
)  # fmt: skip


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
        args.name, people, _new_terms(args, people if isinstance(people, int) else len(people)), teams=teams,
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


def _new_terms(args: argparse.Namespace, people: int) -> Terms:
    terms = _terms_over(Terms(), args)
    # Who joins by the code comes on top of those who have a token already, and the room's money should not grow by it.
    if args.runs_room is None and terms.each.runs is not None:
        return replace(terms, room=replace(terms.room, runs=terms.each.runs * max(1, people)))
    return terms


def _terms_over(terms: Terms, args: argparse.Namespace) -> Terms:
    """Terms with what the options say changed. Raises `SettingsError`."""
    values: dict[str, Any] = {
        "models": None if args.models is None else _listed(args.models),
        "sizes": None if args.sizes is None else _listed(args.sizes),
        "weekly": args.weekly,
        "prices": None if args.prices is None else _prices(args.prices),
        "currency": args.currency,
        "tokens_each": args.tokens_per_image,
        "safety_identifier": args.safety_identifier,
    }
    values = {name: value for name, value in values.items() if value is not None}
    values |= {scope: _limits_over(getattr(terms, scope), args, scope) for scope in SCOPES}
    for name in ("opens", "closes", "tokens_until"):
        text = getattr(args, name)
        if text is not None:
            values[name] = None if text.strip().lower() == NO_LIMIT else moment_of(text)
    return replace(terms, **values)


def _limits_over(limits: Limits, args: argparse.Namespace, scope: str) -> Limits:
    values = {kind: getattr(args, f"{kind}_{scope}") for kind in KINDS}
    return replace(
        limits,
        **{kind: None if value == NO_LIMIT else value for kind, value in values.items() if value is not None},
    )


def _change(ledger: Ledger, args: argparse.Namespace) -> int:
    room = ledger.classes.named(args.name)
    if args.person is None:
        terms = change_terms(ledger.database, room.id, lambda before: _terms_over(before, args))
        told = {"name": room.name, "limits": {scope: getattr(terms, scope).stated for scope in SCOPES}}
        return _told(args, told, f"The class {room.name!r} has new terms. See ttapi-nb class show.")
    if any(getattr(args, name) is not None for name in OF_ALL):
        raise SettingsError(
            "With --person only the limits for each person can be changed: --runs-each and the like."
        )
    person = _named(ledger, room, args.person)
    limits = change_limits(ledger.database, person.id, lambda before: _limits_over(before, args, "each"))
    now = limits.over(room.terms.each).stated
    return _told(args, {"name": person.name, "limits": now}, f"{person.name}: {_in_words(now)}.")


def _listed(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def _prices(path: str | None) -> dict[str, float]:
    if path is None:
        return {}
    problem = 'The file of --prices can\'t be read. Write JSON like {"gpt-image-1": 0.04}.'
    try:
        prices = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        prices = None
    if not isinstance(prices, dict) or not all(
        isinstance(price, int | float) and not isinstance(price, bool) for price in prices.values()
    ):
        raise SettingsError(problem)
    return prices


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
    print(
        f"The class {report['name']!r} is {'open' if report['open'] else 'closed'}. Join code: {report['join_code']}"
    )
    currency = report["currency"]
    print(f"Spent: {_spent(report['spent'], report['limits']['room'], currency)}.")
    for team in report["teams"]:
        print(f"  Team {team['name']}: {_spent(team['spent'], report['limits']['team'], currency)}.")
    for person in report["people"]:
        mark = " (revoked)" if person["revoked"] else " (paused)" if person["paused"] else ""
        print(f"  {person['name']}{mark}: {_spent(person['spent'], person['limits'], currency)}.")
    return 0


def _spent(spent: dict[str, Any], limits: dict[str, Any], currency: str) -> str:
    """What was spent, and of how much, in words: runs and images, and the rest where it is limited or known."""
    told = []
    for kind in KINDS:
        if kind in limits or kind in ("runs", "images") or spent[kind]:
            amount, limit = (_amount(kind, one) for one in (spent[kind], limits.get(kind)))
            words = currency if kind == "cost" else kind
            told.append(f"{amount}{f' of {limit}' if kind in limits else ''} {words}".rstrip())
    if spent["unknown"]:
        told.append(f"{spent['unknown']} of unknown outcome")
    return ", ".join(told)


def _in_words(limits: dict[str, Any]) -> str:
    return ", ".join(f"{_amount(kind, value)} {kind}" for kind, value in limits.items()) or "no limit"


def _amount(kind: str, value: float | None) -> str:
    return "" if value is None else f"{value:,.2f}" if kind == "cost" else f"{value:,}"


def _set_open(ledger: Ledger, args: argparse.Namespace) -> int:
    room = ledger.classes.named(args.name)
    is_open = args.action == "open"
    if is_open and args.safety_identifier is not None:
        change_terms(
            ledger.database, room.id, lambda terms: replace(terms, safety_identifier=args.safety_identifier)
        )
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
    print(f"{so_many(len(rows), 'run')}: see {args.to}.")
    return 0


def _named(ledger: Ledger, room: Class, name: str) -> Person:
    person = next((one for one in ledger.classes.people_of(room) if one.name == name), None)
    if person is None:
        raise SettingsError("There is nobody of that name in this class. See ttapi-nb class show.")
    return person


def _revoke(ledger: Ledger, args: argparse.Namespace) -> int:
    room = ledger.classes.named(args.name)
    person = _named(ledger, room, args.person)
    if args.action == "revoke":
        ledger.classes.change_person(person.id, revoked=1)
        return _told(
            args,
            {"name": person.name, "revoked": True},
            f"The token of {person.name!r} is not valid any more.",
        )
    token = ledger.classes.renew(person.id)
    return _told(args, {"name": person.name, "token": token}, f"The new token of {person.name!r}: {token}")


def _told(args: argparse.Namespace, fields: dict[str, Any], words: str) -> int:
    print(json.dumps(fields, indent=2) if args.json else words)
    return 0


_CLASS = {
    "new": _new,
    "change": _change,
    "show": _show,
    "open": _set_open,
    "close": _set_open,
    "export": _export,
    "revoke": _revoke,
    "renew": _revoke,
}
