"""A picture in memory that is sent with many prompts is copied and encoded once, and never taken for another."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest
from PIL import Image

from tests.server import Server
from ttapi_nb import AsyncClient, open_image
from ttapi_nb.picture import recent, source
from ttapi_nb.picture.saving import encode


def test_the_same_picture_is_opened_once(photo: Image.Image) -> None:
    """As long as what it was opened as is in use, and under the same name."""
    first = open_image(photo)
    assert open_image(photo) is first
    assert open_image(photo, name="other") is not first
    assert open_image(photo.copy()) is not first


@pytest.mark.parametrize("change", ["painted", "noted", "turned"])
def test_a_changed_picture_is_opened_anew(photo: Image.Image, change: str) -> None:
    """Who paints on a picture, or notes something in it, gets what it is now."""
    first = open_image(photo)
    if change == "painted":
        photo.putpixel((3, 5), (1, 2, 3))
    elif change == "noted":
        photo.info["gamma"] = 1.0
    else:
        photo.getexif()[0x0112] = 6
    second = open_image(photo)
    assert second is not first
    if change == "painted":
        assert second.pixels.getpixel((3, 5)) == (1, 2, 3)
    if change == "turned":
        assert second.changes


def test_nothing_is_kept_alive(photo: Image.Image) -> None:
    """What nobody uses any more is let go of."""
    opened = open_image(photo)
    held = next(found for whose, _, found in recent._known if whose() is photo)
    del opened
    gc.collect()
    assert held() is None


@pytest.mark.slow
def test_64_edits_encode_their_picture_once(
    server: Server, photo: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Edits of one picture that are awaited together write its file once, or a few times where they begin at once."""
    encoded: list[str] = []

    def counted(image: Image.Image, format: str, **more: Any) -> bytes:
        encoded.append(format)
        return encode(image, format, **more)

    monkeypatch.setattr(source, "encode", counted)

    async def many() -> None:
        client = AsyncClient("sk-recent-0123456789", base_url=server.url)
        await asyncio.gather(*(client.images.edit(image=photo, prompt=f"{number}") for number in range(64)))

    asyncio.run(many())
    assert len(server.posts) == 64
    # So many are opened at the same time at first.
    assert len(encoded) <= 16
