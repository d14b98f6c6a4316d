"""`spool`: a body that is put away while it comes in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

__all__ = ["spool"]

# In bytes: how much of a body is taken at a time.
PIECE = 2**19


async def spool(
    parts: AsyncIterator[bytes], admit: Callable[[int], None], take: Callable[[bytearray], object]
) -> None:
    """Read a body: `take` gets its pieces on threads, one after the other, while the next one comes in.

    `admit` is told of each part's size when it is here, and raises where that is too much.
    """
    held = bytearray()
    writing: asyncio.Future[object] | None = None
    try:
        async for part in parts:
            admit(len(part))
            held += part
            if len(held) >= PIECE:
                if writing is not None:
                    await asyncio.shield(writing)
                writing = asyncio.ensure_future(asyncio.to_thread(take, held))
                held = bytearray()
    finally:
        # Also where it ends otherwise: nobody else may close a file that is written to.
        if writing is not None:
            await asyncio.shield(writing)
    await asyncio.to_thread(take, held)
