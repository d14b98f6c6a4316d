"""`Way`: what answers a request; `Call`: how a way is made, for a script."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...rawanswers import RawAnswer
from ...reply.responses import ImagesResponse
from ...request import EditRequest
from ...text import DASHBOARD
from ..forms import Form
from ..key import Secret
from ..told import Told

if TYPE_CHECKING:
    from ..cassette import Recorded

__all__ = ["Call", "Way"]


@dataclass(frozen=True)
class Call:
    """The call that makes a client with a way: the comments above it, the method of `Client` and its arguments."""

    comments: tuple[str, ...]
    method: str = ""
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)


class Way(ABC):
    """What answers. `timeout`: seconds for the whole of a request; `secret`: the key that goes along, if one does."""

    timeout: float = 300.0
    secret: Secret | None = None
    fetch_from: tuple[str, ...] = ()
    """Further places that results may be fetched from."""

    @property
    @abstractmethod
    def offline(self) -> bool:
        """Whether it answers in this process: no key, no network, no bill."""

    @property
    @abstractmethod
    def address(self) -> str:
        """Where requests go, without path or password."""

    @property
    @abstractmethod
    def words(self) -> str:
        """What answers, for whoever is about to run an edit."""

    @property
    def repeated(self) -> bool:
        """Whether it says again what was recorded."""
        return False

    @property
    def cuts(self) -> bool:
        """Whether an edit may take more requests than one without being asked: none is billed, and none recorded."""
        return False

    @property
    def own_host(self) -> bool:
        """Whether it is TTAPI's own address, or answers as that would."""
        return True

    @property
    def recorded(self) -> tuple[Recorded, ...]:
        """What it can be asked, in the order of recording, where it is a recording."""
        return ()

    @property
    def account(self) -> str:
        """Where somebody finds what it has billed, for a sentence."""
        return DASHBOARD

    @abstractmethod
    def shown(self, client: str, form: Form) -> str:
        """The `repr` of a client of this class with this way and form."""

    @abstractmethod
    def call(self, form: Form) -> Call:
        """How a script makes a client with it; nothing secret is in that."""

    def again(self, client: Any, form: Form) -> Callable[[], Any] | None:
        """What makes a client of this class once more in another process, or None where that can't be."""
        return None

    @property
    def stays_here(self) -> str:
        """Why it can't go to another process, for a sentence: "A client that …"."""
        return "has a key, which does not leave this process"

    @abstractmethod
    def load(self) -> None:
        """Load what it needs, for whoever is about to have that done by other threads."""

    @abstractmethod
    async def answer(
        self, request: EditRequest, form: Form, told: Told, raw: RawAnswer | None
    ) -> ImagesResponse:
        """Answer once, the bytes kept in `raw` as they come. Raises `NotSentError`, `RefusedError`,
        `UnknownOutcomeError`, or `NotRecordedError`.
        """

    @abstractmethod
    async def fetch(self, url: str) -> bytes:
        """The bytes of a result behind a URL, fetched without the key. Raises `DownloadError`."""
