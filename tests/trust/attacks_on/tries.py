"""`Tries`: what an attack notes of each thing that it tried, and `attack`, which makes a function one of them."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from PIL import Image

import ttapi_nb as tt
from tests.server import Reply, Server, json_reply, pictures

__all__ = [
    "ATTACKS",
    "KEY",
    "MASK",
    "PHOTO",
    "SMALL",
    "Attack",
    "Tries",
    "attack",
    "client_of",
    "offline",
    "open_modes",
]

KEY = "test-key-0123456789"
PHOTO = Image.effect_noise((64, 64), 60).convert("RGB")
MASK = tt.Mask((64, 64)).rectangle((8, 8, 40, 40))
SMALL: dict[str, Any] = {"model": "dall-e-2", "size": "256x256"}
ANSWERS = json_reply(pictures(Image.new("RGB", (64, 64), "teal")))


@dataclass(frozen=True)
class Try:
    """One thing that was tried."""

    variant: str
    state: Literal["held", "broke", "not run"]
    came: str


class Tries:
    """What came of an attack; `folder` is its own, and empty."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.all: list[Try] = []

    def held(self, variant: object, good: object, came: object) -> None:
        """Note that `came` came of it, which is `good` or is not."""
        self.all.append(Try(str(variant), "held" if good else "broke", str(came)))

    def refused(
        self,
        variant: object,
        work: Callable[[], object],
        kinds: type[BaseException] | tuple[type[BaseException], ...] = tt.TTAPIError,
        says: str = "",
    ) -> None:
        """Note whether `work` is refused by an error of ours, which has the words `says`."""
        try:
            found = work()
        except kinds as error:
            self.held(variant, says in str(error), f"{type(error).__name__}" if says in str(error) else error)
        else:
            self.held(variant, False, f"{found!r:.60}")

    def ours(self, variant: object, work: Callable[[], object]) -> None:
        """Note whether `work` ends, well or by an error of ours; what else it raises ends the attack as broken."""
        try:
            work()
        except tt.TTAPIError as error:
            self.held(variant, True, type(error).__name__)
        else:
            self.held(variant, True, "done")

    def cannot(self, variant: object, why: str) -> None:
        """Note that it can't be tried here."""
        self.all.append(Try(str(variant), "not run", why))

    def place(self, name: str) -> Path:
        """A new folder."""
        made = self.folder / f"{len(list(self.folder.iterdir()))} {name}"
        made.mkdir()
        return made


Attack = Callable[[Tries], None]
ATTACKS: list[tuple[str, str, Attack]] = []
"""What is attacked, how, and the attack."""


def attack(what: str, how: str) -> Callable[[Attack], Attack]:
    """Make a function one of the attacks."""

    def add(made: Attack) -> Attack:
        ATTACKS.append((what, how, made))
        return made

    return add


@contextlib.contextmanager
def environment(**named: str | None) -> Iterator[None]:
    """Other variables while it lasts."""
    before = dict(os.environ)
    for name, value in named.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def unchanged(image: Image.Image, *given: object) -> Image.Image:
    """The least that an engine can do."""
    return image


def offline(fill: Any = unchanged) -> tt.Client:
    """A client of the embedded service, which does next to nothing."""
    return tt.Client.offline(fill=fill)


def client_of(server: Server, **more: Any) -> tt.Client:
    """A client of that server."""
    given: dict[str, Any] = {"base_url": server.url, "timeout": 20.0} | more
    return tt.Client(given.pop("key", KEY), **given)


def held_back(server: Server, body: bytes = ANSWERS.body, **more: Any) -> None:
    """Have the server answer when it is told to."""
    server.answer = Reply(more.pop("status", 200), body, hold=server.event(), **more)


def open_modes(folder: Path) -> list[str]:
    """What in and below it others than the owner could read."""
    return [path.name for path in (folder, *folder.rglob("*")) if stat.S_IMODE(path.lstat().st_mode) & 0o077]
