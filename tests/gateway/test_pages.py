"""The pages for people: joining by a code, the teacher's page, the board and the wall; and who gets in nowhere."""

from __future__ import annotations

import csv
import html
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

import ttapi_nb as tt
from tests.server import Server, encoded, json_reply, pictures
from tests.support.gateways import Running, plain_client, running
from ttapi_nb.errors import SettingsError
from ttapi_nb.gateway.classes import Made
from ttapi_nb.gateway.ledger import Ledger
from ttapi_nb.gateway.pages import Tries
from ttapi_nb.gateway.results import with_text
from ttapi_nb.gateway.terms import Limits, Terms

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def database() -> None:
    """The pages lean on nothing that a kind of database does by itself: a file is enough."""


@pytest.fixture
def room(ledger: Ledger) -> Made:
    """A class of two with five runs each, and places for two more."""
    return ledger.classes.make("bowls", 2, Terms(each=Limits(runs=5)), most_people=4)


@pytest.fixture
def gateway(ledger: Ledger, room: Made) -> Iterator[Running]:
    """A gateway before a service that answers with one teal picture."""
    with Server() as server:
        server.answer = json_reply(pictures(Image.new("RGB", (64, 64), "teal")))
        with running(ledger, server.url) as found:
            yield found


@pytest.fixture
def visitor(gateway: Running) -> Iterator[httpx.Client]:
    """A browser of somebody's."""
    with plain_client(base_url=gateway.origin, follow_redirects=True) as client:
        yield client


@pytest.fixture
def teacher(gateway: Running, room: Made) -> Iterator[httpx.Client]:
    """The teacher's browser, let in."""
    with plain_client(base_url=gateway.origin, follow_redirects=True) as client:
        client.post("/teacher/in", data={"token": room.teacher_token})
        yield client


def csrf(page: str) -> str:
    """What the page's forms carry."""
    found = re.search(r'name="csrf" value="([0-9a-f]{64})"', page)
    assert found is not None
    return found[1]


def seen_in(page: str) -> str:
    """What a form carries of what it shows."""
    found = re.search(r'name="seen" value="([0-9a-f]{16})"', page)
    assert found is not None
    return found[1]


def press(teacher: httpx.Client, what: str, **more: object) -> httpx.Response:
    """Press a button of the teacher's page."""
    fields = {
        "csrf": csrf(teacher.get("/teacher").text),
        "do": what,
        **{key: str(one) for key, one in more.items()},
    }
    return teacher.post("/teacher/do", data=fields)


def run_one(gateway: Running, token: str, prompt: str = "a bowl") -> tt.Run:
    """An edit of somebody's."""
    client = tt.Client(api_key=token, base_url=gateway.url)
    return tt.edit(Image.new("RGB", (64, 64)), prompt, client=client, log=False, size="1024x1024")


def id_of(ledger: Ledger, room: Made, name: str) -> str:
    """A person's id."""
    (found,) = [person.id for person in ledger.classes.people_of(room.room) if person.name == name]
    return found


# Joining


@pytest.mark.slow
def test_a_nickname_in_a_token_out(visitor: httpx.Client, gateway: Running, room: Made):
    """The code, typed in any way, and a nickname give a token with which an edit runs; the line to paste has none."""
    code = room.room.code.lower().replace("-", " ")
    page = visitor.post("/join", data={"code": code, "name": "  Ada   L. "})
    assert page.status_code == 200
    found = re.search(r'id="token">([^<]+)<', page.text)
    assert found is not None
    token = found[1]
    assert run_one(gateway, token).results
    line = re.search(r'id="line">([^<]+)<', page.text)
    assert line is not None
    assert f"{gateway.url}" in line[1]
    assert token not in line[1] + visitor.get("/join/notebook.ipynb").text
    assert page.headers["cache-control"] == "no-store"


def test_the_line_to_paste_works_on_the_rooms_own_network(visitor: httpx.Client):
    """Where the address is plain http on another machine, the line says so, as a client refuses it otherwise."""
    here, there = (
        visitor.get("/join/notebook.ipynb", headers={"Host": host}).text
        for host in ("127.0.0.1:8080", "192.168.1.5:8080")
    )
    assert "allow_http" not in here
    assert "allow_http=True" in there


def test_the_bare_address_leads_to_joining(visitor: httpx.Client):
    """Whoever types only the host gets to the form, with the code of a QR code filled in."""
    assert "Code on the board" in visitor.get("/").text
    assert 'value="ABCD-EFGH"' in visitor.get("/join?code=ABCD-EFGH").text


def test_joining_says_what_is_wrong(visitor: httpx.Client, ledger: Ledger, room: Made):
    """A wrong code, a taken name, a full class and one that nobody may join are told apart, and typed words stay."""
    code = room.room.code
    wrong = visitor.post("/join", data={"code": "AAAA-AAAA", "name": "Ada"})
    assert wrong.status_code == 403
    assert "No class has this code" in wrong.text
    assert 'value="Ada"' in wrong.text
    assert "name already" in visitor.post("/join", data={"code": code, "name": "person-1"}).text
    for name in ("Ada", "Grace"):
        assert visitor.post("/join", data={"code": code, "name": name}).status_code == 200
    assert "class is full" in visitor.post("/join", data={"code": code, "name": "Emmy"}).text
    ledger.classes.change(room.room.id, joinable=0)
    assert "Nobody can join" in visitor.post("/join", data={"code": code, "name": "Emmy"}).text


@pytest.mark.parametrize(
    "name",
    [
        "",
        "   ",
        "x" * 61,
        "a\x00b",
        "a\u202eb",
        "\u3164\u2800",
        "\u0301",
        "a" + "\u0336\u0337\u0338\u0351" * 9,
    ],
)
def test_names_that_can_not_be_shown(visitor: httpx.Client, room: Made, name: str):
    """What is no line of letters is refused in words."""
    page = visitor.post("/join", data={"code": room.room.code, "name": name})
    assert page.status_code == 400
    assert "one line" in page.text


def test_nobody_joins_under_anothers_name(ledger: Ledger, room: Made):
    """What a person reads as a name that is there is taken, and other names of any script are not."""
    ledger.classes.join(room.room, "Zoë")
    for name in ("zoë", "ZOE\u0308", "Ｚoë"):
        with pytest.raises(SettingsError, match="that name already"):
            ledger.classes.join(room.room, name)
    assert ledger.classes.join(room.room, "हिन्दी สวัสดี")


@pytest.mark.slow
def test_codes_can_not_be_guessed(visitor: httpx.Client, room: Made):
    """After ten wrong ones within a minute no further code is looked at, not even the right one."""
    answers = [visitor.post("/join", data={"code": f"AAAA-AAA{at}", "name": "x"}) for at in range(10)]
    assert {one.status_code for one in answers} == {403}
    late = visitor.post("/join", data={"code": room.room.code, "name": "x"})
    assert late.status_code == 429
    assert 0 < int(late.headers["retry-after"]) <= 61


def test_tries_are_counted_for_each_and_for_all():
    """Somebody's wrong tries stop them alone, until there are too many in all; a while later they begin anew."""
    tries = Tries(each=2, whole=3, seconds=0.0)
    tries.wrong("a")
    assert tries.wait("a") == 0
    tries = Tries(each=2, whole=3)
    for who in ("a", "a"):
        tries.wrong(who)
    assert tries.wait("a") > 0
    assert tries.wait("b") == 0
    tries.wrong("b")
    assert tries.wait("c") > 0


# The teacher's page


@pytest.mark.slow
def test_behind_a_token_of_its_own(visitor: httpx.Client, gateway: Running, room: Made):
    """A student's token, a wrong one and a token in the address open nothing; the teacher's is in no address."""
    for token in (room.people[0][1], "ttclass-wrong", ""):
        page = visitor.post("/teacher/in", data={"token": token})
        assert page.status_code == 403
        assert not visitor.cookies
    places = (
        "",
        "/live",
        "/board",
        "/wall",
        "/limits",
        "/person/x",
        "/runs.csv",
        "/results.zip",
        "/small/1/1",
    )
    for where in places:
        asked = visitor.get(f"/teacher{where}", params={"token": room.teacher_token})
        assert asked.status_code == 401
    answer = httpx.post(f"{gateway.origin}/teacher/in", data={"token": room.teacher_token})
    cookie = answer.headers["set-cookie"]
    assert all(word in cookie for word in ("HttpOnly", "SameSite=strict", "Path=/teacher"))
    assert room.teacher_token not in answer.headers["location"]


def test_who_spent_what(teacher: httpx.Client, gateway: Running, room: Made, ledger: Ledger):
    """The page shows each person's runs and their limit, and what went wrong."""
    run_one(gateway, room.people[0][1])
    page = teacher.get("/teacher").text
    row = page[page.index("person-1") :]
    assert re.search(r"1\s*<span class=\"quiet\">of 5", row[: row.index("</tr>")])
    assert room.room.code in page
    assert "script-src 'self'" in teacher.get("/teacher").headers["content-security-policy"]


@pytest.mark.slow
def test_pause_more_revoke_and_renew(teacher: httpx.Client, gateway: Running, room: Made, ledger: Ledger):
    """The buttons do what they say: nobody's run is sent while the class is shut, and a new token takes the old one's
    place.
    """
    person, token = id_of(ledger, room, "person-1"), room.people[0][1]
    press(teacher, "close")
    with pytest.raises(tt.TTAPIError, match="closed"):
        run_one(gateway, token)
    press(teacher, "open")
    press(teacher, "more", person=person)
    assert httpx.get(f"{gateway.url}/me", headers={"TT-API-KEY": token}).json()["left"]["runs"] == 10
    press(teacher, "limits", each="3", room="")
    press(teacher, "pause", person=person)
    assert httpx.get(f"{gateway.url}/me", headers={"TT-API-KEY": token}).json()["paused"] is True
    press(teacher, "resume", person=person)
    page = press(teacher, "renew", person=person)
    found = re.search(r'id="token">([^<]+)<', page.text)
    assert found is not None
    assert run_one(gateway, found[1]).results
    with pytest.raises(tt.AuthenticationError):
        run_one(gateway, token)
    press(teacher, "revoke", person=person)
    with pytest.raises(tt.AuthenticationError):
        run_one(gateway, found[1])


@pytest.mark.slow
def test_limits_and_prices_are_set_on_a_page(
    teacher: httpx.Client, gateway: Running, room: Made, ledger: Ledger
):
    """Limits of every kind for each person and the room are typed in and hold; earlier runs are priced; words that are
    no number lose nothing that was typed.
    """
    run_one(gateway, room.people[0][1])
    page = teacher.get("/teacher/limits").text
    typed = {
        "csrf": csrf(page), "runs-each": "5", "images-each": "", "tokens-each": "", "cost-each": "0.30",
        "runs-room": "9", "tokens-room": "5,000", "prices": "gpt-image-1.5 = 0.2\r\ngpt-image-1.5, 1024x1024 = 0.25",
        "currency": "EUR", "tokens": "100",
    }  # fmt: skip
    wrong = teacher.post("/teacher/limits", data=typed | {"runs-room": "many"})
    assert wrong.status_code == 400
    assert 'value="many"' in wrong.text
    assert "0.25" in wrong.text
    assert "--prices" in teacher.post("/teacher/limits", data=typed | {"prices": ""}).text
    for line, told in (("gpt-image-1 = much", "gpt-image-1 = much"), ("a = 1\na = 2", "twice: a")):
        assert told in html.unescape(teacher.post("/teacher/limits", data=typed | {"prices": line}).text)
    assert teacher.post("/teacher/limits", data=typed | {"csrf": "0" * 64}).status_code == 400
    assert ledger.report(room.room)["limits"] == {"each": {"runs": 5}, "team": {}, "room": {}}
    desk = teacher.post("/teacher/limits", data=typed).text
    report = ledger.report(ledger.classes.named("bowls"))
    assert report["limits"]["each"] == {"runs": 5, "cost": 0.3}
    assert report["limits"]["room"] == {"runs": 9, "tokens": 5000}
    assert report["spent"]["cost"] == 0.25
    assert re.search(r"0\.25\s*<span class=\"quiet\">of 0\.30", desk)
    with pytest.raises(tt.QuotaError, match=r"0\.3 EUR, 0\.25 EUR spent"):
        run_one(gateway, room.people[0][1])
    person = id_of(ledger, room, "person-1")
    page = teacher.get(f"/teacher/person/{person}").text
    assert 'placeholder="0.3"' in page
    teacher.post(f"/teacher/person/{person}", data={"csrf": csrf(page), "cost-each": "1"})
    assert run_one(gateway, room.people[0][1]).results
    assert teacher.get("/teacher/person/nobody").status_code == 404
    # Their own limit on cost needs the prices, too.
    kept = teacher.post("/teacher/limits", data=typed | {"prices": "", "cost-each": ""})
    assert "person-1" in kept.text
    assert kept.status_code == 400


@pytest.mark.slow
def test_tokens_end_when_the_teacher_says(
    teacher: httpx.Client, gateway: Running, room: Made, ledger: Ledger
):
    """Times are typed in and shown again; once tokens have ended nothing is sent, in words, until that is undone."""
    page = teacher.get("/teacher/limits").text
    typed = {"csrf": csrf(page), "runs-each": "5", "opens": "", "closes": "2046-05-01T12:30"}
    teacher.post("/teacher/limits", data=typed | {"tokens_until": "2026-01-01T10:00"})
    assert re.search(r'name="closes" value="2046-05-01T12:30"', teacher.get("/teacher/limits").text)
    with pytest.raises(tt.AuthenticationError, match="not valid any more"):
        run_one(gateway, room.people[0][1])
    assert teacher.post("/teacher/limits", data=typed | {"tokens_until": "soon"}).status_code == 400
    teacher.post("/teacher/limits", data=typed | {"tokens_until": ""})
    assert run_one(gateway, room.people[0][1]).results


@pytest.mark.slow
def test_the_service_is_told_who_asks_where_the_teacher_says_so(
    teacher: httpx.Client, room: Made, ledger: Ledger
):
    """A button turns it on, and off."""
    for what, on in (("identifier", True), ("no-identifier", False)):
        assert teacher.get("/teacher/limits").text.count(f'value="{what}"') == 1
        press(teacher, what)
        assert ledger.classes.named("bowls").terms.safety_identifier is on


def test_a_sheet_of_tokens(teacher: httpx.Client, gateway: Running, room: Made):
    """A sheet for the class has a new token for each, and says that it is shown once."""
    page = press(teacher, "sheet").text
    tokens = re.findall(r'<code class="key">([^<]+)</code>', page)
    assert len(tokens) == 2
    assert not {token for _, token in room.people} & set(tokens)
    assert run_one(gateway, tokens[1]).results


def test_two_teachers_at_once(teacher: httpx.Client, room: Made, ledger: Ledger):
    """A form that shows what somebody has changed since is not saved, says so, and is once more; on every page."""
    own = f"/teacher/person/{id_of(ledger, room, 'person-1')}"
    for path, more in (("/teacher", {"do": "limits"}), ("/teacher/limits", {}), (own, {})):
        page = teacher.get(path).text
        where = "/teacher/do" if more else path
        fields = {"csrf": csrf(page), "seen": seen_in(page), "each": "6", "runs-each": "6", "room": ""} | more
        other = fields | {"each": "7", "runs-each": "7"}
        assert "Somebody else" not in teacher.post(where, data=other).text
        late = teacher.post(where, data=fields)
        assert (late.status_code, "Somebody else changed this" in late.text) == (400, True)
        assert "Somebody else" not in teacher.post(where, data=fields | {"seen": seen_in(late.text)}).text
    assert ledger.classes.named("bowls").terms.each.runs == 6


@pytest.mark.slow
@pytest.mark.parametrize("forged", ["no csrf", "wrong csrf", "other site", "json", "too long"])
def test_forms_of_others_do_nothing(teacher: httpx.Client, room: Made, ledger: Ledger, forged: str):
    """What another page sends with the teacher's cookie changes nothing."""
    fields = {"csrf": csrf(teacher.get("/teacher").text), "do": "close"}
    headers = {}
    if forged == "no csrf":
        del fields["csrf"]
    elif forged == "wrong csrf":
        fields["csrf"] = "0" * 64
    elif forged == "other site":
        headers["Sec-Fetch-Site"] = "cross-site"
    elif forged == "too long":
        fields["more"] = "x" * 20_000
    if forged == "json":
        answer = teacher.post("/teacher/do", json=fields)
    else:
        answer = teacher.post("/teacher/do", data=fields, headers=headers)
    assert answer.status_code == 400
    assert "too old" in answer.text
    assert ledger.classes.named("bowls").open


@pytest.mark.slow
def test_nothing_of_another_class(teacher: httpx.Client, gateway: Running, room: Made, ledger: Ledger):
    """A teacher changes nobody, and sees no result, of a class that is not theirs."""
    other = ledger.classes.make("plates", 1, Terms(each=Limits(runs=5)))
    run_one(gateway, other.people[0][1])
    person = id_of(ledger, other, "person-1")
    for what in ("revoke", "pause", "renew", "more"):
        assert press(teacher, what, person=person).status_code == 400
    assert teacher.get(f"/teacher/person/{person}").status_code == 404
    own = {"csrf": csrf(teacher.get("/teacher").text), "runs-each": "9"}
    assert teacher.post(f"/teacher/person/{person}", data=own).status_code == 404
    assert not ledger.classes.people_of(other.room)[0].revoked
    assert not ledger.classes.people_of(other.room)[0].limits
    assert teacher.get("/teacher/small/1/1").status_code == 404
    assert press(teacher, "release", run=1, item=1).status_code == 400
    assert "plates" not in teacher.get("/teacher").text
    assert len(list(csv.DictReader(io.StringIO(teacher.get("/teacher/runs.csv").text)))) == 0


# The wall


@pytest.mark.slow
def test_the_wall_shows_what_was_released(teacher: httpx.Client, gateway: Running, room: Made):
    """A result is hidden until it is released, and gone from the wall once it is removed."""
    run_one(gateway, room.people[0][1], "a teal bowl")
    assert "a teal bowl" not in teacher.get("/teacher/wall").text
    press(teacher, "release", run=1, item=1)
    shown = teacher.get("/teacher/wall").text
    assert "a teal bowl" in shown
    assert "person-1" in shown
    picture = teacher.get("/teacher/small/1/1")
    assert picture.headers["content-type"] == "image/webp"
    with Image.open(io.BytesIO(picture.content)) as image:
        assert image.convert("RGB").getpixel((32, 32)) == pytest.approx((0, 128, 128), abs=4)
    press(teacher, "remove", run=1, item=1)
    assert "a teal bowl" not in teacher.get("/teacher/wall/live").text
    assert teacher.get("/teacher/small/1/2").status_code == 404


@pytest.mark.slow
def test_hostile_words_are_only_words(
    teacher: httpx.Client, visitor: httpx.Client, gateway: Running, room: Made
):
    """A nickname and a prompt of HTML are shown as they were typed, in every page, and CSV starts no formula."""
    joined = visitor.post("/join", data={"code": room.room.code, "name": HOSTILE})
    found = re.search(r'id="token">([^<]+)<', joined.text)
    assert found is not None
    run_one(gateway, found[1], f"=1+1 {HOSTILE}")
    press(teacher, "release", run=1, item=1)
    for page in (joined.text, *(teacher.get(f"/teacher{one}").text for one in ("", "/wall", "/live"))):
        assert HOSTILE not in page
        assert "&lt;script&gt;" in page
    (row,) = csv.DictReader(io.StringIO(teacher.get("/teacher/runs.csv").content.decode("utf-8-sig")))
    assert row["prompt"].startswith("'=")


def test_results_to_take_home(teacher: httpx.Client, gateway: Running, room: Made, tmp_path: Path):
    """The zip has the runs and each result's own pixels, and what made it is read back from its file."""
    run = run_one(gateway, room.people[0][1], "a teal bowl")
    with zipfile.ZipFile(io.BytesIO(teacher.get("/teacher/results.zip").content)) as archive:
        assert set(archive.namelist()) == {"runs.csv", "results/00001-1.png"}
        (tmp_path / "one.png").write_bytes(archive.read("results/00001-1.png"))
    opened = tt.open_result(tmp_path / "one.png")
    assert opened.prompt == "a teal bowl"
    with Image.open(tmp_path / "one.png") as image:
        assert image.tobytes() == run.results[0].raw.tobytes()


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_text_goes_in_without_touching_pixels(format: str):
    """A file with what made it has the pixels of the one before; a kind that can't stays as it is."""
    picture = Image.effect_noise((40, 30), 60).convert("RGB")
    data = encoded(picture, format)
    written, kind = with_text(data, '{"a":1}')
    assert kind in ("png", "jpg", "webp")
    with Image.open(io.BytesIO(written)) as after, Image.open(io.BytesIO(data)) as before:
        assert after.tobytes() == before.tobytes()
        if format == "PNG":
            assert after.info["ttapi_nb"] == '{"a":1}'
