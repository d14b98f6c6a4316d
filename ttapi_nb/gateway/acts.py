"""What the buttons of a teacher's page do to a class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from ..errors import SettingsError
from .changing import change_limits, change_terms
from .classes import Class, Person
from .ledger import Ledger
from .limiting import check_seen, count_in
from .terms import Limits, Terms
from .tokens import new_code
from .wall import Verdict, Wall

__all__ = ["ACTS", "Act", "act_of"]

MORE = 5
"""So many runs a press gives."""
MOST = 10**6


@dataclass(frozen=True)
class Act:
    """What was done: the tokens that it made, by name, and whether they are for a sheet."""

    tokens: tuple[tuple[str, str], ...] = ()
    sheet: bool = False


Fields: TypeAlias = Mapping[str, str]
DONE = Act()


def act_of(ledger: Ledger, room: Class, fields: Fields) -> Act:
    """Do what a form says. Raises `SettingsError` where that can't be."""
    act = ACTS.get(fields.get("do", ""))
    if act is None:
        raise SettingsError("This page has no such button. Load it again.")
    return act(ledger, room, fields)


def _room(**values: object) -> Callable[[Ledger, Class, Fields], Act]:
    def act(ledger: Ledger, room: Class, fields: Fields) -> Act:
        ledger.classes.change(room.id, **values)
        return DONE

    return act


def _person(**values: object) -> Callable[[Ledger, Class, Fields], Act]:
    def act(ledger: Ledger, room: Class, fields: Fields) -> Act:
        ledger.classes.change_person(_named(ledger, room, fields).id, **values)
        return DONE

    return act


def _named(ledger: Ledger, room: Class, fields: Fields) -> Person:
    """The person of this class whom a form names: never one of another class."""
    for person in ledger.classes.people_of(room):
        if person.id == fields.get("person"):
            return person
    raise SettingsError("Nobody in this class is that person any more. Load the page again.")


def _code(ledger: Ledger, room: Class, fields: Fields) -> Act:
    ledger.classes.change(room.id, code=new_code(), joinable=1)
    return DONE


def _more(ledger: Ledger, room: Class, fields: Fields) -> Act:
    person = _named(ledger, room, fields)

    def more(own: Limits) -> Limits:
        runs = own.over(room.terms.each).runs
        if runs is None:
            raise SettingsError(f"{person.name} has no limit on runs. Set one for all first.")
        return replace(own, runs=min(runs + MORE, MOST))

    change_limits(ledger.database, person.id, more)
    return DONE


def _renew(ledger: Ledger, room: Class, fields: Fields) -> Act:
    person = _named(ledger, room, fields)
    return Act(((person.name, ledger.classes.renew(person.id)),))


def _sheet(ledger: Ledger, room: Class, fields: Fields) -> Act:
    everybody = [person for person in ledger.classes.people_of(room) if not person.revoked]
    return Act(tuple((person.name, ledger.classes.renew(person.id)) for person in everybody), sheet=True)


def _runs(ledger: Ledger, room: Class, fields: Fields) -> Act:
    each, whole = count_in(fields.get("each", "")), count_in(fields.get("room", ""))

    def change(terms: Terms) -> Terms:
        check_seen(fields, terms)
        return replace(terms, each=replace(terms.each, runs=each), room=replace(terms.room, runs=whole))

    change_terms(ledger.database, room.id, change)
    return DONE


def _identifier(*, on: bool) -> Callable[[Ledger, Class, Fields], Act]:
    def act(ledger: Ledger, room: Class, fields: Fields) -> Act:
        change_terms(ledger.database, room.id, lambda before: replace(before, safety_identifier=on))
        return DONE

    return act


def _judge(verdict: Verdict) -> Callable[[Ledger, Class, Fields], Act]:
    def act(ledger: Ledger, room: Class, fields: Fields) -> Act:
        number, at = count_in(fields.get("run", "")[:12]), count_in(fields.get("item", ""))
        if not Wall(ledger.database).judge(room, number or 0, at or 0, verdict):
            raise SettingsError("This class has no such result. Load the page again.")
        return DONE

    return act


ACTS: dict[str, Callable[[Ledger, Class, Fields], Act]] = {
    "open": _room(open=1),
    "close": _room(open=0),
    "pause-all": _room(paused=1),
    "resume-all": _room(paused=0),
    "joining": _room(joinable=1),
    "no-joining": _room(joinable=0),
    "new-code": _code,
    "limits": _runs,
    "identifier": _identifier(on=True),
    "no-identifier": _identifier(on=False),
    "pause": _person(paused=1),
    "resume": _person(paused=0),
    "revoke": _person(revoked=1),
    "renew": _renew,
    "more": _more,
    "sheet": _sheet,
    "release": _judge("released"),
    "remove": _judge("removed"),
    "hide": _judge(""),
}
"""By the word that a form carries."""
