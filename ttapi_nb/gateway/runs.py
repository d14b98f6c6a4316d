"""Runs in a ledger: admitted with their money reserved, taken in turn, sent once, settled.

The money rules are the run log's: `log.counting` says which rows count as what, and `log.budget` what a limit says.
A run is `open` until it is settled: reserved while it is not `sent`, and with the service once it is.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, delete, func, or_, select, text, update

from ..log.budget import Spent, asked_partials
from ..log.checks import tokens
from ..log.counting import BILLABLE, DOUBTFUL, cost, images
from ..log.counting import tokens as counted_tokens
from ..models import PARTIAL_TOKENS
from .classes import Person, class_of, lock_class, person_of
from .database import Database
from .rows import Asked, End, Refused, Run, run_of, word_of
from .tables import classes, gateways, people, runs, upstream
from .terms import Limits

__all__ = ["STOPPED", "Asked", "End", "Refused", "Run", "Runs", "word_of"]

MINUTE = 60.0
# In seconds: for no longer the service is left alone, whatever it says.
LONGEST_PAUSE = 3600.0
NUMBERS = {"each": "Your limit", "team": "Your team's limit", "room": "Your class's limit"}
STOPPED = "The gateway was stopped before this was sent, so nothing was billed. Run it again."
ADVICE = "Ask your teacher for more."
SUMS = text(
    f"SELECT COUNT(*), COALESCE(SUM({images('came', 'images')}), 0),"  # noqa: S608 - our own words
    f" COALESCE(SUM({counted_tokens('tokens', 'came', 'images', 'drafts')}), 0),"
    f" COALESCE(SUM({cost('cost', 'estimate')}), 0),"
    f" COALESCE(SUM(CASE WHEN {DOUBTFUL} THEN 1 ELSE 0 END), 0),"
    f" COALESCE(SUM(CASE WHEN {cost('cost', 'estimate')} IS NULL THEN 1 ELSE 0 END), 0)"
    f" FROM runs WHERE class = :room AND {BILLABLE} AND counted >= :start"
    " AND (:person = '' OR person = :person) AND (:team = '' OR team = :team)"
)


class Runs:
    """The runs of a ledger, as the gateway `me` sees them."""

    def __init__(self, database: Database, me: str = "") -> None:
        self._database = database
        self.me = me

    # In

    def admit(self, person: Person, run_id: str, asked: Asked) -> Run | Refused:
        """Reserve a run, or find the one that this person has under this id; see `Refused` for why not.

        All in one transaction, in which no other run of the class is admitted.
        """
        now = time.time()
        with self._database.begin() as db:
            row = lock_class(db, person.room.id)
            mine = db.execute(select(people).where(people.c.id == person.id)).first()
            if row is None or mine is None:
                return Refused("Your class was deleted. Ask your teacher.", 403, "class_closed")
            person = person_of(mine, class_of(row))
            known = db.execute(select(runs).where(runs.c.person == person.id, runs.c.id == run_id)).first()
            if known is not None and known.digest != asked.digest:
                return Refused(
                    "This Idempotency-Key was sent before with another request. Use a new one for each run.",
                    409,
                    "class_key_reused",
                )
            # One that never left may try again; all others have their answer.
            if known is not None and known.state != "not sent":
                return run_of(known)
            refused = self._refused(db, person, asked, now)
            if refused is not None:
                return refused
            return self._reserve(db, person, run_id, asked, now, known)

    def _refused(self, db: Connection, person: Person, asked: Asked, now: float) -> Refused | None:
        gone = may_not(person, now)
        if gone is not None:
            return gone
        terms = person.room.terms
        if terms.models and asked.model not in terms.models:
            named = f"{asked.model[:60]!r} is" if asked.model else "A request that names no model is"
            return Refused(
                f"{named} not allowed in your class. Choose one of: {', '.join(terms.models)}.",
                403,
                "class_model",
            )
        size = str(asked.options.get("size", "auto"))
        if terms.sizes and size not in terms.sizes:
            return Refused(
                f"The size {size[:20]} is not allowed in your class. Choose one of: {', '.join(terms.sizes)}.",
                403,
                "class_size",
            )
        estimate = terms.estimate(asked.model, asked.options)
        for whose, limits, spent in self._standings(db, person, now):
            over = terms.budget(limits, 0.0).over(estimate, spent, NUMBERS[whose])
            if over:
                if spent.unknown:
                    count = "1 run" if spent.unknown == 1 else f"{spent.unknown:,} runs"
                    over.append(f"That includes {count} of unknown outcome.")
                # Whoever reads it has no price table.
                message = " ".join([*over, ADVICE]).replace("Your price table", "Your class's price list")
                return Refused(message, 402, "class_limit")
        return None

    def _standings(self, db: Connection, person: Person, now: float) -> list[tuple[str, Limits, Spent]]:
        """Each kind of limit that there is for somebody, with what is spent of it."""
        terms = person.room.terms
        start = terms.since(person.room.created, now)
        each = person.limits.over(terms.each)
        scopes = [("each", each, person.id, ""), ("room", terms.room, "", "")]
        if person.team:
            scopes.insert(1, ("team", terms.team, "", person.team))
        return [
            (whose, limits, spent_by(db, person, start, who, team))
            for whose, limits, who, team in scopes
            if limits
        ]

    def _reserve(
        self, db: Connection, person: Person, run_id: str, asked: Asked, now: float, known: Row[Any] | None
    ) -> Run:
        estimate = person.room.terms.estimate(asked.model, asked.options)
        # As in the run log: a clock that was set back takes no run out of a limit.
        latest = db.scalar(select(func.max(runs.c.counted)).where(runs.c["class"] == person.room.id))
        values = {
            "team": person.team,
            "started": now,
            "counted": max(now, latest or 0.0),
            "sent_at": None,
            "finished": None,
            "state": "open",
            "sent": 0,
            "gateway": self.me,
            "path": asked.path,
            "kind": asked.kind,
            "digest": asked.digest,
            "size_in": asked.size_in,
            "model": asked.model,
            "prompt": asked.prompt,
            "options": json.dumps(dict(asked.options)),
            "images": estimate.images,
            "drafts": asked_partials(asked.options),
            "estimate": estimate.cost,
            "currency": estimate.currency,
            "problem": "",
        }
        if known is None:
            row = db.execute(
                runs.insert()
                .values(id=run_id, person=person.id, **{"class": person.room.id}, **values)
                .returning(runs)
            ).one()
        else:
            row = db.execute(
                update(runs).where(runs.c.number == known.number).values(**values).returning(runs)
            ).one()
        return run_of(row)

    # In turn

    def take(self, at_once: int, per_minute: int | None, way: str = "") -> tuple[Run | None, float]:
        """The next run of this gateway, marked as sent by `way`, and else in how many seconds to look again.

        People come in turn: whoever was served longest ago is next, with the oldest of their runs.
        """
        now = time.time()
        with self._database.begin() as db:
            state = db.execute(select(upstream).where(upstream.c.id == 1).with_for_update()).one()
            # One that is further away was set before the clock was set back.
            if now < state.until <= now + LONGEST_PAUSE:
                return None, state.until - now
            busy = db.scalar(
                select(func.count()).select_from(runs).where(runs.c.state == "open", runs.c.sent == 1)
            )
            if (busy or 0) >= at_once:
                return None, MINUTE
            if per_minute is not None:
                times = db.scalars(
                    select(runs.c.sent_at)
                    .where(runs.c.sent_at > now - MINUTE, runs.c.sent_at <= now)
                    .order_by(runs.c.sent_at.desc())
                    .limit(per_minute)
                ).all()
                if len(times) >= per_minute:
                    return None, max(0.01, times[-1] + MINUTE - now)
            row = db.execute(_waiting().limit(1)).first()
            if row is None or row.gateway != self.me:
                return None, MINUTE
            turn = state.turns + 1
            db.execute(update(upstream).values(turns=turn))
            db.execute(update(people).where(people.c.id == row.person).values(turn=turn))
            taken = db.execute(
                update(runs)
                .where(runs.c.number == row.number)
                .values(sent=1, sent_at=now, gateway=way or self.me)
                .returning(runs)
            ).one()
            return run_of(taken), 0.0

    def pause(self, seconds: float) -> None:
        """Nobody sends anything for so long: the service asked for it."""
        now = time.time()
        until = now + min(seconds, LONGEST_PAUSE)
        shorter = or_(upstream.c.until < until, upstream.c.until > now + LONGEST_PAUSE)
        with self._database.begin() as db:
            db.execute(update(upstream).where(shorter).values(until=until))

    def places(self) -> dict[str, int]:
        """How many people are served before each of those who wait."""
        with self._database.begin(write=False) as db:
            places: dict[str, int] = {}
            for row in db.execute(_waiting()):
                places.setdefault(row.person, len(places))
        return places

    # Out

    def settle(self, run: Run, end: End) -> bool:
        """Write down how a run ended that this gateway has; False where another one has settled it meanwhile."""
        usage = tokens(json.dumps(dict(end.usage))) or {}
        with self._database.begin() as db:
            row = db.execute(
                select(runs.c.model, runs.c.options, runs.c["class"]).where(runs.c.number == run.number)
            ).one()
            room = class_of(db.execute(select(classes).where(classes.c.id == row._mapping["class"])).one())
            price = None
            if end.came is not None:
                price = room.terms.cost(row.model, json.loads(row.options), end.came)
            done = db.execute(
                update(runs)
                .where(
                    runs.c.number == run.number,
                    runs.c.gateway == self.me,
                    runs.c.state.in_(("open", "unknown")),
                )
                .values(
                    state=end.state,
                    sent=0 if end.state == "not sent" else runs.c.sent,
                    finished=time.time(),
                    problem=end.problem[:2000],
                    status=end.status,
                    headers=json.dumps(list(end.headers)),
                    came=end.came,
                    tokens=usage.get("total_tokens"),
                    usage=json.dumps(usage) if usage else None,
                    cost=price,
                )
            )
            return done.rowcount == 1

    def find(self, person_id: str, run_id: str) -> Run | None:
        """A run of a person's own."""
        with self._database.begin(write=False) as db:
            row = db.execute(select(runs).where(runs.c.person == person_id, runs.c.id == run_id)).first()
        return None if row is None else run_of(row)

    def bury(self) -> list[Run]:
        """What gateways have left behind that are dead: their runs that were not sent are free again, and those that
        were are now this one's to settle, which are returned.
        """
        with self._database.begin(write=False) as db:
            others = [
                name
                for name in db.scalars(select(gateways.c.id))
                if name != self.me and not self._database.lives(db, name)
            ]
        if not others:
            return []
        left: list[Run] = []
        with self._database.begin() as db:
            for name in others:
                if not db.execute(delete(gateways).where(gateways.c.id == name)).rowcount:
                    continue
                db.execute(
                    update(runs)
                    .where(runs.c.gateway == name, runs.c.state == "open", runs.c.sent == 0)
                    .values(state="not sent", finished=time.time(), problem=STOPPED)
                )
                rows = db.execute(
                    update(runs)
                    .where(runs.c.gateway == name, runs.c.state == "open", runs.c.sent == 1)
                    .values(gateway=self.me)
                    .returning(runs)
                )
                left += [run_of(row) for row in rows]
        return left

    def not_handed_over(self, numbers: Collection[int]) -> None:
        """Of the runs that were marked as sent by this one, only these were given to it: the others never left."""
        with self._database.begin() as db:
            mine = (runs.c.gateway == self.me, runs.c.state == "open", runs.c.sent == 1)
            left = set(db.scalars(select(runs.c.number).where(*mine))) - set(numbers)
            db.execute(
                update(runs)
                .where(runs.c.number.in_(left))
                .values(state="not sent", sent=0, finished=time.time(), problem=STOPPED)
            )

    def not_left(self, run: Run) -> None:
        """A run that was marked as sent was given to nobody: it never left."""
        with self._database.begin() as db:
            db.execute(
                update(runs)
                .where(runs.c.number == run.number, runs.c.gateway == run.gateway, runs.c.state == "open")
                .values(state="not sent", sent=0, finished=time.time(), problem=STOPPED)
            )

    def states(self) -> dict[str, int]:
        """How many runs there are in each state."""
        with self._database.begin(write=False) as db:
            counts: dict[str, int] = {}
            for state, sent, count in db.execute(
                select(runs.c.state, runs.c.sent, func.count()).group_by(runs.c.state, runs.c.sent)
            ):
                word = word_of(state, sent)
                counts[word] = counts.get(word, 0) + count
            return counts

    def is_alone(self, mine: Collection[str]) -> bool:
        """Whether no other gateway than these uses the ledger."""
        with self._database.begin(write=False) as db:
            return all(name in mine for name in db.scalars(select(gateways.c.id)))

    def gone(self) -> None:
        """This gateway has ended, with nothing under way."""
        with self._database.begin() as db:
            under_way = select(runs.c.number).where(runs.c.gateway == self.me, runs.c.state == "open")
            if db.execute(under_way).first() is None:
                db.execute(delete(gateways).where(gateways.c.id == self.me))

    def live(self) -> None:
        """This gateway is there from now on."""
        self.me = self._database.live()
        with self._database.begin() as db:
            db.execute(gateways.insert().values(id=self.me, started=time.time()))


def may_not(person: Person, now: float) -> Refused | None:
    """Why somebody may run nothing now, whatever they ask for."""
    ends = (person.expires, person.room.terms.tokens_until)
    if person.revoked or any(end is not None and now >= end for end in ends):
        return Refused(
            "This token is not valid any more. Ask your teacher for a new one.", 401, "class_token"
        )
    closed = person.room.closed_because(now)
    return Refused(closed, 403, "class_closed") if closed else None


def spent_by(db: Connection, person: Person, start: float, who: str, team: str) -> Spent:
    """What counts as spent of a class since `start`: by one person, by a team, or where both are empty by all."""
    terms = person.room.terms
    count, came, used, amount, unknown, unpriced = db.execute(
        SUMS,
        {
            "room": person.room.id,
            "start": start,
            "person": who,
            "team": team,
            "each": terms.tokens_each or 0,
            "draft": 0 if terms.tokens_each is None else PARTIAL_TOKENS,
        },
    ).one()
    return Spent(
        int(count), int(came), int(used), float(amount), int(unknown), int(unpriced) if terms.table else 0
    )


def _waiting() -> Any:
    """Runs that wait, in their turn."""
    return (
        select(runs.c.number, runs.c.person, runs.c.gateway)
        .join(people, people.c.id == runs.c.person)
        .join(classes, classes.c.id == runs.c["class"])
        .where(runs.c.state == "open", runs.c.sent == 0, people.c.paused == 0, classes.c.paused == 0)
        .order_by(people.c.turn, runs.c.number)
    )
