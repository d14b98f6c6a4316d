"""`Form`: one of the ways in which the service takes a request's body."""

from __future__ import annotations

import base64
import json
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

from ...errors import InvalidRequestError
from ...picture import ImageFile
from ...request import EditRequest
from ..checks import Check

__all__ = ["FORMS", "Body", "Form", "Written"]

FORMS: dict[str, type[Form]] = {}
"""Every form, by what `Client(wire=…)` calls it."""

UNWRITABLE = (
    "A field can't be written down: it holds half of a character, or something else than text, numbers, lists and "
    "dicts. Look at user, model and extra_body."
)


@dataclass(frozen=True)
class Body:
    """A request's body and the content type that goes with it."""

    content_type: str
    data: bytes
    path: str = EditRequest.path
    """Where it goes, behind the base URL."""
    model: str = ""
    """Which model is asked, for what is said of a refusal."""
    streams: bool = False
    """Whether the answer is asked for as a stream."""


@dataclass(frozen=True)
class Form(ABC):
    """How a request is written. The fields of a form are its settings, each one that `Client` takes by that name."""

    name: ClassVar[str]
    """What `Client(wire=…)` calls it."""
    checks: ClassVar[Mapping[str, Check]] = {}
    """For each setting its check."""

    def __init_subclass__(cls) -> None:
        FORMS[cls.name] = cls

    @classmethod
    def made(cls, settings: Mapping[str, Any]) -> Self:
        """The form with those of a client's settings that are its own."""
        return cls(**{item.name: settings[item.name] for item in fields(cls) if item.name in settings})

    def at(self, own_host: bool) -> Form:
        """The form as it is used at TTAPI's own address, or at another, which is a gateway's."""
        return self

    def encode(self, request: EditRequest) -> Body:
        """Write `request`. Raises `InvalidRequestError` where a field can't be written."""
        try:
            return self._words_alone(request) if request.generates else self._encoded(request)
        except (TypeError, ValueError, RecursionError):
            pass
        raise InvalidRequestError([UNWRITABLE])

    @property
    def model_names(self) -> tuple[str, ...]:
        """What the model is called in a body of JSON."""
        return ("model",)

    def _words_alone(self, request: EditRequest) -> Body:
        """A generation: the endpoint takes JSON, whatever an edit is written as."""
        fields = {"prompt": request.prompt} | dict.fromkeys(self.model_names, request.model) | request.body()
        return Body("application/json", json.dumps(fields, allow_nan=False).encode(), request.path)

    @abstractmethod
    def _encoded(self, request: EditRequest) -> Body:
        """The body; raises `TypeError`, `ValueError` or `RecursionError` where a field can't be written."""

    def problems(self, request: EditRequest) -> Iterator[str]:
        """What it can't carry, as sentences."""
        try:
            # As it is read again: half a character can be written in JSON, and not in a form or a log.
            body = request.body() | {"model": request.model}
            json.dumps(body, allow_nan=False, ensure_ascii=False).encode()
            plain = all(isinstance(name, str) for name in request.extra_body)
        except (TypeError, ValueError, RecursionError):
            plain = False
        # A broken prompt has a sentence of its own.
        if not plain and _is_whole_text(request.prompt):
            yield UNWRITABLE

    @property
    def arguments(self) -> dict[str, Any]:
        """What `Client` is given for it, without what is so when it is left out."""
        named = {} if self.name == "json" else {"wire": self.name}
        set_here = {item.name: getattr(self, item.name) for item in fields(self) if item.name in self.checks}
        usual = {item.name: item.default for item in fields(self)}
        return named | {name: value for name, value in set_here.items() if value != usual[name]}


class Written:
    """JSON with files in it, which are put where they belong as bytes: through JSON's own writer a large picture costs
    as much again.
    """

    def __init__(self) -> None:
        # Nobody else's text can have this in it.
        self._mark = uuid.uuid4().hex
        self._files: list[tuple[str, bytes]] = []

    def base64(self, file: ImageFile, *, is_url: bool = True) -> str:
        """What stands for a file: a data URL, or its base64 alone."""
        self._files.append((f"data:{file.mime};base64," if is_url else "", file.data))
        return f"{self._mark}{len(self._files) - 1}."

    def json(self, fields: Mapping[str, Any]) -> bytes:
        """The whole. Raises what JSON's own writer does."""
        text = json.dumps(fields, allow_nan=False)
        first, *others = text.split(self._mark)
        parts: list[bytes] = [first.encode()]
        for one in others:
            number, _, rest = one.partition(".")
            head, data = self._files[int(number)]
            parts += [head.encode(), base64.b64encode(data), rest.encode()]
        return b"".join(parts)


def _is_whole_text(prompt: object) -> bool:
    return isinstance(prompt, str) and not any("\ud800" <= letter <= "\udfff" for letter in prompt)
