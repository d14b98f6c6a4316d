"""Marks on their way to the kernel: in order, again where no answer comes, and no longer than that."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.support.scripts import ask

OUTBOX = """
  const sent = (window.sent = []);
  const model = { send: (message, _, buffers) => sent.push([message, [...new Uint8Array(buffers?.[0] ?? 0)]]) };
  window.outbox = it.createOutbox(model);
  window.hand = (points) => {
    const mark = { tool: "brush", points, erase: false };
    window.outbox.hand(mark);
    return mark;
  };
  window.answer = (number, view) => {
    window.outbox.receive({ type: "taken", number, view: view ?? sent[0][0].view });
  };
"""


@pytest.fixture
def outbox(scripts: Page) -> Iterator[Page]:
    """The page with a new outbox, which hands its messages to a list."""
    ask(scripts, "stage/outbox.js", OUTBOX)
    yield scripts
    scripts.evaluate("outbox.stop()")


def numbers(scripts: Page) -> list[int]:
    """The numbers of all marks that were sent so far, in order."""
    return list(scripts.evaluate("sent.map(([message]) => message.number)"))


def test_a_mark_is_one_message(outbox: Page) -> None:
    """A mark goes at once, as the message that the kernel reads, its points as 32-bit numbers beside it."""
    outbox.evaluate("hand([1, 2.5, 3])")
    [[message, data]] = outbox.evaluate("sent")
    first = message.pop("view")
    assert message == {"type": "mark", "number": 1, "tool": "brush", "erase": False}
    assert bytes(data) == struct.pack("<3f", 1, 2.5, 3)
    # Another view's marks have the same numbers, and another name.
    ask(outbox, "stage/outbox.js", OUTBOX)
    outbox.evaluate("hand([1, 2.5, 3])")
    [[message, _]] = outbox.evaluate("sent")
    assert (message["number"], message["view"] == first) == (1, False)


def test_what_is_not_answered_is_sent_again_in_order(outbox: Page) -> None:
    """After two seconds all marks without an answer go again, the oldest first, and then each time twice as late."""
    outbox.evaluate("[1, 2, 3].forEach((x) => hand([x, 0, 1])); answer(2);")
    outbox.clock.run_for(1_999)
    assert numbers(outbox) == [1, 2, 3]
    outbox.clock.run_for(1)
    assert numbers(outbox)[3:] == [1, 3]
    outbox.clock.run_for(3_999)
    assert len(numbers(outbox)) == 5
    outbox.clock.run_for(1)
    assert numbers(outbox)[5:] == [1, 3]
    # 8, 16 and 32 seconds, and then each minute.
    for seconds in (8, 16, 32, 60, 60):
        before = len(numbers(outbox))
        outbox.clock.run_for(seconds * 1000 - 1)
        assert len(numbers(outbox)) == before
        outbox.clock.run_for(1)
        assert numbers(outbox)[before:] == [1, 3]
    messages = outbox.evaluate("sent.map(([message, data]) => JSON.stringify([message, data]))")
    assert len(set(messages)) == 3


def test_an_answer_ends_the_waiting(outbox: Page) -> None:
    """After an answer the others are tried again soon, and when all are answered nothing is sent any more."""
    outbox.evaluate("window.marks = [1, 2].map((x) => hand([x, 0, 1]))")
    outbox.clock.run_for(2_000 + 4_000 + 1_000)
    assert numbers(outbox) == [1, 2] * 3
    outbox.evaluate("answer(1)")
    assert outbox.evaluate("marks.map((mark) => Boolean(mark.taken))") == [True, False]
    outbox.clock.run_for(2_000)
    assert numbers(outbox) == [*[1, 2] * 3, 2]
    outbox.evaluate("answer(2)")
    outbox.clock.run_for(600_000)
    assert len(numbers(outbox)) == 7
    # The next one waits as the first did.
    outbox.evaluate("hand([3, 0, 1])")
    outbox.clock.run_for(2_000)
    assert numbers(outbox)[7:] == [3, 3]


@pytest.mark.parametrize(
    "act", ["answer(1, 'another view')", "outbox.receive({ type: 'other', number: 1 })", "answer(7)"]
)
def test_what_is_no_answer_is_none(outbox: Page, act: str) -> None:
    """An answer to another view, to another number, or another message leaves the mark waiting."""
    outbox.evaluate("hand([1, 0, 1])")
    outbox.evaluate(act)
    outbox.clock.run_for(2_000)
    assert numbers(outbox) == [1, 1]


def test_a_run_comes_after_the_marks(outbox: Page) -> None:
    """A run has its place among the marks, is sent again with them, and pressed twice in vain it is one."""
    outbox.evaluate("hand([1, 0, 1]); outbox.run({ prompt: 'a' }); outbox.run({ prompt: 'a' });")
    outbox.clock.run_for(2_000)
    assert numbers(outbox) == [1, 2, 1, 2]
    message = outbox.evaluate("sent.at(-1)[0]")
    assert message == {"type": "run", "view": message["view"], "number": 2, "prompt": "a"}
    outbox.evaluate("answer(1); answer(2); outbox.run({ prompt: 'a' });")
    assert numbers(outbox)[4:] == [3]


def test_what_is_of_no_use_is_not_sent_again(outbox: Page) -> None:
    """When the view goes, no mark is sent again; the next has the next number."""
    outbox.evaluate("hand([1, 0, 1])")
    outbox.evaluate("outbox.stop()")
    outbox.clock.run_for(600_000)
    assert numbers(outbox) == [1]
    outbox.evaluate("hand([1, 0, 1])")
    assert numbers(outbox) == [1, 2]


def test_another_photo_lets_marks_go_and_waits_for_none(outbox: Page) -> None:
    """With another photo no mark is sent again; the kernel, which never got it, is told the next under another name."""
    outbox.evaluate("hand([1, 0, 1]); outbox.run({ prompt: 'a' });")
    outbox.evaluate("outbox.forget()")
    first, run = outbox.evaluate("[sent[0][0].view, sent.at(-1)[0]]")
    assert run == {"type": "run", "view": run["view"], "number": 1, "prompt": "a"}
    assert run["view"] != first
    outbox.evaluate("hand([2, 0, 1])")
    assert numbers(outbox) == [1, 2, 1, 2]
    outbox.clock.run_for(2_000)
    assert numbers(outbox)[4:] == [1, 2]
