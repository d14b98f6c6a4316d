"""A reply is read as it arrives: whatever its pieces, the same comes out, in little more memory than its pictures."""

from __future__ import annotations

import base64
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.properties import examples
from ttapi_nb.errors import DownloadError
from ttapi_nb.loop import call
from ttapi_nb.reply.meaning import parse
from ttapi_nb.reply.reading import LEAST, MOST_PICTURES, ReplyReader
from ttapi_nb.reply.responses import read_response

PICTURE = bytes(range(256)) * 40
LONG = base64.b64encode(PICTURE).decode()
assert len(LONG) > LEAST


def read(reply: bytes, size: int = 0) -> dict[str, Any] | None:
    """What a reply means that comes in pieces of so many bytes, at once where that is 0."""
    reader = ReplyReader()
    for start in range(0, len(reply), size or len(reply)):
        reader.feed(reply[start : start + (size or len(reply))])
    return parse(reader.text, str, reader.pictures)


def results(parsed: dict[str, Any] | None) -> list[tuple[bytes | None, str]] | None:
    """The bytes and problems of a parsed reply's results."""

    async def no(url: str) -> bytes:
        raise DownloadError(url)

    if parsed is None or not isinstance(parsed.get("data"), list):
        return None
    response = call(read_response(parsed, offline=False, fetch=no))
    return [(item.data, item.problem) for item in response.data]


def of(text: str) -> bytes:
    """A reply with one result, whose base64 is written so: as it stands between the quotation marks."""
    return (
        b'{"data": [{"b64_json": "' + text.encode("utf-8", "surrogateescape") + b'", "x": 1}], "created": 3}'
    )


# As a service may write a long picture, and what is wrong with it.
WRITTEN = {
    "plain": LONG,
    "with a prefix": f"data:image/png;base64,{LONG}",
    "with two": f"{LONG}base64,{LONG}",
    "with escaped slashes": LONG.replace("/", "\\/"),
    "with escaped letters": LONG.replace("+", "\\u002b"),
    "with a line break": f"{LONG[:5000]}\\n{LONG[5000:]}",
    "with a bare line break": f"{LONG[:5000]}\n{LONG[5000:]}",
    "with one before a prefix": f"\n{LONG}base64,{LONG}",
    "with one at its end": f"{LONG}\n",
    "with tabs and spaces": f"{LONG[:4999]}\\t  {LONG[4999:]} \\r\\n",
    "in the alphabet for URLs": LONG.replace("+", "-").replace("/", "_"),
    "without padding": LONG.rstrip("="),
    "with a prefix and a line break": f"data:image/png;base64,\\n{LONG[:77]}\\n{LONG[77:]}",
    "with a letter that is none": f"{LONG[:5000]}*{LONG[5000:]}",
    "with a letter of two bytes": f"{LONG[:5000]}é{LONG[5000:]}",
    "with half a letter": f"{LONG[:5000]}\udcff{LONG[5000:]}",
    "with an end in the middle": f"{LONG[:5000]}===={LONG[5000:]}",
    "with a piece after its end": f"{LONG[:9996]}AA=={LONG}",
    "one letter short": LONG[:-1],
    "one letter long": f"{LONG}A",
    "with a backslash": f"{LONG}\\\\",
    "with a backslash and a slash": f"{LONG}\\\\/{LONG}",
    "with a quotation mark": f'{LONG}\\"{LONG}',
    "with an escape that is none": f"{LONG}\\q{LONG}",
    "with a number that is none": f"{LONG}\\u00zz{LONG}",
    "with a number that has no end": f"{LONG}\\u00",
    "short, with a number that is none": "AAAA\\u00zzAAAA",
    "short": "AAAA",
    "nothing": "",
    "a prefix alone": "data:image/png;base64,",
}


@pytest.mark.parametrize("how", WRITTEN)
@pytest.mark.parametrize("size", [0, 1, 7, 4096])
def test_pieces_change_nothing(how: str, size: int) -> None:
    """A picture that is decoded on the way is what it would be if it were kept and decoded at the end."""
    reply = of(WRITTEN[how])
    assert results(read(reply, size)) == results(parse(reply, str))


def test_each_way_is_what_its_name_says() -> None:
    """Line breaks, missing padding and another alphabet cost no picture; other faults cost one, not the reply."""
    found = {how: results(read(of(text))) for how, text in WRITTEN.items()}
    whole = {how for how, result in found.items() if result == [(PICTURE, "")]}
    assert whole == {
        "plain",
        "with a prefix",
        "with two",
        "with escaped slashes",
        "with escaped letters",
        "with a line break",
        "with a bare line break",
        "with one before a prefix",
        "with one at its end",
        "with tabs and spaces",
        "in the alphabet for URLs",
        "without padding",
        "with a prefix and a line break",
        "one letter short",
    }
    damaged = {how for how, result in found.items() if result and "damaged" in result[0][1]}
    assert damaged == set(WRITTEN) - whole - {"nothing", "short"}


def test_what_is_no_picture_stays_text() -> None:
    """A long prompt, a name that only looks like it, and a word that stood for a picture are left as they are."""
    reader = ReplyReader()
    reader.feed(of(LONG))
    (word,) = reader.pictures
    reply = {
        "data": [{"b64_json": word, "revised_prompt": LONG}, {'a"b64_json': LONG, "b64_json": LONG}],
        "message": f'", "b64_json": "{LONG}',
    }
    body = json.dumps(reply).encode()
    for size in (0, 1, 4096):
        found = read(body, size)
        assert found is not None
        assert found["message"] == reply["message"]
        assert found["data"][0] == reply["data"][0]
        assert found["data"][1] == {'a"b64_json': LONG, "b64_json": PICTURE}


def test_a_word_is_another_each_time() -> None:
    """Nobody who writes a reply knows which word stands for a picture."""
    words = set()
    for _ in range(3):
        reader = ReplyReader()
        reader.feed(of(LONG))
        words |= set(reader.pictures)
        assert all(len(word) >= 32 and word.encode() in reader.text for word in reader.pictures)
    assert len(words) == 3


def test_more_pictures_than_any_reply_has() -> None:
    """What a hostile service may send by the million costs no time: the rest stays text, and means the same."""
    count = MOST_PICTURES + 3
    reply = json.dumps({"data": count * [{"b64_json": LONG}]}).encode()
    reader = ReplyReader()
    reader.feed(reply)
    assert len(reader.pictures) == MOST_PICTURES
    assert results(read(reply, 4096)) == count * [(PICTURE, "")]


def test_an_escape_that_is_none_costs_one_picture() -> None:
    """What is wrong in one picture is said of it, and those beside it are read, whatever the pieces."""
    items = [f'{{"b64_json": "{text}"}}' for text in (LONG, f"{LONG}\\u00zz{LONG}", f"{LONG}\\q", LONG)]
    reply = f'{{"data": [{", ".join(items)}]}}'.encode()
    for size in (0, 1, 4096):
        found = results(read(reply, size))
        assert found is not None
        assert [data for data, problem in found] == [PICTURE, None, None, PICTURE]
        assert all("damaged" in problem for data, problem in found if data is None)


LETTERS = st.text(st.sampled_from('AZaz09+/=,:{}[]"\\un b64_json\n\x7fé'), max_size=30)


@given(
    pieces=st.lists(
        st.one_of(LETTERS, st.just(LONG), st.just("base64,"), st.just('"b64_json": "')), max_size=6
    ),
    size=st.integers(1, 9000),
    escaped=st.booleans(),
)
@example(pieces=[LONG, "\\"], size=1, escaped=False)
@examples(150)
def test_any_text_in_any_pieces(pieces: list[str], size: int, escaped: bool) -> None:
    """Whatever stands in it, valid or not, a reply means the same in pieces and whole, and costs no error."""
    text = "".join(pieces)
    reply = of(json.dumps(text)[1:-1] if escaped else text)
    assert results(read(reply, size)) == results(parse(reply, str))


def test_memory_is_little_more_than_the_pictures() -> None:
    """Ten results of a megabyte each take at most 1.5 times their bytes while they are read, with what is read."""
    data = bytes(range(256)) * 4096
    start, end = b'{"data": [', b'], "created": 3}'
    encoded = b'{"b64_json": "' + base64.b64encode(data) + b'"}'
    tracemalloc.start()
    try:
        reader = ReplyReader()
        reader.feed(start)
        for number in range(10):
            for at in range(0, len(encoded), 65_536):
                reader.feed(encoded[at : at + 65_536])
            reader.feed(b"," if number < 9 else end)
        parsed = parse(reader.text, str, reader.pictures)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    found = results(parsed)
    assert found == 10 * [(data, "")]
    assert peak < 1.5 * 10 * len(data)
