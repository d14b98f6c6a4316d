"""An edit as a Python script that does the same without a widget."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from ..asked import Asked
from ..client import AsyncClient, Client
from ..errors import SettingsError
from ..lineage import bare_name
from ..mask import Mask
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
    pictures, opening = ([], []) if request.generates else _pictures(request, paths)
    arguments = [*pictures, _literal("prompt", request.prompt)]
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
    call = "generate" if request.generates else "edit"
    lines += ["", f"run = tt.{call}(", *(f"    {argument}," for argument in arguments), ")"]
    return "\n".join([*lines, *_saving(request, save), ""])


def _pictures(request: EditRequest, paths: Sequence[PathLike | None]) -> tuple[list[str], list[str]]:
    """The expression for all the pictures, and the lines that open them."""
    if not request.image:
        return ["photo"], ["# Write here where the picture is.", 'photo = tt.open_image("photo.png")']
    known = [*paths, *[None] * len(request.image)]
    names = ["photo", *(f"reference_{number}" for number in range(1, len(request.image)))]
    lines = []
    for name, source, path in zip(names, request.image, known, strict=False):
        if path is None and _is_sample(source):
            lines.append(f"{name} = tt.sample()")
            continue
        if path is None:
            lines.append("# Put this picture beside the script, or write here where it is.")
        where = _file_name(source) if path is None else os.fspath(path)
        lines.append(f"{name} = tt.open_image({_literal('path', where)})")
    if len(request.image) == 1:
        return names[:1], lines
    return [f"[{', '.join(names[: len(request.image)])}]"], lines


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
    cleared = [at for at, mark in enumerate(drawn.marks) if mark.clears]
    drawn = Mask(drawn.size, drawn.marks[cleared[-1] + 1 :] if cleared else drawn.marks)
    start = f"tt.Mask(({drawn.size[0]}, {drawn.size[1]}))"
    if not drawn.marks:
        return [f"mask = {start}"]
    calls = [call for mark in drawn.marks if (call := mark.code()) is not None]
    if len(calls) == len(drawn.marks) and sum(map(len, calls)) <= CALLS_CAP:
        return ["mask = (", f"    {start}", *(f"    {call}" for call in calls), ")"]
    text = drawn.to_json()
    parts = (repr(text[at : at + LINE]) for at in range(0, len(text), LINE))
    return ["mask = tt.Mask.from_json(", *(f"    {part}" for part in parts), ")"]


def _client(client: Client | AsyncClient) -> list[str]:
    call = client.core.way.call(client.core.form)
    arguments = [_literal("path", value) for value in call.args]
    arguments += [f"{name}={_literal(name, value)}" for name, value in call.kwargs.items()]
    method = f".{call.method}" if call.method else ""
    return [
        *(f"# {comment}" for comment in call.comments),
        f"client = tt.Client{method}({', '.join(arguments)})",
    ]


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
