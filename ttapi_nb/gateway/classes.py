"""Classes and people in a ledger: made, found, opened and closed."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import time
import unicodedata
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select, update

from ..errors import SettingsError
from .database import Database
from .tables import classes, people
from .terms import Limits, Terms
from .tokens import hashed, looks_like_token, new_code, new_token

__all__ = ["Class", "Classes", "Made", "Person"]

LONGEST_NAME = 60
MOST_PEOPLE = 5000
# Letters of which nothing is seen: the Hangul fillers, and Braille without a dot.
BLANK = "\u115f\u1160\u3164\uffa0\u2800"
# More marks on one letter than any language has reach into the lines above and below.
MARKS = re.compile("M{4}")


@dataclass(frozen=True)
class Class:
    """A class as the ledger has it; `code` is the one for the board."""

    id: str
    name: str
    created: float
    open: bool
    paused: bool
    code: str
    joinable: bool
    most_people: int
    terms: Terms
    salt: str

    def closed_because(self, now: float) -> str:
        """Why nothing can be run in it now, in a sentence; empty where it can."""
        if not self.open:
            return "Your class is closed. Ask your teacher to open it."
        if self.terms.opens is not None and now < self.terms.opens:
            return f"Your class opens at {_clock(self.terms.opens)}. Run it again then."
        if self.terms.closes is not None and now >= self.terms.closes:
            return f"Your class ended at {_clock(self.terms.closes)}. Ask your teacher to go on."
        return ""


@dataclass(frozen=True)
class Person:
    """Somebody who holds a token; `limits` are what was changed for them alone."""

    id: str
    name: str
    team: str
    revoked: bool
    paused: bool
    expires: float | None
    limits: Limits
    room: Class

    @property
    def identifier(self) -> str:
        """A word for them: the same for all of their runs, and it names nobody to whoever lacks the ledger."""
        return hmac.new(self.room.salt.encode(), self.id.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Made:
    """A new class: what is told once, as the ledger keeps hashes only. `people` are names with their tokens."""

    room: Class
    teacher_token: str
    people: tuple[tuple[str, str], ...]


class Classes:
    """The classes of a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def make(
        self,
        name: str,
        people_or_count: int | Sequence[str],
        terms: Terms,
        *,
        teams: Sequence[str] = (),
        most_people: int | None = None,
    ) -> Made:
        """A new class with so many people, or with people of these names; `teams` has each one's team.

        Raises `SettingsError`.
        """
        name = checked_name(name, "class")
        names = (
            [f"person-{number:0{len(str(people_or_count))}}" for number in range(1, people_or_count + 1)]
            if isinstance(people_or_count, int)
            else [checked_name(one, "person") for one in people_or_count]
        )
        if len(set(names)) < len(names):
            raise SettingsError("Two people have the same name. Give each one of their own.")
        if len(names) > MOST_PEOPLE:
            raise SettingsError(f"A class has at most {MOST_PEOPLE:,} people. Make several.")
        room = Class(
            uuid.uuid4().hex, name, time.time(), True, False, new_code(), True,
            most_people or max(len(names), 1), terms, secrets.token_hex(16),
        )  # fmt: skip
        teacher = new_token()
        tokens = [(one, new_token()) for one in names]
        team_of = dict(zip(names, teams, strict=False))
        taken = False
        with self._database.begin() as db:
            if db.execute(select(classes.c.id).where(classes.c.name == name)).first() is not None:
                taken = True
            else:
                _insert(db, room, teacher)
                for one, token in tokens:
                    add_person(db, room, one, token, team_of.get(one, ""))
        if taken:
            raise SettingsError(f"There is a class {name!r} already. Choose another name.")
        return Made(room, teacher, tuple(tokens))

    def named(self, name: str) -> Class:
        """The class of that name. Raises `SettingsError`."""
        with self._database.begin(write=False) as db:
            row = db.execute(select(classes).where(classes.c.name == name)).first()
            known = list(db.scalars(select(classes.c.name).order_by(classes.c.created)))
        if row is None:
            there = f"There are: {', '.join(known[:20])}." if known else "Make one with ttapi-nb class new."
            raise SettingsError(f"There is no class {name[:LONGEST_NAME]!r} in this ledger. {there}")
        return class_of(row)

    def change(self, room_id: str, **values: Any) -> None:
        """Change columns of a class: `open`, `paused`, `joinable`, `code`; its terms are for `changing`."""
        with self._database.begin() as db:
            db.execute(update(classes).where(classes.c.id == room_id).values(**values))

    def change_person(self, person_id: str, **values: Any) -> None:
        """Change columns of a person: `revoked`, `paused`, `expires`, `team`; their limits are for `changing`."""
        with self._database.begin() as db:
            db.execute(update(people).where(people.c.id == person_id).values(**values))

    def renew(self, person_id: str) -> str:
        """A new token for a person, in place of the one they had."""
        token = new_token()
        self.change_person(person_id, token=hashed(token), revoked=0)
        return token

    def join(self, room: Class, name: str, *, token: str | None = None, team: str = "") -> str:
        """A new person in a class, and their token. Raises `SettingsError` where that can't be."""
        name, token = checked_name(name, "person"), token or new_token()
        problem = ""
        with self._database.begin() as db:
            lock_class(db, room.id)
            names = list(db.scalars(select(people.c.name).where(people.c["class"] == room.id)))
            # With other capitals, say, it would be taken for theirs on the wall.
            if alike(name) in map(alike, names):
                problem = "Somebody in this class has that name already. Choose another one."
            elif len(names) >= room.most_people:
                problem = "This class is full. Ask your teacher for a place."
            else:
                add_person(db, room, name, token, team)
        if problem:
            raise SettingsError(problem)
        return token

    def known_as(self, room: Class, person_id: str, name: str) -> Person:
        """The person of that id, whom somebody else vouches for; made, without a token, where they are new.

        Raises `SettingsError` where that can't be.
        """
        with self._database.begin(write=False) as db:
            person = person_where(db, people.c.id == person_id)
        if person is not None:
            return person
        wanted = " ".join(name.split())[:LONGEST_NAME]
        wanted = checked_name(wanted if wanted.isprintable() else person_id[:8], "person")
        with self._database.begin() as db:
            lock_class(db, room.id)
            person = person_where(db, people.c.id == person_id)
            if person is not None:
                return person
            names = set(db.scalars(select(people.c.name).where(people.c["class"] == room.id)))
            full = len(names) >= room.most_people
            if not full:
                # Somebody may have joined by that name: the hub's user is another one.
                options = (wanted, *(f"{wanted[: LONGEST_NAME - 6]} ({number})" for number in range(2, 1000)))
                free = next((one for one in options if one not in names), person_id)
                add_person(db, room, free, None, person_id=person_id)
        if full:
            raise SettingsError("This class is full. Ask your teacher for a place.")
        return self.known_as(room, person_id, name)

    def holder(self, token: str) -> Person | None:
        """Who holds a token, also one that was revoked; None where nobody does."""
        if not looks_like_token(token):
            return None
        with self._database.begin(write=False) as db:
            return person_where(db, people.c.token == hashed(token))

    def taught_by(self, token: str) -> Class | None:
        """The class of a teacher's token; None where it is nobody's."""
        if not looks_like_token(token):
            return None
        with self._database.begin(write=False) as db:
            row = db.execute(select(classes).where(classes.c.teacher == hashed(token))).first()
        return None if row is None else class_of(row)

    def with_code(self, code: str) -> Class | None:
        """The class that a code for the board is of, however it is typed; None where it is of none."""
        letters = "".join(letter for letter in code.upper()[:40] if letter.isalnum())
        with self._database.begin(write=False) as db:
            row = db.execute(select(classes).where(classes.c.code == f"{letters[:4]}-{letters[4:]}")).first()
        return None if row is None else class_of(row)

    def people_of(self, room: Class) -> list[Person]:
        """Everybody in a class, by name."""
        with self._database.begin(write=False) as db:
            rows = db.execute(
                select(people).where(people.c["class"] == room.id).order_by(people.c.name)
            ).all()
        return [person_of(row, room) for row in rows]


def checked_name(name: str, what: str) -> str:
    """A name as it is kept. Raises `SettingsError` where it can't be shown in one line, or nothing of it is seen."""
    plain = " ".join(unicodedata.normalize("NFC", name).split())
    seen = [letter for letter in plain if letter not in BLANK and unicodedata.category(letter)[0] not in "MZ"]
    if not seen or len(plain) > LONGEST_NAME or not plain.isprintable() or MARKS.search(_kinds(plain)):
        raise SettingsError(
            f"A {what}'s name is one line of 1 to {LONGEST_NAME} letters. Choose another one."
        )
    return plain


def _kinds(text: str) -> str:
    return "".join(unicodedata.category(letter)[0] for letter in text)


def alike(name: str) -> str:
    """What two names have in common that a person reads as the same."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def lock_class(db: Connection, room_id: str) -> Row[Any] | None:
    """The row of a class, which nobody else changes or admits runs to until the transaction ends."""
    return db.execute(select(classes).where(classes.c.id == room_id).with_for_update()).first()


def person_where(db: Connection, condition: Any) -> Person | None:
    """The one person for whom a condition holds, with their class."""
    row = db.execute(select(people).where(condition)).first()
    if row is None:
        return None
    room = db.execute(select(classes).where(classes.c.id == row._mapping["class"])).one()
    return person_of(row, class_of(room))


def class_of(row: Row[Any]) -> Class:
    """A class of its row."""
    return Class(
        row.id, row.name, row.created, bool(row.open), bool(row.paused), row.code, bool(row.joinable),
        row.most_people, Terms.from_json(row.terms), row.salt,
    )  # fmt: skip


def person_of(row: Row[Any], room: Class) -> Person:
    """A person of their row."""
    limits = Limits(**json.loads(row.limits or "{}"))
    return Person(row.id, row.name, row.team, bool(row.revoked), bool(row.paused), row.expires, limits, room)


def add_person(
    db: Connection, room: Class, name: str, token: str | None, team: str = "", *, person_id: str = ""
) -> None:
    """A new person's row."""
    db.execute(
        people.insert().values(
            id=person_id or uuid.uuid4().hex,
            **{"class": room.id},
            name=name,
            team=team,
            created=time.time(),
            token=None if token is None else hashed(token),
        )
    )


def _insert(db: Connection, room: Class, teacher: str) -> None:
    db.execute(
        classes.insert().values(
            id=room.id,
            name=room.name,
            created=room.created,
            code=room.code,
            most_people=room.most_people,
            teacher=hashed(teacher),
            terms=room.terms.to_json(),
            salt=room.salt,
        )
    )


def _clock(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(moment))
