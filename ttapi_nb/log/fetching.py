"""Results that could not be fetched when they were made, fetched again from where they wait."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from .. import loop
from ..download import download
from ..errors import DownloadError, ResultError
from .file import LogFile
from .keeping import keep_fetched
from .memory import Known
from .rows import find, missing

__all__ = ["fetch_again"]

FAILED = (
    "{why} A result's address is good for an hour; try again within that, or run the edit again. One of your own "
    "gateway has to be named: fetch_again(id, fetch_from=['https://…'])."
)
DEFAULT_PORTS = {"https": 443, "http": 80}


def fetch_again(file: LogFile, known: Known | None, run_id: str, trusted: Collection[str]) -> None:
    """As `RunLog.fetch_again`, from addresses that are `trusted` or public."""
    with file.open(write=False) as db:
        find(db, run_id)
        urls = missing(db, run_id)
    came, failures = loop.call(_fetch(urls, trusted)) if urls else ({}, [])
    for number, data in came.items():
        keep_fetched(file, known, run_id, number, data)
    if failures:
        raise ResultError(FAILED.format(why=failures[0]))


async def _fetch(
    urls: Mapping[int, str], trusted: Collection[str]
) -> tuple[dict[int, bytes], list[DownloadError]]:
    """What came of these addresses, by their numbers, without the key; and what went wrong.

    Only https at public addresses is asked, and origins that are `trusted`.
    """

    async def one(url: str) -> bytes | DownloadError:
        try:
            return await download(url, public_only=True, own=_trusted(url, trusted))
        except DownloadError as error:
            return error

    answers = await asyncio.gather(*map(one, urls.values()))
    came = {number: data for number, data in zip(urls, answers, strict=True) if isinstance(data, bytes)}
    return came, [error for error in answers if isinstance(error, DownloadError)]


def _trusted(url: str, trusted: Collection[str]) -> str | None:
    """The one of the trusted origins that an address belongs to."""
    return next((one for one in trusted if _origin(one) == _origin(url)), None)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    try:
        place = urlsplit(url)
        return place.scheme, place.hostname, place.port or DEFAULT_PORTS.get(place.scheme)
    except ValueError:
        return "", None, None
