"""Reading an answer again that was kept as it came."""

from __future__ import annotations

import contextlib
from pathlib import Path

from .. import loop, rawanswers
from ..coding import CodingError, TooLargeError, unpacking
from ..errors import DownloadError, RefusedError, ResultError, UnknownOutcomeError
from .arriving import AnswerReader
from .meaning import interpret
from .responses import ImagesResponse, PartialData, read_response

__all__ = ["drafts_again", "read_again"]

CAP = 500 * 10**6
PIECE = 2**20


def drafts_again(folder: Path, run_id: str) -> tuple[PartialData, ...]:
    """The drafts in the answer that `folder` keeps for a run. Raises `ResultError` where none is kept."""
    drafts: list[PartialData] = []
    with contextlib.suppress(CodingError):
        _read(folder, run_id, AnswerReader(lambda data, index: drafts.append(PartialData(data, index=index))))
    return tuple(drafts)


def _read(folder: Path, run_id: str, reader: AnswerReader) -> int:
    """Have a kept answer read; its status."""
    with rawanswers.opened(folder, run_id) as (status, headers, body):
        unpack = unpacking(headers, CAP)
        with contextlib.suppress(TooLargeError):
            while piece := body.read(PIECE):
                for part in unpack.feed(piece):
                    reader.feed(part)
        # What is missing was missing when it came: perhaps the pictures are whole.
        with contextlib.suppress(CodingError):
            for part in unpack.end():
                reader.feed(part)
    reader.end()
    return status


def read_again(folder: Path, run_id: str) -> ImagesResponse:
    """What is in the answer that `folder` keeps for a run, its addresses not fetched. Raises `ResultError`."""
    reader = AnswerReader()
    try:
        status = _read(folder, run_id, reader)
        # What was kept holds no key.
        plain = interpret(status, reader.parsed(str))
        return loop.call(read_response(plain, offline=False, fetch=_not_yet))
    except ResultError:
        raise
    except (RefusedError, UnknownOutcomeError) as error:
        problem = str(error)
    except Exception as error:  # noqa: BLE001 - what is kept is input, and may bring any reader down
        problem = f"{type(error).__name__}: {error}"
    raise ResultError(
        f"The answer kept in {folder / run_id} still can't be read: {problem}. It is left there."
    )


async def _not_yet(url: str) -> bytes:
    raise DownloadError("It has not been fetched yet: RunLog.fetch_again does that.")
