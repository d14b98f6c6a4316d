"""Reads a request body, in any of its three forms, into plain fields and the bytes of pictures.

* JSON with `image` (a string, or a list of them) and `mask` (a string), the model in `mode` or `model`;
* JSON with `images` (a list of `{"image_url": ...}`) and `mask` (one such object), the model in `model`;
* multipart form data with `image` or `image[]` and `mask` as files, the model in `model` or `mode`.

In JSON a picture is a data URL or plain base64.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from ..picture import MIME_TYPES
from .refusal import Refusal, shown

__all__ = ["Body", "Upload", "read_body"]

DATA_URL_LIMIT = 20_971_520
NO_BOUNDARY = "The Content-Type header lacks the multipart boundary. Let the HTTP library write it."
REFERENCE = '{"image_url": ...}'
BROKEN_FORM = "The multipart body is broken or cut off. Let the HTTP library write it."


@dataclass(frozen=True)
class Upload:
    """The bytes of one picture, and the MIME type it was sent under (None where the form has none)."""

    data: bytes
    mime: str | None


@dataclass(frozen=True)
class Body:
    """What a request says, whichever way it was written; the model, where named, is the field `model`."""

    fields: Mapping[str, object]
    images: tuple[Upload, ...]
    mask: Upload | None


def read_body(content_type: str, body: bytes) -> Body:
    """The request that `body` writes down; raises `Refusal`."""
    kind = content_type.split(";", 1)[0].strip().lower()
    if kind == "application/json":
        return _read_json(body)
    if kind == "multipart/form-data":
        return _read_form(content_type, body)
    raise Refusal(f"The Content-Type is {shown(kind)}. Send application/json or multipart/form-data.")


def _with_model(fields: dict[str, object]) -> dict[str, object]:
    # Some clients fill in both names of this field, for servers of either kind.
    named = {name: fields.pop(name, None) for name in ("model", "mode")}
    models = [value for value in named.values() if value is not None]
    if len(models) == 2 and models[0] != models[1]:
        message = f"'model' is {shown(named['model'])} and 'mode' is {shown(named['mode'])}. Name one model."
        raise Refusal(message, code="invalid_value", param="mode")
    return fields | ({"model": models[0]} if models else {})


# JSON


def _read_json(body: bytes) -> Body:
    problem = "The body is not JSON."
    try:
        payload = json.loads(body, parse_constant=_no_such_number)
    except RecursionError:
        problem = "The JSON body is nested too deep."
    except ValueError as error:
        # UnicodeDecodeError quotes the body, which may be long.
        problem = f"The body is not valid JSON ({shown(str(error))[1:-1]})."
    else:
        if isinstance(payload, dict):
            return _from_json(payload)
        problem = "The JSON body must be an object: {...}."
    raise Refusal(problem)


def _no_such_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _from_json(payload: dict[str, Any]) -> Body:
    fields = {name: value for name, value in payload.items() if value is not None}
    image, images, mask = (fields.pop(name, None) for name in ("image", "images", "mask"))
    if image is not None and images is not None:
        raise Refusal("Give the pictures in 'image' or in 'images', not in both.", param="images")
    if images is not None:
        if not isinstance(images, list):
            message = f"'images' must be a list: [{REFERENCE}]."
            raise Refusal(message, code="invalid_type", param="images")
        uploads = [_referenced(item, "images") for item in images]
    else:
        listed = image if isinstance(image, list) else [] if image is None else [image]
        uploads = [_written_out(item, "image") for item in listed]
    if mask is None:
        return Body(_with_model(fields), tuple(uploads), None)
    read = _referenced if isinstance(mask, dict) else _written_out
    return Body(_with_model(fields), tuple(uploads), read(mask, "mask"))


def _referenced(item: object, param: str) -> Upload:
    if not isinstance(item, dict):
        raise Refusal(f"'{param}' must hold objects: {REFERENCE}.", code="invalid_type", param=param)
    url = item.get("image_url")
    if url is None and item.get("file_id") is not None:
        message = "This service keeps no uploaded files. Send the picture in 'image_url', as a data URL."
        raise Refusal(message, param=param)
    if not isinstance(url, str):
        raise Refusal("'image_url' must be a string: a data URL.", code="invalid_type", param=param)
    if len(url) > DATA_URL_LIMIT:
        message = f"'image_url' is longer than {DATA_URL_LIMIT:,} characters. Send a smaller picture."
        raise Refusal(message, code="invalid_value", param=param)
    return _written_out(url, param)


def _written_out(text: object, param: str) -> Upload:
    if not isinstance(text, str):
        message = f"'{param}' must be written as a string: a data URL or base64."
        raise Refusal(message, code="invalid_type", param=param)
    if text[:8].lower().startswith(("http://", "https://")):
        message = "This service has no network and fetches nothing. Send the picture itself, as a data URL."
        raise Refusal(message, param=param)
    mime, encoded = None, text
    if text[:5].lower() == "data:":
        head, _, encoded = text[5:].partition(",")
        mime, *settings = head.lower().split(";")
        if "base64" not in settings:
            message = "A picture's data URL must be base64: data:image/png;base64,..."
            raise Refusal(message, code="invalid_image_file", param=param)
        _check_mime(mime, param)
    try:
        return Upload(base64.b64decode(encoded, validate=True), mime)
    except ValueError:
        pass
    raise Refusal(f"'{param}' is not valid base64.", code="invalid_image_file", param=param)


def _check_mime(mime: str, param: str) -> None:
    if mime not in MIME_TYPES.values():
        message = f"'{param}' was sent as {shown(mime)}. Send it as {', '.join(MIME_TYPES.values())}."
        raise Refusal(message, code="unsupported_file_mimetype", param=param)


# Multipart


@dataclass(frozen=True)
class _Part:
    name: str
    is_file: bool
    mime: str
    data: bytes


def _read_form(content_type: str, body: bytes) -> Body:
    # Here, not above: most requests are JSON, and the package should start fast.
    from python_multipart.multipart import parse_options_header

    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise Refusal(NO_BOUNDARY)
    fields: dict[str, object] = {}
    images: list[Upload] = []
    masks: list[Upload] = []
    for part in _parts(boundary, body):
        if part.name in ("image", "image[]"):
            images.append(_file(part))
        elif part.name == "mask":
            masks.append(_file(part))
        elif not part.is_file:
            fields[part.name] = _decoded(part.data, part.name)
    if len(masks) > 1:
        raise Refusal("Give one 'mask'.", param="mask")
    return Body(_with_model(fields), tuple(images), masks[0] if masks else None)


def _file(part: _Part) -> Upload:
    param = part.name.removesuffix("[]")
    if not part.is_file:
        message = f"'{param}' must be sent as a file: a part with a file name and a MIME type."
        raise Refusal(message, code="invalid_type", param=param)
    _check_mime(part.mime, param)
    return Upload(part.data, part.mime)


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        pass
    raise Refusal(f"The field {shown(name)} is not UTF-8 text.", code="invalid_type", param=name)


def _parts(boundary: bytes, body: bytes) -> list[_Part]:
    from python_multipart.exceptions import FormParserError
    from python_multipart.multipart import MultipartParser, parse_options_header

    parts: list[_Part] = []
    headers: dict[bytes, bytes] = {}
    name, value, content = bytearray(), bytearray(), bytearray()
    ended = False

    def into(target: bytearray) -> Callable[[bytes, int, int], None]:
        def add(data: bytes, start: int, end: int) -> None:
            target.extend(memoryview(data)[start:end])

        return add

    def on_part_begin() -> None:
        headers.clear()
        content.clear()

    def on_header_end() -> None:
        headers[bytes(name).lower()] = bytes(value)
        name.clear()
        value.clear()

    def on_part_end() -> None:
        options = parse_options_header(headers.get(b"content-disposition", b""))[1]
        # A part that names no type is text, unless it is a file: then nothing is known of it.
        mime = parse_options_header(headers.get(b"content-type", b""))[0] or b"application/octet-stream"
        field = options.get(b"name", b"").decode(errors="replace")
        parts.append(_Part(field, b"filename" in options, mime.decode("latin-1"), bytes(content)))

    def on_end() -> None:
        nonlocal ended
        ended = True

    try:
        MultipartParser(
            boundary,
            {
                "on_part_begin": on_part_begin,
                "on_header_field": into(name),
                "on_header_value": into(value),
                "on_header_end": on_header_end,
                "on_part_data": into(content),
                "on_part_end": on_part_end,
                "on_end": on_end,
            },
        ).write(body)
    except FormParserError:
        ended = False
    if not ended:
        raise Refusal(BROKEN_FORM)
    return parts
