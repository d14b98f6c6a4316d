"""A bare client whose call is stopped: dropped before it left, and gone on with and told about after."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading

import pytest
from PIL import Image

from tests.server import PATIENCE, Reply, Server, full_port
from tests.support.interrupts import interrupts
from ttapi_nb import AsyncClient, Client, exiting, loop

KEY = "test-key-0123456789"


def under_way() -> list[exiting.Unfinished]:
    """What Python would wait for."""
    return list(exiting._under_way.values())


def test_a_cancelled_task(server: Server, photo: Image.Image, caplog: pytest.LogCaptureFixture) -> None:
    """An awaited call that is given up after the request has left says so, goes on, and is waited for by Python."""
    answer = server.answer
    assert isinstance(answer, Reply)
    held = server.event()
    server.answer = Reply(200, answer.body, hold=held)
    client = AsyncClient(KEY, base_url=server.url)

    async def gives_up() -> None:
        task = asyncio.ensure_future(client.images.edit(image=photo, prompt="x"))
        await asyncio.to_thread(server.wait_for, 1)
        task.cancel()
        await task

    with caplog.at_level(logging.WARNING), pytest.raises(asyncio.CancelledError) as caught:
        asyncio.run(gives_up())
    (asked,) = under_way()
    assert asked.has_left
    (record,) = [one for one in caplog.records if one.name == "ttapi_nb"]
    assert "may be carried out and billed" in record.getMessage()
    assert record.getMessage() in getattr(caught.value, "__notes__", [record.getMessage()])
    held.set()
    asked.over.result(PATIENCE)
    assert under_way() == []
    assert len(server.posts) == 1


def test_a_task_that_is_cancelled_before_it_leaves(
    photo: Image.Image, caplog: pytest.LogCaptureFixture
) -> None:
    """Given up before there is a line, it is dropped for real and nothing is said."""
    with full_port() as port:
        client = AsyncClient(KEY, base_url=f"http://127.0.0.1:{port}/v1")

        async def gives_up() -> None:
            await asyncio.wait_for(client.images.edit(image=photo, prompt="x"), 0.1)

        with caplog.at_level(logging.WARNING), pytest.raises(TimeoutError):
            asyncio.run(gives_up())
        for one in under_way():
            one.over.result(PATIENCE)
    assert [one for one in caplog.records if one.name == "ttapi_nb"] == []


@interrupts
def test_an_interrupted_call(server: Server, photo: Image.Image, caplog: pytest.LogCaptureFixture) -> None:
    """Ctrl+C in a call that has left raises at once, with a note on the bill."""
    server.answer = Reply(400, hold=server.event())
    main = threading.main_thread().ident
    assert main is not None

    def interrupt() -> None:
        server.wait_for(1)
        signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt) as caught:
        Client(KEY, base_url=server.url).images.edit(image=photo, prompt="x")
    thread.join()
    assert "may be carried out and billed" in caught.value.__notes__[0]
    assert "may be carried out and billed" in caplog.text
    (asked,) = under_way()
    server.let_go()
    asked.over.result(PATIENCE)


def test_what_is_offline_needs_no_word(photo: Image.Image, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody bills what the embedded service makes, so giving that up says nothing."""
    entered, go = threading.Event(), threading.Event()

    def fill(image: Image.Image, *more: object) -> Image.Image:
        entered.set()
        go.wait(PATIENCE)
        return image

    async def gives_up() -> None:
        task = asyncio.ensure_future(AsyncClient.offline(fill=fill).images.edit(image=photo, prompt="x"))
        await asyncio.to_thread(entered.wait, PATIENCE)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(gives_up())
    go.set()
    assert loop.quiet(PATIENCE)
    assert caplog.text == ""
