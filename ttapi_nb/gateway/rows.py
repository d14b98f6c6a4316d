"""What is asked of a ledger, and what it says of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from sqlalchemy import Row

from ..log.checks import State

__all__ = ["Asked", "End", "Refused", "Run", "run_of", "word_of"]

Word: TypeAlias = Literal["reserved", "sent", "settled", "unknown", "refused", "not sent", "failed"]


@dataclass(frozen=True)
class Asked:
    """What a request asks for, and which bytes say so: `digest` is of its path, its kind and its body."""

    path: str
    kind: str
    digest: str
    size_in: int
    model: str
    prompt: str
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    """A run of the ledger."""

    number: int
    id: str
    person: str
    state: State
    sent: bool
    gateway: str
    path: str
    kind: str
    digest: str
    status: int | None
    headers: tuple[tuple[str, str], ...]
    problem: str
    started: float

    @property
    def ended(self) -> bool:
        """Whether nothing more becomes of it."""
        return self.state != "open"


@dataclass(frozen=True)
class Refused:
    """Why a run is not admitted: a sentence, the HTTP status, and a name for programs."""

    message: str
    status: int
    code: str


@dataclass(frozen=True)
class End:
    """How a run ended: with which answer, and what came."""

    state: State
    problem: str = ""
    status: int | None = None
    headers: Sequence[tuple[str, str]] = ()
    came: int | None = None
    usage: Mapping[str, int | None] = field(default_factory=dict)


def run_of(row: Row[Any]) -> Run:
    """A run of its row."""
    return Run(
        row.number, row.id, row.person, row.state, bool(row.sent), row.gateway, row.path, row.kind, row.digest,
        row.status, tuple((str(name), str(value)) for name, value in json.loads(row.headers or "[]")),
        row.problem, row.started,
    )  # fmt: skip


def word_of(state: str, sent: object) -> Word:
    """A run's state in the words of a class."""
    if state == "open":
        return "sent" if sent else "reserved"
    return {"done": "settled", "refused": "refused", "not sent": "not sent", "failed": "failed"}.get(
        state, "unknown"
    )  # type: ignore[return-value]  # the words are those above
