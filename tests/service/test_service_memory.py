"""Requests wait for memory: large pictures are decoded one after another, small ones side by side."""

from __future__ import annotations

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from PIL import Image

from ttapi_nb.picture import open_image
from ttapi_nb.service import Service, app, rules
from ttapi_nb.service.body import Body, Upload
from ttapi_nb.service.memory import DECODING, WORK_MEMORY, Gate, decoding_of


def test_no_more_goes_in_than_there_is_room_for() -> None:
    """Work waits where it would be too much together, and goes in when there is room again."""
    gate, inside, most = Gate(10), list[int](), list[int]()
    lock = threading.Lock()

    def work(weight: int) -> None:
        with gate.room(weight):
            with lock:
                inside.append(weight)
                most.append(sum(inside))
            threading.Event().wait(0.001)
            with lock:
                inside.remove(weight)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, [4, 3, 5, 10, 1, 2, 9, 6, 0] * 10))
    assert len(most) == 90
    assert max(most) <= 10


def test_what_is_too_heavy_goes_alone_and_in_its_turn() -> None:
    """Work that weighs more than all there is gets through, and lighter work behind it does not overtake it."""
    gate, order = Gate(10), list[str]()
    begun = threading.Event()

    def heavy() -> None:
        with gate.room(1000):
            order.append("heavy")

    def light() -> None:
        with gate.room(1):
            order.append("light")

    threads = [threading.Thread(target=heavy), threading.Thread(target=light)]
    with gate.room(1):
        for thread, waiting in zip(threads, (1, 2), strict=True):
            thread.start()
            while len(gate._waiting) < waiting:
                begun.wait(0.001)
        assert order == []
    for thread in threads:
        thread.join(20)
    assert order == ["heavy", "light"]


def test_work_that_fails_leaves_its_room() -> None:
    """After an error there is as much room as before."""
    gate = Gate(10)
    for _ in range(3):
        with pytest.raises(KeyError), gate.room(10):
            raise KeyError
    with gate.room(10):
        pass


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_child_process_does_not_wait_for_work_of_its_parent() -> None:
    """What is inside when a process is copied goes on in the parent alone."""
    gate = Gate(10)
    with gate.room(10):
        child = os.fork()
        if not child:
            try:
                with gate.room(10):
                    os._exit(0)
            finally:
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0


def test_weight_is_told_by_the_heads_of_the_files(as_bytes: Any) -> None:
    """The first picture and the mask count together, the largest other once, and what can't be told as all there is."""
    large, small = (Upload(as_bytes(Image.new("1", size)), None) for size in ((3000, 1000), (100, 100)))
    assert decoding_of(Body({}, (large, small, small), small)) == DECODING * (3_000_000 + 2 * 10_000)
    assert decoding_of(Body({}, (), None)) == 0
    assert decoding_of(Body({}, (Upload(b"no picture", None),), None)) >= WORK_MEMORY


def test_large_pictures_are_decoded_one_after_another(
    monkeypatch: pytest.MonkeyPatch, photo: Image.Image, as_url: Any
) -> None:
    """Where two pictures have no room together, they are never open at once, and all requests are answered."""
    monkeypatch.setattr(app, "work", Gate(DECODING * 256 * 256 + 1000))
    opened, most = list[int](), list[int]()

    def watched(*given: Any, **more: Any) -> Any:
        opened.append(1)
        most.append(len(opened))
        try:
            return open_image(*given, **more)
        finally:
            opened.pop()

    monkeypatch.setattr(rules, "open_image", watched)
    service = Service(fill=lambda image, *_: image)
    body = json.dumps({"prompt": "x", "image": as_url(photo), "size": "256x256"}).encode()

    def ask(_: int) -> int:
        return service.handle(
            "POST", "http://x/v1/images/edits", {"Content-Type": "application/json"}, body
        ).status

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(ask, range(12)))
    assert set(answers) == {200}
    assert set(most) == {1}
