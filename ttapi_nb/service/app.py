"""The service as a whole: one request in, one answer out.

Usage figures follow a rule of our own, since nobody publishes one. Text: one token for every 4 characters of
the prompt, rounded up. Pictures: one token for every block of 32x32 pixels, counted for each picture and mask
that came in and for each result that goes out; a block that is begun counts whole. A draft counts as 100 tokens.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from ..freeing import give_back
from ..models import PARTIAL_TOKENS
from ..picture import SourceImage
from .body import Body, read_body
from .invent import invent
from .memory import PAINTING, decoding_of, work
from .paint import fills_of, leak, over_white, paint
from .refusal import Refusal
from .rules import Edit, Hole, check, check_generation
from .shape import result_size, shaped
from .streaming import Style, begun, drafts_of, ended, written

__all__ = ["FILLED", "Answer", "Fill", "Service"]

EDITS, GENERATIONS = "/v1/images/edits", "/v1/images/generations"
FILES = "/v1/files/"
URL_SECONDS = 60 * 60
URLS_KEPT = 64
BLOCK = 32
FILLED = "ttapi_nb fill"
"""What a result's file says where the service's own fill is in it."""
SIGN = {"TTAPI-NB-Service": "embedded"}

Fill: TypeAlias = Callable[[Image.Image, Image.Image, str, int], Image.Image]
"""Called as `fill(image, mask, prompt, seed)`: `mask` is of mode `L` and 255 where to edit."""


@dataclass(frozen=True)
class Answer:
    """What the service answers: a `body`, or the `pieces` of a stream, each made when it is asked for, on any thread.
    Whoever takes those closes them, if it does so before their end.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    pieces: Generator[bytes] | None = None


@dataclass(frozen=True)
class _Stored:
    until: float
    mime: str
    data: bytes


class Service:
    """A stand-in for the image-editing endpoint that needs no network and no key.

    It checks a request as strictly as the service's public pages say, and edits the picture by plain image
    processing (see `paint`): the prompt's colour words act, and the rest of the prompt is not read. Asked to make a
    picture of words alone, it paints clouds of colour. Pictures
    after the first are checked and counted, and otherwise ignored. Results come as base64 unless
    `response_format` asks for a URL; a URL lives for 60 minutes, and only the newest 64 are kept.

    `seed` gives other results for the same request. `envelope` chooses whose way of writing errors is used: `"ttapi"`,
    `"openai"`, or `"auto"`, which is OpenAI's for a request with `Authorization: Bearer` and TTAPI's for any other.
    `fill` replaces the edit: it gets the first picture at the result's size (`RGB` or `RGBA`) and a mask,
    white all over where none was sent, and what it returns is the result, resized if it has another size.
    Requests on several threads call it on several threads. `leaky` repaints each result as hosted models do:
    its colours shift, and outside the mask it is softer and grainier; it leaves what `fill` returns alone. With
    `require_key` a request must carry some key. `clock` tells the time, in seconds.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        envelope: Literal["auto", "ttapi", "openai"] = "auto",
        fill: Fill | None = None,
        leaky: bool = False,
        require_key: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if envelope not in ("auto", "ttapi", "openai"):
            raise ValueError(f"envelope must be 'auto', 'ttapi' or 'openai', not {envelope!r}.")
        self._seed = seed
        self._envelope = envelope
        self._fill = fill
        self._leaky = leaky
        self._require_key = require_key
        self._clock = clock
        self._stored: OrderedDict[str, _Stored] = OrderedDict()
        self._lock = threading.Lock()

    def handle(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one request. May be called from any thread, and never raises."""
        try:
            return self._route(method, url, {name.lower(): value for name, value in headers.items()}, body)
        except Refusal as refusal:
            return self.refused(refusal, headers)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the client must get an answer
            return self.refused(Refusal(f"The service failed: {type(error).__name__}.", status=500), headers)

    def _route(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        try:
            where = urlsplit(url)
        except ValueError:
            raise Refusal("The URL is broken.") from None
        if where.path in (EDITS, GENERATIONS):
            _check_method(method, "POST")
            if self._require_key and not _has_key(headers):
                message = "No API key was sent. Send one as TT-API-KEY or as Authorization: Bearer."
                raise Refusal(message, status=401)
            files_url = f"{where.scheme}://{where.netloc}{FILES}"
            kind = headers.get("content-type", "")
            style: Style = "ttapi" if self._is_ttapi(headers) else "openai"
            return self._edit(files_url, kind, body, style, generates=where.path == GENERATIONS)
        if where.path.startswith(FILES):
            _check_method(method, "GET")
            return self._file(where.path.removeprefix(FILES))
        raise Refusal(
            f"There is nothing here. Edit pictures with POST {EDITS}, or make them with POST {GENERATIONS}.",
            status=404,
        )

    def refused(self, refusal: Refusal, headers: Mapping[str, str]) -> Answer:
        """The error answer to a request with these headers; a server asks for it too, for what `handle` never sees."""
        if self._is_ttapi(headers):
            return _json(refusal.status, {"status": "FAILED", "message": refusal.message, "data": None})
        return _json(refusal.status, {"error": _error(refusal)})

    def _is_ttapi(self, headers: Mapping[str, str]) -> bool:
        """Whether the answer to a request with these headers is written as TTAPI does."""
        return self._envelope == "ttapi" or (self._envelope == "auto" and not _bearer(headers))

    # An edit

    def _edit(
        self, files_url: str, content_type: str, body: bytes, style: Style, *, generates: bool
    ) -> Answer:
        edit, digest = _checked(content_type, body, generates)
        if edit.streams:
            pieces = self._streamed(edit, digest, style)
            # Made here, so that what goes wrong before anything is said is refused as ever.
            first = next(pieces)
            return Answer(200, SIGN | {"Content-Type": "text/event-stream"}, pieces=begun(first, pieces))
        with work.room(self._room(edit)):
            data, see_through = self._results(edit, digest, files_url)
            reply: dict[str, object] = {
                "created": int(self._clock()),
                "data": data,
                "usage": _usage(edit, edit.picture.size),
            }
            if "output_format" in edit.model.choices:
                reply |= _facts(edit, see_through=see_through)
            return _json(200, reply)

    def _room(self, edit: Edit) -> int:
        # A user's own function may wait for another request, so it is not made to wait for room.
        size = edit.picture.size
        return size[0] * size[1] * (PAINTING + 12 * edit.n) if self._fill is None else 0

    def _streamed(self, edit: Edit, digest: str, style: Style) -> Generator[bytes]:
        """The events of a stream. Nobody waits for room while a piece of it is taken."""
        has_begun = False
        try:
            # What a user's own function does has no stages.
            for stage in range(edit.partials if self._fill is None else 0):
                with work.room(self._room(edit)):
                    drafts = drafts_of(edit, self._seed_of(edit, digest, 0), stage)
                    payloads = [self._event(edit, _encoded(one, edit, filled=False), one) for one in drafts]
                for one in payloads:
                    has_begun = True
                    yield written(f"{_kind(edit)}.partial_image", one | {"partial_image_index": stage}, style)
            with work.room(self._room(edit)):
                data, see_through = self._results(edit, digest, "")
            for number, item in enumerate(data):
                has_begun = True
                facts = _facts(edit, see_through=see_through) | {"created_at": int(self._clock())}
                usage = _usage(replace(edit, n=1), edit.picture.size, first=number == 0)
                yield written(f"{_kind(edit)}.completed", item | facts | {"usage": usage}, style)
        except Exception as error:
            if not has_begun:
                raise
            failed = Refusal(f"The service failed: {type(error).__name__}.", status=500)
            refusal = error if isinstance(error, Refusal) else failed
            yield written("error", {"error": _error(refusal)}, style)
        yield from filter(None, (ended(style),))

    def _event(self, edit: Edit, data: bytes, picture: Image.Image) -> dict[str, object]:
        fields = _facts(edit, see_through=_keeps_alpha(picture, edit))
        return {"b64_json": base64.b64encode(data).decode(), "created_at": int(self._clock())} | fields

    def _results(self, edit: Edit, digest: str, files_url: str) -> tuple[list[dict[str, str]], bool]:
        """The results as the reply has them, and whether they are transparent."""
        data, see_through = [], False
        fills = []
        if self._fill is None and not edit.generates:
            fills = fills_of(edit.picture.pixels, edit.hole, self._seed_of(edit, digest, 0), edit.n)
        for number in range(edit.n):
            result = self._result(edit, digest, number, fills[number] if fills else None)
            see_through = see_through or (number == 0 and _keeps_alpha(result, edit))
            encoded = _encoded(result, edit, filled=bool(fills))
            if edit.as_url:
                data.append({"url": files_url + self._keep(encoded, edit.output_format)})
            else:
                data.append({"b64_json": base64.b64encode(encoded).decode()})
        return data, see_through

    def _seed_of(self, edit: Edit, digest: str, number: int) -> int:
        words = f"{self._seed} {number} {digest} {edit.prompt}"
        # A prompt from JSON may hold half a surrogate pair, which plain UTF-8 can't write.
        return int.from_bytes(hashlib.sha256(words.encode(errors="surrogatepass")).digest()[:4], "big")

    def _result(self, edit: Edit, digest: str, number: int, filled: NDArray[np.uint8] | None) -> Image.Image:
        picture, hole = edit.picture.pixels, edit.hole
        seed = self._seed_of(edit, digest, number)
        if edit.generates:
            picture = invent(picture.size, seed)
        if self._fill is not None:
            return _own_result(self._fill, picture, hole, edit.prompt, seed)
        result = paint(picture, hole, edit.prompt, seed, number, filled)
        return leak(result, hole, seed) if self._leaky else result

    # Results by URL

    def _keep(self, data: bytes, output_format: str) -> str:
        name = f"{secrets.token_hex(16)}.{output_format}"
        with self._lock:
            self._forget_old()
            self._stored[name] = _Stored(self._clock() + URL_SECONDS, f"image/{output_format}", data)
            if len(self._stored) > URLS_KEPT:
                self._stored.popitem(last=False)
        return name

    def _file(self, name: str) -> Answer:
        with self._lock:
            self._forget_old()
            stored = self._stored.get(name)
        if stored is None:
            raise Refusal("There is no such result. A result's URL lives for 60 minutes.", status=404)
        return Answer(200, SIGN | {"Content-Type": stored.mime}, stored.data)

    def _forget_old(self) -> None:
        now = self._clock()
        for name in [name for name, stored in self._stored.items() if stored.until <= now]:
            del self._stored[name]


def _checked(content_type: str, body: bytes, generates: bool) -> tuple[Edit, str]:
    """The edit that is asked for, its picture and hole at the result's size, and the digest of the picture as it came.

    Waits until there is memory for what came in, which may be far larger than the result.
    """
    # Once as text, and once as the bytes of pictures.
    with work.room(2 * len(body)):
        read = read_body(content_type, body)
    if generates:
        edit = check_generation(read)
        sheet = Image.new("RGB", result_size(edit.model, edit.size, edit.picture.size), "white")
        return replace(edit, picture=SourceImage(sheet, "PNG")), ""
    weight = decoding_of(read)
    with work.room(weight):
        try:
            return _opened(read)
        finally:
            give_back(weight)


def _opened(read: Body) -> tuple[Edit, str]:
    edit = check(read)
    size = result_size(edit.model, edit.size, edit.picture.size)
    picture, hole = shaped(edit.picture.pixels, edit.hole, size)
    made = replace(edit, picture=SourceImage(picture, edit.picture.format), hole=hole)
    return made, edit.picture.digest


def _check_method(method: str, right: str) -> None:
    if method.upper() != right:
        raise Refusal(f"Use {right} here.", status=405)


def _has_key(headers: Mapping[str, str]) -> bool:
    return bool(headers.get("tt-api-key", "").strip() or _bearer(headers))


def _bearer(headers: Mapping[str, str]) -> str:
    """The token of `Authorization: Bearer`, or nothing."""
    header = next((value for name, value in headers.items() if name.lower() == "authorization"), "")
    scheme, _, token = header.strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _json(status: int, content: Mapping[str, object]) -> Answer:
    return Answer(status, SIGN | {"Content-Type": "application/json"}, json.dumps(content).encode())


def _error(refusal: Refusal) -> dict[str, object]:
    kind = "invalid_request_error" if refusal.status < 500 else "server_error"
    return {"message": refusal.message, "type": kind, "param": refusal.param, "code": refusal.code}


def _kind(edit: Edit) -> str:
    return "image_generation" if edit.generates else "image_edit"


def _facts(edit: Edit, *, see_through: bool) -> dict[str, object]:
    """What is said of a result beside it."""
    width, height = edit.picture.size
    return {
        "size": f"{width}x{height}",
        "quality": "high" if edit.quality == "auto" else edit.quality,
        "output_format": edit.output_format,
        "background": "transparent" if see_through else "opaque",
    }


def _usage(edit: Edit, size: tuple[int, int], *, first: bool = True) -> dict[str, object]:
    """What a request counts as; of several events what came in is counted with the `first`."""
    text = math.ceil(len(edit.prompt) / 4) if first else 0
    came_in = sum(map(_blocks, edit.inputs)) if first else 0
    went_out = edit.n * (_blocks(size) + PARTIAL_TOKENS * edit.partials)
    return {
        "total_tokens": text + came_in + went_out,
        "input_tokens": text + came_in,
        "output_tokens": went_out,
        "input_tokens_details": {"text_tokens": text, "image_tokens": came_in},
    }


def _blocks(size: tuple[int, int]) -> int:
    return math.ceil(size[0] / BLOCK) * math.ceil(size[1] / BLOCK)


def _own_result(fill: Fill, picture: Image.Image, hole: Hole | None, prompt: str, seed: int) -> Image.Image:
    everywhere = np.ones((picture.height, picture.width), np.bool_)
    mask = Image.fromarray((everywhere if hole is None else hole).astype(np.uint8) * 255)
    try:
        # A copy, since the next result starts from the same picture.
        result: object = fill(picture.copy(), mask, prompt, seed)
    except Exception as error:  # noqa: BLE001 - the function is the user's own and may raise anything
        problem = f"raised {type(error).__name__}: {error}"
    else:
        if isinstance(result, Image.Image):
            plain = result.convert("RGBA" if result.has_transparency_data else "RGB")
            return plain if plain.size == picture.size else plain.resize(picture.size)
        problem = f"returned {type(result).__name__} where a PIL image was expected"
    raise Refusal(f"The fill function {problem}.", status=500)


def _keeps_alpha(result: Image.Image, edit: Edit) -> bool:
    return result.mode == "RGBA" and edit.output_format != "jpeg" and edit.background != "opaque"


def _encoded(result: Image.Image, edit: Edit, *, filled: bool) -> bytes:
    out = io.BytesIO()
    pixels = result if _keeps_alpha(result, edit) else over_white(result)
    options: dict[str, Any] = {}
    if edit.output_format == "png":
        if filled:
            options["pnginfo"] = PngImagePlugin.PngInfo()
            options["pnginfo"].add_text("Software", FILLED)
        pixels.save(out, "PNG", compress_level=1, **options)
    else:
        if filled:
            options["comment" if edit.output_format == "jpeg" else "xmp"] = FILLED.encode()
        pixels.save(out, edit.output_format.upper(), quality=edit.compression, **options)
    return out.getvalue()
