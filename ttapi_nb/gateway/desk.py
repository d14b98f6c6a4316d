"""What a teacher sees of a class: who spent what, who waits, and what went wrong."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from .classes import Class
from .ledger import Ledger
from .runs import word_of
from .tables import people, runs

__all__ = ["desk_of"]

FAULTS = 12
WRONG = ("unknown", "refused", "failed")


def desk_of(ledger: Ledger, room: Class) -> dict[str, Any]:
    """`Ledger.report`, and with it: `waiting` and `sending`, how many runs do; `faults`, the latest runs that brought
    no result; and of each of its `people` the `id`, what `waits`, and the last problem they had.
    """
    report = ledger.report(room)
    ids = {person.name: person.id for person in ledger.classes.people_of(room)}
    mine = runs.c["class"] == room.id
    with ledger.database.begin(write=False) as db:
        under_way = db.execute(select(runs.c.person, runs.c.sent).where(mine, runs.c.state == "open")).all()
        rows = db.execute(
            select(runs, people.c.name.label("name"))
            .join(people, people.c.id == runs.c.person)
            .where(mine, runs.c.state.in_(WRONG))
            .order_by(runs.c.number.desc())
            .limit(FAULTS)
        ).all()
    waits: dict[str, int] = {}
    for person, sent in under_way:
        if not sent:
            waits[person] = waits.get(person, 0) + 1
    faults = [
        {"name": row.name, "time": row.finished or row.started, "state": word_of(row.state, row.sent),
         "problem": row.problem}
        for row in rows
    ]  # fmt: skip
    last = {fault["name"]: fault["problem"] for fault in reversed(faults)}
    for person in report["people"]:
        own = ids.get(person["name"], "")
        person |= {"id": own, "waits": waits.get(own, 0), "problem": last.get(person["name"], "")}
    limited = [report["limits"]["each"], *(person["limits"] for person in report["people"])]
    limited += [report["limits"]["team"], report["limits"]["room"]]
    return report | {
        # Shown where the service counts them, or somebody's are limited.
        "with_tokens": bool(report["spent"]["tokens"]) or any("tokens" in one for one in limited),
        "with_cost": bool(report["prices"]),
        "id": room.id,
        "joinable": room.joinable,
        "most_people": room.most_people,
        "waiting": sum(waits.values()),
        "sending": sum(bool(sent) for _, sent in under_way),
        "faults": faults,
    }
