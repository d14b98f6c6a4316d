"""A slow or broken line to JupyterLab: a port of 127.0.0.1 with another behind it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator

__all__ = ["Proxy", "running_proxy"]


class Proxy:
    """Passes every byte on `seconds` late; `drop()` cuts all connections, and `closed` refuses new ones."""

    def __init__(self, behind: int, loop: asyncio.AbstractEventLoop) -> None:
        self.behind, self.loop = behind, loop
        self.seconds = 0.0
        self.closed = False
        self.port = 0
        self._server: asyncio.Server
        self._writers: set[asyncio.StreamWriter] = set()

    def drop(self) -> None:
        """Cut every connection, and take no other until `closed` is False again."""
        self.closed = True
        asyncio.run_coroutine_threadsafe(self._cut(), self.loop).result(10)

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Cut what is still open and wait until all of it is closed."""
        self._server.close()
        await self._cut()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _cut(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.closed:
            writer.close()
            return
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.behind)
        both = {writer, server_writer}
        self._writers |= both
        # At the end, what is still open is dropped.
        with contextlib.suppress(asyncio.CancelledError, ConnectionError):
            await asyncio.gather(self._pass(reader, server_writer), self._pass(server_reader, writer))
        self._writers -= both
        for one in both:
            one.close()
            with contextlib.suppress(ConnectionError):
                await one.wait_closed()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        writing = asyncio.create_task(self._write(queue, writer))
        data = b"-"
        with contextlib.suppress(ConnectionError):
            while data:
                data = await reader.read(65536)
                queue.put_nowait((self.loop.time() + self.seconds, data))
        if data:
            queue.put_nowait((self.loop.time() + self.seconds, b""))
        await writing

    async def _write(self, queue: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        data = b"-"
        with contextlib.suppress(ConnectionError):
            while data:
                due, data = await queue.get()
                await asyncio.sleep(due - self.loop.time())
                writer.write(data)
                await writer.drain()
        writer.close()


@contextlib.contextmanager
def running_proxy(behind: int) -> Iterator[Proxy]:
    """A proxy with `behind` behind it, in a thread of its own: Playwright runs a loop in this one."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    proxy = Proxy(behind, loop)
    asyncio.run_coroutine_threadsafe(proxy.start(), loop).result(10)
    try:
        yield proxy
    finally:
        asyncio.run_coroutine_threadsafe(proxy.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
