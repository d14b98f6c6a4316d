"""An edit as a Python script that does the same without a widget."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..asked import Asked
from ..client import AsyncClient, Client
from ..client.client import DEFAULT_BASE_URL
from ..errors import SettingsError
from ..lineage import bare_name
from ..mask import Bitmap, Change, Mark, Mask, Shape, Stroke
from ..picture import SAMPLE, SUFFIXES, SourceImage, sample
from ..request import EditRequest

__all__ = ["to_code"]

PathLike = str | os.PathLike[str]

# A mask that takes more characters than this as method calls is written as its JSON.
CALLS_CAP = 4000
LINE = 96


def to_code(
    asked: Asked,
    *,
    client: Client | AsyncClient | None = None,
    paths: Sequence[PathLike | None] = (),
    mask_path: PathLike | None = None,
    save: PathLike | None = None,
) -> str:
    """Python source that does with `ttapi_nb.edit` what was asked for.

    * `client`: whose settings are written, never its key; left out, the script takes what it finds where it runs.
    * `paths`: where each picture of the request is; None or left out for its own name, beside the script.
    * `mask_path`: a file that `Mask.save` wrote; left out, the mask stands in the script.
    * `save`: where the result goes, a name that ends in .png, .jpg or .webp; with several results their numbers are
      put before the suffix.

    Raises `SettingsError` where an option is no plain value, and `MaskError` where the mask is a picture that has no
    transparency.
    """
    request = asked.request
    pictures, opening = _pictures(request, paths)
    arguments = [pictures, _literal("prompt", request.prompt)]
    lines = ["import ttapi_nb as tt", "", *opening]
    if request.mask is not None:
        lines += _mask(request.mask, mask_path)
        arguments.append("mask=mask")
    if client is not None:
        lines += _client(client)
        arguments.append("client=client")
    if asked.fit != "auto":
        arguments.append(f"fit={_literal('fit', asked.fit)}")
    if not asked.strict:
        arguments.append("strict=False")
    arguments += [f"{name}={_literal(name, value)}" for name, value in _options(request)]
    lines += ["", "run = tt.edit(", *(f"    {argument}," for argument in arguments), ")"]
    return "\n".join([*lines, *_saving(request, save), ""])


def _pictures(request: EditRequest, paths: Sequence[PathLike | None]) -> tuple[str, list[str]]:
    """The expression for all the pictures, and the lines that open them."""
    if not request.image:
        return "photo", ["# Write here where the picture is.", 'photo = tt.open_image("photo.png")']
    given = [*paths, *[None] * len(request.image)]
    names = ["photo", *(f"reference_{number}" for number in range(1, len(request.image)))]
    lines = []
    for name, source, path in zip(names, request.image, given, strict=False):
        if path is None and _is_sample(source):
            lines.append(f"{name} = tt.sample()")
            continue
        if path is None:
            lines.append("# Put this picture beside the script, or write here where it is.")
        where = _file_name(source) if path is None else os.fspath(path)
        lines.append(f"{name} = tt.open_image({_literal('path', where)})")
    if len(request.image) == 1:
        return names[0], lines
    return f"[{', '.join(names[: len(request.image)])}]", lines


def _is_sample(source: SourceImage) -> bool:
    return source.name == SAMPLE.name and source.digest == sample().digest


def _file_name(source: SourceImage) -> str:
    name = bare_name(source.name)
    known = Path(name).suffix.lower() in (*SUFFIXES.values(), ".jpeg")
    return name if known else name + SUFFIXES[source.format]


def _mask(mask: Mask | SourceImage, path: PathLike | None) -> list[str]:
    if path is not None:
        return [f"mask = tt.Mask.load({_literal('mask_path', os.fspath(path))})"]
    drawn = mask if isinstance(mask, Mask) else Mask.from_image(mask, edit="transparent")
    # What was painted before everything was cleared shows no more.
    cleared = [at for at, mark in enumerate(drawn.marks) if isinstance(mark, Change) and mark.what == "clear"]
    drawn = Mask(drawn.size, drawn.marks[cleared[-1] + 1 :] if cleared else drawn.marks)
    start = f"tt.Mask(({drawn.size[0]}, {drawn.size[1]}))"
    if not drawn.marks:
        return [f"mask = {start}"]
    if not any(isinstance(mark, Bitmap) for mark in drawn.marks):
        calls = [_call(mark) for mark in drawn.marks]
        if sum(map(len, calls)) <= CALLS_CAP:
            return ["mask = (", f"    {start}", *(f"    {call}" for call in calls), ")"]
    text = drawn.to_json()
    parts = (repr(text[at : at + LINE]) for at in range(0, len(text), LINE))
    return ["mask = tt.Mask.from_json(", *(f"    {part}" for part in parts), ")"]


def _call(mark: Mark) -> str:
    """The method call that adds a mark which is neither a bitmap nor `clear`."""
    if isinstance(mark, Stroke):
        method = "erase" if mark.erase else "paint"
        radii = {radius for _, _, radius in mark.points}
        if len(radii) > 1:
            return f".{method}({_points(mark.points)})"
        return f".{method}({_points([point[:2] for point in mark.points])}, radius={_number(radii.pop())})"
    if isinstance(mark, Shape):
        erase = ", erase=True" if mark.erase else ""
        if mark.outline == "polygon":
            return f".polygon({_points(mark.points)}{erase})"
        corners = ", ".join(_number(number) for point in mark.points for number in point)
        return f".{mark.outline}(({corners}){erase})"
    if isinstance(mark, Change):
        return f".{mark.what}({'' if mark.what == 'invert' else _number(mark.pixels)})"
    raise TypeError(mark)


def _points(points: Sequence[Sequence[float]]) -> str:
    return f"[{', '.join('(' + ', '.join(map(_number, point)) + ')' for point in points)}]"


def _number(number: float) -> str:
    return repr(int(number)) if float(number).is_integer() else repr(float(number))


def _client(client: Client | AsyncClient) -> list[str]:
    core = client.core
    if core.player is not None:
        path = _literal("path", str(core.player.path))
        return ["# A recording: nothing is sent or billed.", f"client = tt.Client.replay({path})"]
    if core.service is not None:
        service = core.service()
        settings = {"seed": getattr(service, "_seed", 0), "leaky": getattr(service, "_leaky", False)}
        written = ", ".join(f"{name}={_literal(name, value)}" for name, value in settings.items() if value)
        lines = ["# The service inside the package: nothing is billed."]
        if getattr(service, "_fill", None) is not None:
            lines.append("# It filled with a function of your own: give that again, as fill=….")
        return [*lines, f"client = tt.Client.offline({written})"]
    lines = ["# The key comes from the environment's TT_API_KEY. Each run may cost quota."]
    address = urlsplit(core.base_url)
    host = address.netloc.rsplit("@", 1)[-1]
    # A gateway's password stands before the host, or behind the path.
    bare = address._replace(netloc=host, query="", fragment="").geturl()
    if bare != core.base_url:
        lines.append("# What stood in the address besides host and path is left out: it may be secret.")
    defaults = {
        "base_url": (bare, DEFAULT_BASE_URL),
        "wire": (core.wire, "json"),
        "auth_header": (core.auth_header, "TT-API-KEY"),
        "auth_scheme": (core.auth_scheme, ""),
        "timeout": (core.timeout, 300.0),
        "plain_base64": (core.plain_base64, False),
        "wait_when_busy": (core.wait_when_busy, 0.0),
        "fetch_from": (list(core.fetch_from), []),
        "send_mode": (core.send_mode, None),
        "allow_http": (address.scheme == "http", False),
    }
    written = ", ".join(
        f"{name}={_literal(name, value)}" for name, (value, usual) in defaults.items() if value != usual
    )
    return [*lines, f"client = tt.Client({written})"]


def _options(request: EditRequest) -> Iterator[tuple[str, Any]]:
    """The fields besides pictures, prompt and mask that say something; the model always does."""
    for item in fields(request):
        value = getattr(request, item.name)
        value = dict(value) if isinstance(value, Mapping) else value
        usual = item.default if item.default is not MISSING else {}
        if item.name == "model" or (item.name not in ("image", "prompt", "mask") and value != usual):
            # A number that came from numpy is one all the same.
            yield item.name, value.item() if hasattr(value, "item") else value


def _saving(request: EditRequest, save: PathLike | None) -> list[str]:
    stem = Path(bare_name(request.image[0].name)).stem if request.image else "result"
    where = Path(save) if save is not None else Path(f"{stem}-edit.png")
    if request.n == 1:
        return [f"run.results[0].save({_literal('save', str(where))})"]
    before, suffix = _literal("save", f"{where.with_suffix('')}-"), _literal("save", where.suffix)
    return ["for result in run.results:", f"    result.save({before} + str(result.number) + {suffix})"]


def _literal(name: str, value: Any) -> str:
    """`value` as Python source; nothing in a text can end it, and what can't be seen is escaped."""
    written = repr(value)
    try:
        if ast.literal_eval(written) == value:
            plain = isinstance(value, str) and not {"'", '"'} & set(value)
            return f'"{written[1:-1]}"' if plain else written
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        pass
    raise SettingsError(
        f"{name}={written[:100]} can't be written as code. Use plain numbers, text, lists and dicts."
    )
