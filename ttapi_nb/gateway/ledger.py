"""`Ledger`: classes, people and runs in one database, and what is told of them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from sqlalchemy import select

from ..log.budget import Spent
from .classes import Class, Classes, Person
from .database import Database
from .pieces import Pieces
from .runs import Runs, may_not, spent_by, word_of
from .tables import runs
from .terms import Limits

__all__ = ["Ledger"]


class Ledger:
    """The ledger in the database at `url` (see `Database`). Raises `SettingsError`, and `LedgerError` later on."""

    def __init__(self, url: str | None = None, folder: Path | None = None) -> None:
        self.database = Database(url, folder)
        self.classes = Classes(self.database)
        self.runs = Runs(self.database)
        self.pieces = Pieces(self.database)

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()

    def standing(self, person: Person) -> dict[str, Any]:
        """What somebody has spent and has left, for `GET /v1/me`."""
        now = time.time()
        room, terms = person.room, person.room.terms
        start = terms.since(room.created, now)
        with self.database.begin(write=False) as db:
            mine = spent_by(db, person, start, person.id, "")
            whole = spent_by(db, person, start, "", "")
            team = spent_by(db, person, start, "", person.team) if person.team and terms.team else None
        each = person.limits.over(terms.each)
        refused = may_not(person, now)
        standing = {
            "name": person.name,
            "class": room.name,
            "may_run": refused is None,
            "problem": "" if refused is None else refused.message,
            "paused": person.paused or room.paused,
            "spent": _spent(mine),
            "limits": each.stated,
            "left": _left((each, mine), (terms.room, whole), *([(terms.team, team)] if team else [])),
            "models": list(terms.models),
            "sizes": list(terms.sizes),
            "opens": terms.opens,
            "closes": terms.closes,
            "currency": terms.currency,
            "safety_identifier": person.identifier if terms.safety_identifier else None,
        }
        return standing | ({"team": person.team} if person.team else {})

    def report(self, room: Class) -> dict[str, Any]:
        """What a class has spent, each person's part of it, and its limits; no token is in it."""
        now = time.time()
        terms = room.terms
        start = terms.since(room.created, now)
        everybody = self.classes.people_of(room)
        with self.database.begin(write=False) as db:
            told = [
                {
                    "name": person.name,
                    "team": person.team,
                    "revoked": person.revoked,
                    "paused": person.paused,
                    "limits": person.limits.over(terms.each).stated,
                    "spent": _spent(spent_by(db, person, start, person.id, "")),
                }
                | ({"safety_identifier": person.identifier} if terms.safety_identifier else {})
                for person in everybody
            ]
            nobody = Person("", "", "", False, False, None, Limits(), room)
            whole = _spent(spent_by(db, nobody, start, "", ""))
            teams = [
                {"name": team, "spent": _spent(spent_by(db, nobody, start, "", team))}
                for team in sorted({person.team for person in everybody} - {""})
            ]
            states: dict[str, int] = {}
            for state, sent in db.execute(
                select(runs.c.state, runs.c.sent).where(runs.c["class"] == room.id)
            ):
                word = word_of(state, sent)
                states[word] = states.get(word, 0) + 1
        return {
            "name": room.name,
            "open": room.open,
            "paused": room.paused,
            "now": room.closed_because(now) or "open",
            "join_code": room.code,
            "limits": {"each": terms.each.stated, "team": terms.team.stated, "room": terms.room.stated},
            "models": list(terms.models),
            "sizes": list(terms.sizes),
            "opens": terms.opens,
            "closes": terms.closes,
            "tokens_until": terms.tokens_until,
            "weekly": terms.weekly,
            "prices": dict(terms.prices),
            "currency": terms.currency,
            "tokens_each": terms.tokens_each,
            "safety_identifier": terms.safety_identifier,
            "spent": whole,
            "states": states,
            "teams": teams,
            "people": told,
        }

    def listed(self, room: Class) -> list[dict[str, Any]]:
        """Every run of a class, oldest first, for an export."""
        names = {person.id: person.name for person in self.classes.people_of(room)}
        with self.database.begin(write=False) as db:
            rows = db.execute(select(runs).where(runs.c["class"] == room.id).order_by(runs.c.number)).all()
        return [
            {
                "number": row.number,
                "id": row.id,
                "name": names.get(row.person, ""),
                "team": row.team,
                "started": row.started,
                "sent_at": row.sent_at,
                "finished": row.finished,
                "state": word_of(row.state, row.sent),
                "model": row.model,
                "prompt": row.prompt,
                "options": row.options,
                "asked": row.images,
                "came": row.came,
                "tokens": row.tokens,
                "estimate": row.estimate,
                "cost": row.cost,
                "currency": row.currency,
                "problem": row.problem,
            }
            for row in rows
        ]


def _spent(spent: Spent) -> dict[str, Any]:
    return {
        "runs": spent.runs,
        "images": spent.images,
        "tokens": spent.tokens,
        "cost": round(spent.cost, 6),
        "unknown": spent.unknown,
    }


def _left(*standings: tuple[Limits, Spent]) -> dict[str, Any]:
    """What may still be spent: the least of what several limits leave."""
    left: dict[str, Any] = {}
    for limits, spent in standings:
        for name, limit in limits.stated.items():
            rest = max(0, limit - getattr(spent, name))
            left[name] = rest if name not in left else min(left[name], rest)
    return left
