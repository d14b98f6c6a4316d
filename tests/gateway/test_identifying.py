"""The service is told whose request it is where the teacher turns that on, and nothing else of a body changes."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

import ttapi_nb as tt
from tests.server import Request, Server, encoded, json_reply, pictures
from tests.support.gateways import Running, headers, plain_client, running
from ttapi_nb.gateway.changing import change_terms
from ttapi_nb.gateway.classes import Made, Person
from ttapi_nb.gateway.identifying import identify
from ttapi_nb.gateway.ledger import Ledger
from ttapi_nb.gateway.reading import EDITS, BodyReader, UnreadableError
from ttapi_nb.gateway.storing import Store
from ttapi_nb.gateway.terms import Terms

FIELD = "safety_identifier"
WORD = "0123456789abcdef" * 4
PICTURE = "data:image/png;base64," + "A" * 900_000
FORM = "multipart/form-data; boundary=b"


def with_word(folder: Path, body: bytes, kind: str = "application/json") -> bytes:
    """The body as the service gets it, with the word for a person."""
    store = Store(folder)
    path, file = store.new_body()
    reader = BodyReader(EDITS, kind)
    with file:
        file.write(body)
    for at in range(0, len(body), 70_001):
        reader.feed(body[at : at + 70_001])
    reader.asked()
    identify(reader, store, path, WORD)
    assert list(store.bodies.iterdir()) == [path]
    found = path.read_bytes()
    path.unlink()
    return found


@pytest.mark.parametrize(
    "body",
    [
        '{"prompt": "a bowl", "image": ["%s"]}',
        ' \n{ "image":"%s","prompt":"\\u00e9 \\" }", "extra":{"safety_identifier":"not mine"}} \n',
        '{"images": [{"image_url": "%s"}], "prompt": "é", "n": 2.0e0}'.replace("2.0e0", "2"),
        '{"safety": ["safety_identifier"], "image": "%s"}',
    ],
)
def test_json_gets_one_field_more(tmp_path: Path, body: str) -> None:
    """The field is there with the person's word, and without it the body is what was sent, byte for byte."""
    sent = (body % PICTURE).encode()
    found = with_word(tmp_path, sent)
    assert json.loads(found) == {FIELD: WORD} | json.loads(sent)
    put = f'"{FIELD}":"{WORD}",'.encode()
    assert found.count(put) == 1
    assert found.replace(put, b"") == sent


def test_an_empty_object_stays_json(tmp_path: Path) -> None:
    """No comma is left over where there is no other field."""
    assert json.loads(with_word(tmp_path, b" { } ")) == {FIELD: WORD}


@pytest.mark.parametrize("value", ['"mine"', "null", '{"a": ["b", 2]}', '""', "12", '"%s"' % ("x" * 500_000)])
@pytest.mark.parametrize("name", [FIELD, "safety_\\u0069dentifier"])
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_what_json_says_itself_gives_way(tmp_path: Path, value: str, name: str, place: str) -> None:
    """Whatever a client says there of itself, the service gets the person's word, once, and the rest as it was."""
    parts = ['"prompt" : "p"', f'"image":[ "{PICTURE}" ]', '"n": 2']
    parts.insert({"first": 0, "middle": 2, "last": 3}[place], f'"{name}" : {value}')
    sent = "{" + " , ".join(parts) + "}"
    found = with_word(tmp_path, sent.encode()).decode()
    assert found == sent.replace(f'"{name}" : {value}', f'"{name}" : "{WORD}"')


def form(*parts: tuple[str, bytes], before: bytes = b"", after: bytes = b"\r\n") -> bytes:
    """A multipart body of parts, each with what stands behind its Content-Disposition."""
    lines = [
        b"--b\r\nContent-Disposition: form-data; " + head.encode() + b"\r\n\r\n" + data
        for head, data in parts
    ]
    return before + b"\r\n".join([*lines, b"--b--" + after])


FILE = 'name="image[]"; filename="a.png"\r\nContent-Type: image/png', b"\r\n--c\r\n\0\r\n\r\n--bogus" * 9000
OWN = f'name="{FIELD}"', WORD.encode()


@pytest.mark.parametrize("before", [b"", b"\r\n"])
@pytest.mark.parametrize("after", [b"\r\n", b"", b"\r\nmore"])
def test_a_form_gets_one_part_more(tmp_path: Path, before: bytes, after: bytes) -> None:
    """The part is there with the person's word, before all others, which are as they were."""
    parts = (FILE, ('name="prompt"', b"a bowl"), ('name="user"', b""))
    sent = form(*parts, before=before, after=after)
    assert with_word(tmp_path, sent, FORM) == form(OWN, *parts, before=before, after=after)


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize(
    "own",
    [
        (f'name="{FIELD}"', b"mine"),
        (f'name="{FIELD}"', b""),
        (f'name="{FIELD}"; filename="x"\r\nContent-Type: text/plain', b"mine" * 100_000),
    ],
)
def test_what_a_form_says_itself_gives_way(tmp_path: Path, own: tuple[str, bytes], place: int) -> None:
    """A client's own part gives way to the person's, in its place, however it is written."""
    parts = [FILE, ('name="prompt"', b"a bowl")]
    theirs, ours = [*parts], [*parts]
    theirs.insert(place, own)
    ours.insert(place, OWN)
    assert with_word(tmp_path, form(*theirs), FORM) == form(*ours)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"Safety_Identifier": "x"}', "application/json"),
        (b'{" safety_identifier": "x"}', "application/json"),
        (form(('name="SAFETY_IDENTIFIER"', b"x")), FORM),
        (form(OWN, (f'name="{FIELD}"; filename="y"', b"y")), FORM),
    ],
    ids=["capitals", "a space", "capitals in a form", "twice"],
)
def test_what_could_hide_another_word_is_refused(tmp_path: Path, body: bytes, kind: str) -> None:
    """A field that another reader might take for the person's is refused in words, before anything is sent."""
    with pytest.raises(UnreadableError, match="your class says who asks"):
        with_word(tmp_path, body, kind)


def test_many_bodies_keep_their_bytes(tmp_path: Path) -> None:
    """Of fields in any order, with or without one of that name, all others come out as they went in."""
    chance = random.Random(0)
    for _ in range(60):
        contents = (b"", b"\r", b"\r\n", b"--b", b"--b\r\nx", b"\r\n--bX\r\ny", b"\r\n-", b"x" * 300)
        values = [(f'name="f{number}"', chance.choice(contents)) for number in range(chance.randint(0, 5))]
        values.append(('name="last"', b"z"))
        at = chance.randint(0, len(values))
        theirs, ours = ([*values[:at], one, *values[at:]] for one in ((f'name="{FIELD}"', b"mine"), OWN))
        assert with_word(tmp_path, form(*theirs), FORM) == form(*ours)
        assert with_word(tmp_path, form(*values), FORM) == form(OWN, *values)


# Through a gateway


@pytest.fixture
def database() -> None:
    """Nothing here leans on the kind of database."""


@pytest.fixture
def service() -> Iterator[Server]:
    """The service behind."""
    with Server() as server:
        server.answer = json_reply(pictures(Image.new("RGB", (64, 64), "teal")))
        yield server


@pytest.fixture
def room(ledger: Ledger) -> Made:
    """A class of two in which it is turned on."""
    return ledger.classes.make("bowls", 2, Terms(safety_identifier=True))


@pytest.fixture
def gateway(ledger: Ledger, room: Made, service: Server) -> Iterator[Running]:
    """A gateway before the service."""
    with running(ledger, service.url) as found:
        yield found


def people(ledger: Ledger, room: Made) -> list[Person]:
    """Everybody."""
    return ledger.classes.people_of(room.room)


def word_in(request: Request) -> str:
    """What the service hears of the person, once."""
    if (request.get("content-type") or "").startswith("multipart"):
        (found,) = [part.data.decode() for part in request.parts if part.name == FIELD]
        return found
    assert request.body.count(FIELD.encode()) == 1
    return str(request.json[FIELD])


@pytest.mark.dear
@pytest.mark.parametrize("wire", ["json", "multipart", "references"])
def test_each_form_says_who_asks(
    gateway: Running, room: Made, ledger: Ledger, service: Server, wire: Any
) -> None:
    """In every form of body the service reads the same word for a person's runs, another for another's, and no name."""
    for _, token in (*room.people, room.people[0]):
        client = tt.Client(token, base_url=gateway.url, wire=wire)
        assert tt.edit(
            Image.new("RGB", (64, 64)), "a bowl", model="gpt-image-1", client=client, log=False
        ).results
    words = [word_in(request) for request in service.posts]
    ada, bob = people(ledger, room)
    assert words == [ada.identifier, bob.identifier, ada.identifier]
    assert len(set(words)) == 2
    assert all(len(word) == 64 and set(word) <= set("0123456789abcdef") for word in words)
    me = httpx.get(f"{gateway.url}/me", headers=headers(room.people[0][1])).json()
    assert me["safety_identifier"] == ada.identifier
    report = ledger.report(ledger.classes.named("bowls"))
    assert [one["safety_identifier"] for one in report["people"]] == words[:2]


@pytest.mark.slow
def test_nobody_passes_for_another(gateway: Running, room: Made, ledger: Ledger, service: Server) -> None:
    """What the openai package is told to say of a person is not what the service hears, and the run is made."""
    import openai

    ada, bob = people(ledger, room)
    with openai.OpenAI(base_url=gateway.url, api_key=room.people[0][1]) as client:
        picture = ("a.png", encoded(Image.new("RGB", (64, 64))), "image/png")
        extra = {FIELD: bob.identifier}
        client.images.edit(model="gpt-image-1", image=picture, prompt="a bowl", extra_body=extra)
        client.images.generate(model="gpt-image-1", prompt="a bowl", extra_body=extra)
    assert [word_in(request) for request in service.posts] == [ada.identifier] * 2


def test_it_is_turned_off_in_the_lesson(
    gateway: Running, room: Made, ledger: Ledger, service: Server
) -> None:
    """Turned off, bodies go on byte for byte; asked again under its key, a run is the same one on either side."""
    body = b'{ "prompt": "a bowl", "image": ["aGk="], "safety_identifier": "mine"}'
    given = headers(room.people[0][1], Content_Type="application/json", Idempotency_Key="run-1")
    with plain_client() as client:
        url = f"{gateway.url}/images/edits"
        assert client.post(url, content=body, headers=given).status_code == 200
        change_terms(ledger.database, room.room.id, lambda terms: replace(terms, safety_identifier=False))
        assert client.post(url, content=body, headers=given).status_code == 200
        assert len(service.posts) == 1
        assert client.post(url, content=body, headers=given | {"Idempotency-Key": "run-2"}).status_code == 200
    assert service.posts[1].body == body
    assert FIELD in service.posts[0].json
    assert service.posts[0].body != body
