"""What a request asks for: read from its body as it comes, which goes on to the service byte for byte.

The ledger reckons with what is read here, and the service acts on what it reads itself. So whatever two readers could
take in two ways is refused: a field that stands there twice, or in other letters.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeAlias

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from ..models import PARTIALS_MAX
from .runs import Asked
from .skimming import Skimmer
from .splicing import Splice, into_form, into_json

__all__ = ["EDITS", "GENERATIONS", "IDENTIFIER", "BodyReader", "UnreadableError", "Wire"]

EDITS, GENERATIONS = "/v1/images/edits", "/v1/images/generations"
IDENTIFIER = "safety_identifier"
"""The field that tells the service who is at the other end, by a word that names nobody."""
Wire: TypeAlias = Literal["json", "multipart", "references"]

# In bytes. A prompt has at most 32,000 letters, each of them 12 bytes where it is escaped; what is longer is a picture.
LONGEST_TEXT = 400_000
MOST_TEXT = 8_000_000
LONGEST_PROMPT = 32_000
MOST_RESULTS = 10
# What a run's price and its limits depend on.
RECKONED = ("model", "mode", "n", "size", "quality", "prompt", "partial_images")
# What is written down of the options besides, for the teacher's list.
KEPT = (
    "size",
    "quality",
    "n",
    "output_format",
    "background",
    "style",
    "stream",
    "partial_images",
    "input_fidelity",
)
LONGEST_OPTION = 100
NAMES = re.compile(r"(?:^|;)\s*name\*?\s*=", re.IGNORECASE)
PLAIN_CODINGS = (b"", b"7bit", b"8bit", b"binary")
JSON, FORM = "application/json", "multipart/form-data"


class UnreadableError(Exception):
    """Why a body is refused, in a sentence."""


class BodyReader:
    """Takes a body piece by piece; `asked` tells at the end what it asks for. Raises `UnreadableError`."""

    def __init__(self, path: str, kind: str) -> None:
        self._path, self._kind = path, kind
        self._size = 0
        # The same run under the same key: to the same address, read in the same way, the same bytes.
        self._digest = hashlib.sha256(f"{path}\n{kind}\n".encode())
        base = kind.split(";", 1)[0].strip().lower()
        self._skimmer = Skimmer(LONGEST_TEXT, MOST_TEXT) if base == JSON else None
        self._form = _Form(kind) if base == FORM else None
        if self._skimmer is None and self._form is None:
            raise UnreadableError(
                "The Content-Type is not known. Send application/json or multipart/form-data."
            )
        charset = parse_options_header(kind)[1].get(b"charset", b"utf-8")
        if charset.lower() not in (b"utf-8", b"utf8", b"us-ascii"):
            raise UnreadableError("The body is not in UTF-8. Send it so.")

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self._size += len(data)
        self._digest.update(data)
        if self._skimmer is not None:
            self._skimmer.feed(data)
        if self._form is not None:
            self._form.feed(data)

    def asked(self) -> tuple[Asked, Wire]:
        """What is asked for, and in which form it is written."""
        fields = self.fields()
        if self._form is not None:
            wire = "multipart"
        else:
            wire = "references" if "images" in fields else "json"
        options = {name: fields[name] for name in KEPT if _is_kept(fields.get(name))}
        options["n"] = 1 if fields.get("n") is None else _count(fields, "n", 1, MOST_RESULTS)
        if fields.get("partial_images") is not None:
            options["partial_images"] = _count(fields, "partial_images", 0, PARTIALS_MAX)
        for name, example in (("size", "1024x1024"), ("quality", "high")):
            if fields.get(name) is not None and not (isinstance(fields[name], str) and name in options):
                raise UnreadableError(f"{name!r} is not a short text. Send it like {example}.")
        prompt = fields.get("prompt")
        asked = Asked(
            self._path,
            self._kind,
            self._digest.hexdigest(),
            self._size,
            _model(fields),
            _storable(prompt) if isinstance(prompt, str) else "",
            options,
        )
        return asked, wire  # type: ignore[return-value]  # the words are those of Wire

    def fields(self) -> dict[str, Any]:
        """All of its fields but a form's files; of pictures that are text, only how they begin."""
        return self._from_json() if self._form is None else self._form.fields()

    def anew(self) -> BodyReader:
        """One for another body of the same kind."""
        return BodyReader(self._path, self._kind)

    def identified(self, path: Path, identifier: str) -> Splice:
        """What makes the body at `path`, which was read, say who asks: whatever it says of that itself gives way."""
        if self._form is not None:
            # Another reader may not tell capitals from small letters.
            names = [name for name, _ in self._form.like(IDENTIFIER)]
        else:
            names = [name for name in self._from_json() if name.strip().casefold() == IDENTIFIER]
        if len(names) > 1 or any(name != IDENTIFIER for name in names):
            raise UnreadableError(
                f"The field {IDENTIFIER!r} is there in another way. Leave it out: your class says who asks."
            )
        if self._form is not None:
            own = next((part for _, part in self._form.like(IDENTIFIER)), None)
            return into_form(path, self._form.boundary, own, IDENTIFIER, identifier)
        if self._skimmer is None:
            raise AssertionError("a body is JSON or a form")
        return into_json(bytes(self._skimmer.text), self._skimmer.place, IDENTIFIER, identifier)

    def _from_json(self) -> dict[str, Any]:
        if self._skimmer is None or self._skimmer.too_much:
            raise UnreadableError("The JSON body holds more than pictures and a prompt. Send less.")
        problem = "The JSON body is nested too deep."
        try:
            parsed = json.loads(
                self._skimmer.text.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number
            )
            if isinstance(parsed, dict):
                return parsed
            problem = "The JSON body must be an object: {...}."
        except UnicodeDecodeError:
            problem = "The body is not in UTF-8. Send it so."
        except ValueError:
            problem = "The body is not valid JSON."
        except RecursionError:
            pass
        raise UnreadableError(problem)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in pairs:
        _check_name(name, fields)
        fields[name] = value
    return fields


def _check_name(name: str, fields: dict[str, Any]) -> None:
    plain = name.strip().casefold()
    if name in fields:
        raise UnreadableError(f"The field {name[:40]!r} is there twice. Send it once.")
    # Some services do not tell capitals from small letters.
    if plain != name and plain in RECKONED:
        raise UnreadableError(f"The field {name[:40]!r} is written in another way. Write it {plain!r}.")


def _no_number(name: str) -> NoReturn:
    raise UnreadableError(f"{name} is no number of JSON.")


def _is_kept(value: object) -> bool:
    return isinstance(value, str | int | float | bool) and len(str(value)) <= LONGEST_OPTION


def _storable(text: str) -> str:
    """Text as every database takes it: no half characters, no zeros."""
    return text[:LONGEST_PROMPT].encode(errors="replace").decode().replace("\0", "")


def _count(fields: dict[str, Any], name: str, least: int, most: int) -> int:
    value = fields[name]
    if isinstance(value, str) and re.fullmatch("[0-9]{1,2}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise UnreadableError(f"{name!r} is not a whole number from {least} to {most}. Change it.")
    return value


def _model(fields: dict[str, Any]) -> str:
    named = [fields[name] for name in ("model", "mode") if fields.get(name) is not None]
    if any(not isinstance(one, str) or len(one) > LONGEST_OPTION for one in named):
        raise UnreadableError("The model's name is not text. Send it like gpt-image-1.")
    if len(set(named)) > 1:
        raise UnreadableError("'model' and 'mode' name two models. Name one.")
    return _storable(named[0]) if named else ""


class _Form:
    """A multipart form as it comes: its fields are kept, its files are not."""

    def __init__(self, kind: str) -> None:
        boundary = parse_options_header(kind)[1].get(b"boundary")
        if not boundary or kind.lower().count("boundary=") != 1:
            raise UnreadableError(
                "The Content-Type lacks the multipart boundary. Let the HTTP library write it."
            )
        self.boundary: bytes = boundary
        self._fields: dict[str, Any] = {}
        self._parts: list[str] = []
        self._headers: dict[bytes, bytes] = {}
        self._name, self._value, self._content = bytearray(), bytearray(), bytearray()
        self._field, self._is_file = "", False
        self._kept = 0
        self._ended = False
        calls: dict[str, Callable[..., None]] = {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._name.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._header,
            "on_headers_finished": self._headed,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._over,
        }
        self._parser = MultipartParser(boundary, calls)  # type: ignore[arg-type]  # its own names of these calls

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        try:
            self._parser.write(data)
            return
        except FormParserError:
            pass
        raise UnreadableError("The multipart body is broken. Let the HTTP library write it.")

    def fields(self) -> dict[str, Any]:
        """The fields, once all of it is here."""
        if not self._ended:
            raise UnreadableError("The multipart body is broken or cut off. Let the HTTP library write it.")
        return self._fields

    def like(self, name: str) -> list[tuple[str, int]]:
        """The parts whose name may be taken for this one, as it is written, and their numbers from 0."""
        return [(one, at) for at, one in enumerate(self._parts) if one.strip().casefold() == name]

    def _begin(self) -> None:
        self._headers.clear()
        self._content.clear()

    def _header(self) -> None:
        name = bytes(self._name).strip().lower()
        if name in self._headers:
            raise UnreadableError("A part of the multipart body has a header twice. Send it once.")
        self._headers[name] = bytes(self._value)
        self._name.clear()
        self._value.clear()

    def _headed(self) -> None:
        disposition = self._headers.get(b"content-disposition", b"").decode("utf-8", "replace")
        options = parse_options_header(disposition)[1]
        field = options.get(b"name", b"").decode("utf-8", "replace")
        if len(NAMES.findall(disposition)) != 1 or not field:
            raise UnreadableError(
                "A part of the multipart body has not one name. Let the HTTP library write it."
            )
        if self._headers.get(b"content-transfer-encoding", b"").strip().lower() not in PLAIN_CODINGS:
            raise UnreadableError("A part of the multipart body is encoded. Send it as it is.")
        self._count(len(disposition) + 1)
        self._parts.append(field)
        self._field, self._is_file = field, b"filename" in options or "filename" in disposition.lower()
        plain = field.strip().casefold()
        if self._is_file and plain in RECKONED:
            raise UnreadableError(f"The field {plain!r} was sent as a file. Send it as text.")
        if not self._is_file:
            _check_name(field, self._fields)

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            return
        self._count(end - start)
        self._content.extend(data[start:end])

    def _count(self, size: int) -> None:
        self._kept += size
        if self._kept > MOST_TEXT:
            raise UnreadableError("The form's fields hold more than a prompt. Send pictures as files.")

    def _end(self) -> None:
        if self._is_file:
            return
        text = self._content.decode("utf-8", "replace")
        if self._field in RECKONED and "�" in text and b"\xef\xbf\xbd" not in self._content:
            raise UnreadableError(f"The field {self._field!r} is not UTF-8 text.")
        # Pictures that were sent as text are for the service to refuse.
        self._fields[self._field] = text

    def _over(self) -> None:
        self._ended = True
