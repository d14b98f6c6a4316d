"""The ledger: nobody overspends, whoever asks at the same time, and what was sent stays written down."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from ttapi_nb.errors import SettingsError
from ttapi_nb.gateway.classes import Made, Person
from ttapi_nb.gateway.database import DATABASE_VARIABLE
from ttapi_nb.gateway.ledger import Ledger
from ttapi_nb.gateway.runs import Asked, End, Refused, Run
from ttapi_nb.gateway.terms import Limits, Terms, moment_of
from ttapi_nb.gateway.wall import Wall


def asked(digest: str = "d", model: str = "gpt-image-1", **options: Any) -> Asked:
    """A request for an edit."""
    return Asked("/v1/images/edits", "application/json", digest, 100, model, "a bowl", options)


def made(ledger: Ledger, people: int = 2, **terms: Any) -> tuple[Made, list[Person]]:
    """A class, and its people."""
    found = ledger.classes.make("bowls", people, Terms(**terms))
    persons = [ledger.classes.holder(token) for _, token in found.people]
    assert all(person is not None for person in persons)
    return found, [person for person in persons if person is not None]


def sent(ledger: Ledger, person: Person, run_id: str, **fields: Any) -> Run:
    """A run that was admitted and taken."""
    run = ledger.runs.admit(person, run_id, asked(**fields))
    assert isinstance(run, Run), run
    taken, _ = ledger.runs.take(16, None)
    assert taken is not None
    assert taken.number == run.number
    return taken


def test_a_class_is_made_with_people_who_hold_tokens(ledger: Ledger) -> None:
    """Each person's token finds them, the teacher's finds the class, and the ledger keeps no token as it is."""
    found, people = made(ledger, 3)
    assert [person.name for person in people] == ["person-1", "person-2", "person-3"]
    assert ledger.classes.taught_by(found.teacher_token) == found.room
    assert ledger.classes.with_code(found.room.code.lower().replace("-", " ")) == found.room
    assert ledger.classes.holder("ttclass-no-such-token") is None
    assert ledger.classes.holder(found.teacher_token) is None
    with ledger.database.begin() as db:
        kept = str([list(db.execute(text(f"SELECT * FROM {name}"))) for name in ("classes", "people")])
    assert not any(token in kept for token in (found.teacher_token, *dict(found.people).values()))
    with pytest.raises(SettingsError, match="already"):
        ledger.classes.make("bowls", 1, Terms())


def test_people_at_the_same_time_do_not_overspend(ledger: Ledger) -> None:
    """Of many requests at once, just as many are admitted as each person's and the room's limits allow."""
    _, people = made(ledger, 4, each=Limits(runs=3), room=Limits(runs=10))
    start = threading.Barrier(8)

    def ask(number: int) -> list[bool]:
        start.wait()
        person = people[number % 4]
        return [isinstance(ledger.runs.admit(person, f"{number}-{one}", asked()), Run) for one in range(6)]

    with ThreadPoolExecutor(8) as threads:
        admitted = list(threads.map(ask, range(8)))
    assert sum(map(sum, admitted)) == 10
    for number in range(4):
        assert sum(admitted[number]) + sum(admitted[number + 4]) <= 3


@pytest.mark.parametrize(
    ("terms", "options"),
    [
        ({"each": Limits(images=5)}, {"n": 2}),
        ({"each": Limits(tokens=500), "tokens_each": 100}, {"n": "2"}),
        ({"each": Limits(tokens=2000), "tokens_each": 100}, {"n": 2, "partial_images": 3}),
        ({"each": Limits(cost=1.0), "prices": {"gpt-image-1": 0.2}}, {"n": 2}),
        ({"room": Limits(images=5)}, {"n": 2}),
    ],
    ids=["images", "tokens", "drafts", "prices", "room"],
)
def test_limits_of_each_kind_hold_before_and_after(
    ledger: Ledger, terms: dict[str, Any], options: dict[str, Any]
) -> None:
    """Two runs of two results fit into five; the third is refused until one of them turns out to be of one."""
    ledger.runs.live()
    _, (person, _) = made(ledger, **terms)
    first = sent(ledger, person, "1", **options)
    assert isinstance(ledger.runs.admit(person, "2", asked(**options)), Run)
    refused = ledger.runs.admit(person, "3", asked(**options))
    assert isinstance(refused, Refused)
    assert (refused.status, refused.code) == (402, "class_limit")
    assert "Ask your teacher" in refused.message
    assert ledger.runs.settle(first, End("done", came=1, usage={"total_tokens": 100}))
    assert isinstance(ledger.runs.admit(person, "3", asked(**options)), Run)


def test_a_clock_that_was_set_back_stops_nobody(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was sent, and a pause that the service asked for, later by the clock than now hold nothing up for long."""
    ledger.runs.live()
    _, (person, _) = made(ledger)
    tomorrow = time.time() + 86400
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: tomorrow)
        sent(ledger, person, "1")
        ledger.runs.pause(10.0)
    assert isinstance(ledger.runs.admit(person, "2", asked()), Run)
    taken, _ = ledger.runs.take(16, 1)
    assert taken is not None
    ledger.runs.pause(10.0)
    assert isinstance(ledger.runs.admit(person, "3", asked()), Run)
    assert ledger.runs.take(16, None)[0] is None
    assert 0 < ledger.runs.take(16, None)[1] <= 10


def test_drafts_count_as_tokens_until_the_service_has_counted(ledger: Ledger) -> None:
    """Those of a run count while it is under way and where its answer says nothing of tokens, and then as it says."""
    ledger.runs.live()
    found, (person, _) = made(ledger, each=Limits(tokens=10_000), tokens_each=100)
    runs = [sent(ledger, person, str(number), n=2, partial_images=3) for number in range(3)]

    def spent() -> int:
        return int(ledger.report(found.room)["spent"]["tokens"])

    assert spent() == 3 * 2 * (100 + 300)
    assert ledger.runs.settle(runs[0], End("done", came=2, usage={"total_tokens": 700}))
    assert ledger.runs.settle(runs[1], End("done", came=1))
    assert ledger.runs.settle(runs[2], End("unknown"))
    assert spent() == 700 + 400 + 800


def test_no_way_of_writing_a_size_makes_it_cheaper() -> None:
    """A price holds for capitals and spaces too, which a service may read as the same."""
    prices = {"m": 0.1, "m,1024x1024": 0.2, "m,1024x1024,high": 1.0}
    terms = Terms(each=Limits(cost=1.0), prices=prices)
    for size, quality, cost in (
        ("1024x1024", "high", 1.0),
        (" 1024X1024", "HIGH ", 1.0),
        ("auto", "high", 0.1),
    ):
        assert terms.estimate("m", {"size": size, "quality": quality}).cost == cost


def test_what_was_refused_is_free_again_and_what_is_unknown_is_not(ledger: Ledger) -> None:
    """A refusal gives its reservation back; a run of unknown outcome keeps it, and the words say so."""
    ledger.runs.live()
    _, (person, _) = made(ledger, each=Limits(runs=1))
    run = sent(ledger, person, "1")
    assert ledger.runs.settle(run, End("refused", status=400))
    run = sent(ledger, person, "2")
    assert ledger.runs.settle(run, End("unknown"))
    refused = ledger.runs.admit(person, "3", asked())
    assert isinstance(refused, Refused)
    assert "unknown outcome" in refused.message
    assert ledger.standing(person)["left"] == {"runs": 0}


def test_a_team_shares_its_limit(ledger: Ledger) -> None:
    """What one of a team spends is missing to the other, and not to another team."""
    found = ledger.classes.make(
        "teams", ["Ada", "Bob", "Cyd"], Terms(team=Limits(runs=1)), teams=["red", "red", "blue"]
    )
    ada, bob, cyd = (ledger.classes.holder(token) for _, token in found.people)
    assert ada is not None
    assert bob is not None
    assert cyd is not None
    assert isinstance(ledger.runs.admit(ada, "1", asked()), Run)
    refused = ledger.runs.admit(bob, "1", asked())
    assert isinstance(refused, Refused)
    assert "team" in refused.message
    assert isinstance(ledger.runs.admit(cyd, "1", asked()), Run)


@pytest.mark.parametrize(
    ("terms", "fields", "code"),
    [
        ({"models": ("gpt-image-2",)}, {}, "class_model"),
        ({"models": ("gpt-image-2",)}, {"model": ""}, "class_model"),
        ({"sizes": ("1024x1024",)}, {"size": "auto"}, "class_size"),
        ({"sizes": ("1024x1024",)}, {}, "class_size"),
        ({"opens": time.time() + 86400}, {}, "class_closed"),
        ({"closes": time.time() - 60}, {}, "class_closed"),
        ({"each": Limits(cost=1.0), "prices": {"gpt-image-2": 0.2}}, {}, "class_limit"),
    ],
)
def test_what_a_class_does_not_allow(
    ledger: Ledger, terms: dict[str, Any], fields: dict[str, Any], code: str
) -> None:
    """Other models and sizes, other times, and what has no price where money is limited, are refused in words."""
    _, (person, _) = made(ledger, **terms)
    refused = ledger.runs.admit(person, "1", asked(**fields))
    assert isinstance(refused, Refused)
    assert refused.code == code
    assert len(refused.message) > 20


def test_closed_classes_and_revoked_tokens(ledger: Ledger) -> None:
    """A class that was closed and a token that was revoked or has expired run nothing; a renewed token does."""
    found, (ada, bob) = made(ledger)
    ledger.classes.change(found.room.id, open=0)
    assert isinstance(ledger.runs.admit(ada, "1", asked()), Refused)
    ledger.classes.change(found.room.id, open=1)
    ledger.classes.change_person(ada.id, revoked=1)
    ledger.classes.change_person(bob.id, expires=time.time() - 1)
    for person in (ada, bob):
        refused = ledger.runs.admit(person, "1", asked())
        assert isinstance(refused, Refused)
        assert refused.status == 401
    again = ledger.classes.holder(ledger.classes.renew(ada.id))
    assert again is not None
    assert isinstance(ledger.runs.admit(again, "1", asked()), Run)
    assert ledger.classes.holder(dict(found.people)["person-1"]) is None


def test_a_week_later_the_limit_is_new(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """With weekly renewal a limit counts from the week's beginning."""
    _, (person, _) = made(ledger, each=Limits(runs=1), weekly=True)
    assert isinstance(ledger.runs.admit(person, "1", asked()), Run)
    assert isinstance(ledger.runs.admit(person, "2", asked()), Refused)
    later = time.time() + 7 * 86400
    monkeypatch.setattr(time, "time", lambda: later)
    assert isinstance(ledger.runs.admit(person, "2", asked()), Run)


def test_the_same_id_is_the_same_run(ledger: Ledger) -> None:
    """Asked again, a run is found and not admitted anew; with another body it is refused; ids are each one's own."""
    _, (ada, bob) = made(ledger, each=Limits(runs=1))
    first = ledger.runs.admit(ada, "1", asked())
    assert isinstance(first, Run)
    again = ledger.runs.admit(ada, "1", asked())
    assert isinstance(again, Run)
    assert again.number == first.number
    other = ledger.runs.admit(ada, "1", asked("other"))
    assert isinstance(other, Refused)
    assert other.status == 409
    assert ledger.runs.find(bob.id, "1") is None
    theirs = ledger.runs.admit(bob, "1", asked())
    assert isinstance(theirs, Run)
    assert theirs.number != first.number


def test_people_come_in_turn(ledger: Ledger) -> None:
    """Somebody's first run is not behind the tenth of somebody else, and everybody is told who is before them."""
    ledger.runs.live()
    _, (ada, bob, cyd) = made(ledger, 3)
    for number in range(3):
        assert isinstance(ledger.runs.admit(ada, f"{number}", asked()), Run)
    for person in (bob, cyd):
        assert isinstance(ledger.runs.admit(person, "0", asked()), Run)
    assert ledger.runs.places() == {ada.id: 0, bob.id: 1, cyd.id: 2}
    served = [run.person for run, _ in (ledger.runs.take(16, None) for _ in range(5)) if run is not None]
    assert served == [ada.id, bob.id, cyd.id, ada.id, ada.id]
    assert ledger.runs.places() == {}


def test_the_services_limits_hold(ledger: Ledger) -> None:
    """So many at once, so many a minute, and nothing while the service asks to be left alone."""
    ledger.runs.live()
    _, (person, _) = made(ledger)
    for number in range(4):
        assert isinstance(ledger.runs.admit(person, f"{number}", asked()), Run)
    assert ledger.runs.take(1, None)[0] is not None
    assert ledger.runs.take(1, None)[0] is None
    ledger.runs.pause(30)
    run, seconds = ledger.runs.take(4, None)
    assert run is None
    assert 29 < seconds <= 30
    with ledger.database.begin() as db:
        db.execute(text("UPDATE upstream SET until = 0"))
    assert ledger.runs.take(4, 2)[0] is not None
    run, seconds = ledger.runs.take(4, 2)
    assert run is None
    assert 50 < seconds <= 60


def test_the_paused_wait(ledger: Ledger) -> None:
    """What a paused person has in the queue stays there, and others pass."""
    ledger.runs.live()
    _, (ada, bob) = made(ledger)
    for person in (ada, bob):
        assert isinstance(ledger.runs.admit(person, "1", asked()), Run)
    ledger.classes.change_person(ada.id, paused=1)
    run, _ = ledger.runs.take(4, None)
    assert run is not None
    assert run.person == bob.id
    assert ledger.runs.take(4, None)[0] is None
    ledger.classes.change_person(ada.id, paused=0)
    assert ledger.runs.take(4, None)[0] is not None


def test_what_a_dead_gateway_left(database: str | None, ledger: Ledger) -> None:
    """Its runs that were not sent may be asked for again, and those that were are handed over, to be settled."""
    other = Ledger(database)
    ledger.runs.live()
    other.runs.live()
    _, (ada, _) = made(ledger)
    first = sent(other, ada, "1")
    assert isinstance(other.runs.admit(ada, "2", asked()), Run)
    assert ledger.runs.bury() == []
    # As when its process ends, however that comes.
    other.database.leave()
    (left,) = ledger.runs.bury()
    assert left.number == first.number
    assert ledger.runs.bury() == []
    assert not other.runs.settle(first, End("done", came=1))
    assert ledger.runs.settle(left, End("unknown"))
    waiting = ledger.runs.find(ada.id, "2")
    assert waiting is not None
    assert waiting.state == "not sent"
    again = ledger.runs.admit(ada, "2", asked())
    assert isinstance(again, Run)
    assert (again.number, again.state, again.gateway) == (waiting.number, "open", ledger.runs.me)
    known = ledger.runs.admit(ada, "1", asked())
    assert isinstance(known, Run)
    assert known.state == "unknown"
    other.close()


def test_two_ledgers_see_the_same(database: str | None, ledger: Ledger) -> None:
    """What one process has written another one reads, and migrations are done once."""
    found, _ = made(ledger)
    other = Ledger(database)
    assert other.classes.named("bowls") == found.room
    other.close()


def test_a_ledger_of_the_first_form_opens(ledger: Ledger, database: str | None) -> None:
    """A ledger from before there were a wall and counted drafts keeps what it has and gets both, once."""
    found, people = made(ledger, tokens_each=100)
    run = sent(ledger, people[0], "1", n=2, partial_images=2)
    ledger.runs.settle(run, End("done", status=200, came=1))
    with ledger.database.begin() as db:
        db.execute(text("DROP TABLE wall"))
        db.execute(text("ALTER TABLE runs DROP COLUMN drafts"))
        db.execute(text("DELETE FROM migrations WHERE name <> 'first_tables'"))
    for _ in range(2):
        opened = Ledger(database)
        spent = opened.report(opened.classes.named("bowls"))["spent"]
        assert (spent["runs"], spent["tokens"]) == (1, 300)
        wall = Wall(opened.database)
        assert wall.judge(found.room, run.number, 1, "released")
        assert [one.number for one in wall.latest(found.room, "released")] == [run.number]
        with opened.database.begin() as db:
            names = list(db.scalars(text("SELECT name FROM migrations ORDER BY name")))
        assert names == ["drafts_of_runs", "first_tables", "the_wall"]
        opened.close()


def test_a_backup_that_was_copied_opens(ledger: Ledger, database: str | None, tmp_path: Path) -> None:
    """SQLite's own backup of a ledger in use is a ledger."""
    if database is not None:
        pytest.skip("Postgres has backups of its own")
    found, people = made(ledger)
    assert isinstance(ledger.runs.admit(people[0], "1", asked()), Run)
    copy = tmp_path / "copy"
    copy.mkdir()
    with sqlite3.connect(ledger.database.folder / "ledger.sqlite") as source:
        with sqlite3.connect(copy / "ledger.sqlite") as target:
            source.backup(target)
        target.close()
    source.close()
    opened = Ledger(folder=copy)
    assert opened.report(opened.classes.named("bowls"))["spent"]["runs"] == 1
    opened.close()
    # Its files as they lie there, with those of the journal, do too.
    shutil.copytree(ledger.database.folder, tmp_path / "files")
    opened = Ledger(folder=tmp_path / "files")
    assert opened.classes.named("bowls") == found.room
    opened.close()


def test_databases_that_are_no_ledger_are_refused(tmp_path: Path, database: str | None) -> None:
    """Another program's tables, a newer ledger's and an address that is none are refused in words."""
    url = database or f"sqlite:///{tmp_path / 'other.sqlite'}"
    engine = create_engine(url)
    with engine.begin() as db:
        db.execute(text("CREATE TABLE runs (id TEXT)"))
    engine.dispose()
    with pytest.raises(SettingsError, match="another program"):
        Ledger(url)
    for wrong in ("nonsense", "mysql://root:secret@localhost/x", "postgresql+nosuch://x/y"):
        with pytest.raises(SettingsError) as refused:
            Ledger(wrong)
        assert "secret" not in str(refused.value)


def test_a_newer_ledger_is_refused(ledger: Ledger, database: str | None) -> None:
    """A ledger of a later version is left as it is."""
    with ledger.database.begin() as db:
        db.execute(text("INSERT INTO migrations (name) VALUES ('later')"))
    with pytest.raises(SettingsError, match="newer"):
        Ledger(database)


def test_the_environment_names_a_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address with a password need not stand in the list of processes."""
    monkeypatch.setenv(DATABASE_VARIABLE, f"sqlite:///{tmp_path / 'named.sqlite'}")
    Ledger().close()
    assert (tmp_path / "named.sqlite").is_file()


def test_terms_are_kept_and_checked() -> None:
    """Terms come back as they were written, and limits that can't be kept are refused."""
    terms = Terms(
        each=Limits(runs=3), room=Limits(cost=2.5), models=("a", "b"), prices={"a": 0.1, "a,1x1": 0.2}
    )
    assert Terms.from_json(terms.to_json()) == terms
    for wrong in (Limits(cost=1.0), Limits(tokens=5), Limits(runs=-1)):
        with pytest.raises(SettingsError):
            Terms(room=wrong)
    assert moment_of("2026-03-02T09:00+01:00") == moment_of("2026-03-02T08:00Z")
    with pytest.raises(SettingsError):
        moment_of("tomorrow")
