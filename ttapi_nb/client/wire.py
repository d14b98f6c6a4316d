"""How a request is written: the three body forms that TTAPI's pages have named over time.

* `json`: the page of 26 March 2026. `image` is a list of strings, `mask` a string, the model is in `mode`.
* `multipart`: OpenAI's form, which TTAPI's older pages keep. Files with a name and a MIME type, the model in
  `model` and, at TTAPI's own addresses, in `mode`.
* `references`: TTAPI's newest page. `images` and `mask` are objects with an `image_url`, the model is in `model`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from ..errors import InvalidRequestError
from ..picture import ImageFile
from ..request import EditRequest

__all__ = ["DATA_URL_LIMIT", "Body", "Wire", "encode", "problems"]

Wire: TypeAlias = Literal["json", "multipart", "references"]
WIRES: tuple[str, ...] = get_args(Wire)

DATA_URL_LIMIT = 20_971_520
"""The most characters of a data URL in the `references` form."""


UNWRITABLE = (
    "A field can't be written down: it holds half of a character, or something else than text, numbers, lists and "
    "dicts. Look at user, model and extra_body."
)


@dataclass(frozen=True)
class Body:
    """A request's body and the content type that goes with it."""

    content_type: str
    data: bytes


def encode(request: EditRequest, wire: Wire, *, plain_base64: bool = False, send_mode: bool = True) -> Body:
    """Write `request` in one of the body forms; `plain_base64` leaves the `data:` prefix of the `json` form out, and
    `send_mode` puts the model into the multipart form as `mode` too.

    Raises `InvalidRequestError` where a field can't be written.
    """
    try:
        return _encoded(request, wire, plain_base64, send_mode)
    except (TypeError, ValueError, RecursionError):
        pass
    raise InvalidRequestError([UNWRITABLE])


def _encoded(request: EditRequest, wire: Wire, plain_base64: bool, send_mode: bool) -> Body:
    if wire == "multipart":
        return _multipart(request, send_mode)
    fields: dict[str, Any] = {"prompt": request.prompt}
    mask = request.mask_file
    if wire == "references":
        fields["images"] = [{"image_url": _data_url(file)} for file in request.image_files]
        if mask is not None:
            fields["mask"] = {"image_url": _data_url(mask)}
        fields["model"] = request.model
    else:
        text = _base64 if plain_base64 else _data_url
        fields["image"] = [text(file) for file in request.image_files]
        if mask is not None:
            fields["mask"] = text(mask)
        fields["mode"] = request.model
    return Body("application/json", json.dumps(fields | request.body(), allow_nan=False).encode())


def problems(request: EditRequest, wire: Wire) -> Iterator[str]:
    """What this body form can't carry, as sentences."""
    try:
        # As it is read again: half a character can be written in JSON, and not in a form or a log.
        written = json.dumps(request.body() | {"model": request.model}, allow_nan=False, ensure_ascii=False)
        written.encode()
        plain = all(isinstance(name, str) for name in request.extra_body)
    except (TypeError, ValueError, RecursionError):
        plain = False
    # A broken prompt has a sentence of its own.
    if not plain and _is_whole_text(request.prompt):
        yield UNWRITABLE
    if wire != "references":
        return
    for file in request.image_files:
        # Four characters for every three bytes.
        if len("data:;base64,") + len(file.mime) + (len(file.data) + 2) // 3 * 4 > DATA_URL_LIMIT:
            yield (
                f"{file.name!r} is too large for the references form, which takes data URLs of at most "
                f'{DATA_URL_LIMIT:,} characters. Make the picture smaller, or use wire="multipart".'
            )


def _multipart(request: EditRequest, send_mode: bool) -> Body:
    name = "image" if len(request.image_files) == 1 else "image[]"
    files = [(name, (file.name, file.data, file.mime)) for file in request.image_files]
    if request.mask_file is not None:
        files.append(("mask", (request.mask_file.name, request.mask_file.data, request.mask_file.mime)))
    # A gateway that renames models changes `model` alone.
    names = ("model", "mode") if send_mode else ("model",)
    fields = dict.fromkeys(names, request.model) | request.body()
    data: dict[str, str | list[str]] = {}
    for key, value in fields.items():
        if isinstance(value, list | tuple):
            # As OpenAI's clients write lists: one field for each item that says something.
            data[f"{key}[]"] = [_form_value(item) for item in value if item is not None]
        else:
            data[key] = _form_value(value)
    # Here, not above: the other forms are written without httpx.
    import httpx

    form = httpx.Request("POST", "http://unused", files=files, data=data)
    return Body(form.headers["Content-Type"], form.read())


def _is_whole_text(prompt: object) -> bool:
    return isinstance(prompt, str) and not any("\ud800" <= letter <= "\udfff" for letter in prompt)


def _form_value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, allow_nan=False)


def _base64(file: ImageFile) -> str:
    return base64.b64encode(file.data).decode()


def _data_url(file: ImageFile) -> str:
    return f"data:{file.mime};base64,{_base64(file)}"
