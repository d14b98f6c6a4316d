"""What made a picture, step by step: written into each result that is saved, and read back from it.

It travels as one JSON text (see `metadata` for where in the file), so Pillow alone can read it:
`json.loads(Image.open("sofa.png").text["ttapi_nb"])`. It holds no key, no address, no path and nothing of the camera.
A lineage is a note and no proof: whoever can write the file can write the note.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import os
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from PIL import Image

from .errors import ImageError, MaskError, ResultError
from .forking import cached
from .mask import Bitmap, Mark, Mask, Shape, Stroke
from .metadata import TEXT_CAP
from .models import OFFLINE_NOTICE
from .picture import FILE_CAP, FORMATS, PIXEL_CAP, ImageSource, SourceImage, open_image, thumbnail_html
from .request import EditRequest

__all__ = [
    "FORMAT",
    "MASK_CAP",
    "STEPS_CAP",
    "Lineage",
    "OpenedResult",
    "Origin",
    "Step",
    "bare_name",
    "is_drawable",
    "lineage_of",
    "next_lineage",
    "open_result",
    "step_of",
]

FORMAT = 1
"""The version of what is written here; a later one may mean something else by the same words."""

MASK_CAP = 256_000
"""A drawing whose JSON is longer than this, in characters, stays out: only its hash is written."""

STEPS_CAP = 100
"""The most steps that are written; of a longer chain the newest."""

# Fields of an edit that are written: `user` and `extra_body` may name a person or hold a gateway's secret.
OPTIONS = tuple(
    item.name
    for item in fields(EditRequest)
    if item.name not in ("image", "prompt", "mask", "model", "user", "extra_body", "stream", "partial_images")
)
# What drawing a mask may cost, in pixels that are looked at, about a quarter of a minute; and in bytes at once.
WORK_CAP = 1e10
MEMORY_CAP = 800e6
# How many files of a folder are looked at for a source, and how many of these are opened whole.
LOOKED_AT, OPENED = 200, 8
# Longer than any word the service takes as a model or an option.
WORD_CAP = 200
LONGEST_SIDE = 1_000_000

Kind = TypeVar("Kind")


@dataclass(frozen=True)
class Origin:
    """A picture that went into a step: its bare file name, its size (width, height in pixels) and its `digest`, the
    SHA-256 of its pixels that `SourceImage.digest` is.
    """

    name: str
    size: tuple[int, int]
    digest: str


@dataclass(frozen=True, kw_only=True)
class Step:
    """One edit, as far as a saved result tells of it.

    * `prompt`, `model`; `options`: the other fields of the edit that were set, as `edit(**options)` takes them.
    * `sources`: the pictures that went in, the edited one first.
    * `mask_digest`: SHA-256 of the mask's size and coverage, or "" where there was none; `mask` is the mask itself
      where it was small enough to be written.
    * `fit`: how the picture was to be fitted; `plan`: what was done, in words; `box`: what was sent of it, (left, top,
      right, bottom), and `sent_size` the size that this was sent at.
    * `strict`: whether what lies outside the mask was to stay, `kept`: whether it did, before a JPEG blurred it.
    * `leak`: (share, mean) as in `Leak`, or None where it was not measured.
    * `number`: which of the run's results, from 1; `time`: when it was made, in UTC; `version`: ttapi_nb's own.
    * `offline`: whether the embedded service made it.
    """

    prompt: str
    model: str
    options: Mapping[str, Any]
    sources: tuple[Origin, ...]
    mask_digest: str = ""
    drawing: str = field(default="", repr=False)
    fit: str = "auto"
    plan: str = ""
    box: tuple[int, int, int, int] | None = None
    sent_size: tuple[int, int] | None = None
    strict: bool = True
    kept: bool = False
    leak: tuple[float, float] | None = None
    number: int = 1
    time: datetime
    version: str
    offline: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", MappingProxyType(dict(self.options)))

    def __reduce__(self) -> tuple[Any, ...]:
        # A read-only view of a dict can't be pickled.
        given = {item.name: getattr(self, item.name) for item in fields(self)}
        return partial(type(self), **given | {"options": dict(self.options)}), ()

    @property
    def source(self) -> Origin:
        """The picture that was edited."""
        return self.sources[0]

    @property
    def mask(self) -> Mask | None:
        """The mask mark by mark, or None where there was none, it was too large to be written, or it can't be used."""
        if not self.drawing:
            return None
        try:
            mask = Mask.from_json(self.drawing)
        except MaskError:
            return None
        # A few bytes of a hostile file may ask for hours of drawing.
        return mask if mask.size == self.source.size and is_drawable(mask) else None


@dataclass(frozen=True)
class Lineage:
    """The steps that made a picture, oldest first; `earlier` counts those before them that are no longer written."""

    steps: tuple[Step, ...]
    earlier: int = 0

    def __repr__(self) -> str:
        count = len(self.steps) + self.earlier
        return f"Lineage({count} step{'' if count == 1 else 's'}, last: {_short(self.steps[-1].prompt)!r})"

    def to_json(self) -> str:
        """The lineage as it is written into a file: ASCII, at most a million characters.

        Where it would be longer, the oldest drawings are left out first and then the oldest steps; "" where not even
        the last step has room.
        """
        steps, earlier = list(self.steps[-STEPS_CAP:]), self.earlier + max(0, len(self.steps) - STEPS_CAP)
        written = [_dump(_step_out(step)) for step in steps]
        room = TEXT_CAP - 200
        for at, step in enumerate(steps):
            if sum(map(len, written)) + len(written) <= room:
                break
            written[at] = _dump(_step_out(replace(step, drawing="")))
        while written and sum(map(len, written)) + len(written) > room:
            del written[0]
            earlier += 1
        if not written:
            return ""
        return (
            f'{{"format":{FORMAT},"software":"ttapi_nb","earlier":{earlier},"steps":[{",".join(written)}]}}'
        )

    @classmethod
    def from_json(cls, text: str) -> Lineage:
        """The lineage that `to_json` wrote; every word of it is checked. Raises `ResultError`."""
        problem = "The lineage is damaged. Open the picture alone with open_image()."
        try:
            if len(text) > TEXT_CAP:
                raise ValueError
            read = json.loads(text, parse_constant=_no_constant)
            if isinstance(read["format"], int) and read["format"] > FORMAT:
                problem = "The lineage was written by a newer ttapi_nb. Update yours to read it."
                raise ValueError
            if read["format"] != FORMAT:
                raise ValueError
            steps = _is(list, read["steps"])
            if not 1 <= len(steps) <= STEPS_CAP:
                raise ValueError
            return cls(tuple(map(_step_in, steps)), _count(read.get("earlier", 0), 0))
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError, RecursionError):
            pass
        raise ResultError(problem)


@dataclass(frozen=True, eq=False)
class OpenedResult:
    """A saved result, and what made it.

    * `picture`: the result; use it as the source of the next edit, and the lineage goes on.
    * `lineage`: its steps, oldest first.
    * `source`: the picture that the last step edited, where it was at hand, else None.
    """

    picture: SourceImage
    lineage: Lineage
    source: SourceImage | None = None

    def __repr__(self) -> str:
        return f"OpenedResult({self.picture!r}, {self.lineage!r})"

    @property
    def step(self) -> Step:
        """The last step, the one that made the picture."""
        return self.lineage.steps[-1]

    @property
    def prompt(self) -> str:
        """The last step's prompt."""
        return self.step.prompt

    @property
    def model(self) -> str:
        """The last step's model."""
        return self.step.model

    @property
    def options(self) -> Mapping[str, Any]:
        """The last step's size, n and other options that were set."""
        return self.step.options

    @cached
    def mask(self) -> Mask | None:
        """The last step's mask, or None where there was none or only its hash was kept."""
        return self.step.mask

    def _repr_html_(self) -> str:
        import html

        lines = []
        for number, step in enumerate(self.lineage.steps, self.lineage.earlier + 1):
            asked = html.escape(_short(step.prompt, 300))
            how = html.escape(f"{step.model}, {step.time:%Y-%m-%d %H:%M} UTC{', offline' * step.offline}")
            # bdi: a prompt may hold characters that turn the direction of what stands after it.
            lines.append(f'<li value="{number}"><bdi>{asked}</bdi> (<bdi>{how}</bdi>)</li>')
        notice = f"<p>{html.escape(OFFLINE_NOTICE)}</p>" if self.step.offline else ""
        return (
            f"{thumbnail_html(self.picture.pixels, self.picture.name, 512)}<ol>{''.join(lines)}</ol>{notice}"
        )


def open_result(
    file: ImageSource, *, source: ImageSource | None = None, pixel_cap: int = PIXEL_CAP
) -> OpenedResult:
    """Open a saved result together with what made it.

    `file` is what `open_image` takes. `source` is the picture that it was made from; left out, it is looked for by its
    pixels among the files beside `file`, where that is a path.

    Raises `ImageError` where the picture can't be opened, and `ResultError` where it has no lineage that can be read,
    or `source` is another picture.
    """
    picture = open_image(file, pixel_cap=pixel_cap)
    if not picture._lineage:
        raise ResultError(
            f"{picture.name!r} carries no lineage: ttapi_nb did not save it, or another program has removed it since. "
            "Open the picture alone with open_image()."
        )
    lineage = Lineage.from_json(picture._lineage)
    origin = lineage.steps[-1].source
    if source is not None:
        found = open_image(source, pixel_cap=pixel_cap)
        if found.digest != origin.digest:
            raise ResultError(
                f"{found.name!r} is not the picture that this result was made from, which was {origin.name!r}, "
                f"{origin.size[0]}x{origin.size[1]}. Give that one, or leave source out."
            )
        return OpenedResult(picture, lineage, found)
    return OpenedResult(picture, lineage, _beside(file, origin, pixel_cap))


def lineage_of(picture: SourceImage) -> Lineage | None:
    """What made a picture: of one that was opened from a saved result, or of a `Result`'s. None where there is no
    lineage that can be read.
    """
    try:
        return Lineage.from_json(picture._lineage) if picture._lineage else None
    except ResultError:
        return None


def step_of(
    request: EditRequest,
    *,
    fit: str = "auto",
    plan: str = "",
    box: tuple[int, int, int, int] | None = None,
    sent_size: tuple[int, int] | None = None,
    strict: bool = True,
    offline: bool = False,
) -> Step:
    """The step that `request`, as it was asked for and before it was fitted, stands for; now. Hashes its pictures."""
    from . import __version__

    mask = request.mask
    if isinstance(mask, SourceImage):
        # A mask that says nothing can be sent unchecked.
        mask = Mask.from_image(mask, edit="transparent") if mask.pixels.mode == "RGBA" else None
    drawing = "" if mask is None else _dump(json.loads(mask.to_json()))
    return Step(
        # What was sent unchecked may be anything, and what is written must be readable again.
        prompt=str(request.prompt),
        model=str(request.model)[:WORD_CAP],
        options={name: value for name, value in request.body().items() if name in OPTIONS and _fits(value)},
        sources=tuple(
            Origin(bare_name(source.name), source.size, source.digest) for source in request.image[:STEPS_CAP]
        ),
        mask_digest="" if mask is None else _mask_digest(mask),
        drawing=drawing if len(drawing) <= MASK_CAP else "",
        fit=fit[:WORD_CAP],
        plan=plan,
        box=box,
        sent_size=sent_size,
        strict=strict,
        time=datetime.now(UTC).replace(microsecond=0),
        version=__version__,
        offline=offline,
    )


def next_lineage(source: SourceImage, step: Step) -> Lineage:
    """The lineage of what `step` made of `source`: the source's own, and this step."""
    before = lineage_of(source)
    return Lineage((*before.steps, step), before.earlier) if before else Lineage((step,))


# Writing


def _dump(value: object) -> str:
    # ASCII, so that nothing invisible stands in the file, and XML can hold all of it.
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def _step_out(step: Step) -> dict[str, Any]:
    mask: dict[str, Any] | None = None
    if step.mask_digest:
        mask = {"sha256": step.mask_digest}
        if step.drawing:
            mask["drawing"] = json.loads(step.drawing)
    return {
        "prompt": step.prompt,
        "model": step.model,
        "options": dict(step.options),
        "sources": [
            {"name": origin.name, "size": origin.size, "sha256": origin.digest} for origin in step.sources
        ],
        "mask": mask,
        "fit": step.fit,
        "plan": step.plan,
        "box": step.box,
        "sent_size": step.sent_size,
        "strict": step.strict,
        "kept": step.kept,
        "leak": None if step.leak is None else {"share": step.leak[0], "mean": step.leak[1]},
        "number": step.number,
        "time": step.time.isoformat(),
        "version": step.version,
        "offline": step.offline,
    }


def _mask_digest(mask: Mask) -> str:
    head = f"L {mask.size[0]}x{mask.size[1]} ".encode()
    return hashlib.sha256(head + mask.coverage().tobytes()).hexdigest()


def bare_name(name: str) -> str:
    """The last part of a name, without what could not be seen or would lead out of a folder."""
    last = re.split(r"[/\\:]", name)[-1]
    return "".join(letter for letter in last if letter.isprintable()).strip(" .")[:100] or "image"


# Reading: each of these raises ValueError or TypeError where the value is not what it should be


def _step_in(read: Any) -> Step:
    given = _is(dict, read)
    options = _is(dict, given["options"])
    mask = {} if given["mask"] is None else _is(dict, given["mask"])
    leak = None if given["leak"] is None else _is(dict, given["leak"])
    drawing = _dump(mask["drawing"]) if mask.get("drawing") is not None else ""
    sources = tuple(map(_origin_in, _is(list, given["sources"])))
    if not 1 <= len(sources) <= STEPS_CAP:
        raise ValueError
    return Step(
        prompt=_is(str, given["prompt"]),
        model=_word(given["model"]),
        options={name: _option(options[name]) for name in OPTIONS if name in options},
        sources=sources,
        mask_digest=_digest(mask["sha256"]) if mask else "",
        drawing=drawing if len(drawing) <= MASK_CAP else "",
        fit=_word(given["fit"]),
        plan=_is(str, given["plan"]),
        box=None if given["box"] is None else _box(given["box"]),
        sent_size=None if given["sent_size"] is None else _size(given["sent_size"]),
        strict=_is(bool, given["strict"]),
        kept=_is(bool, given["kept"]),
        leak=None if leak is None else (_level(leak["share"], 1), _level(leak["mean"], 255)),
        number=_count(given["number"], 1),
        time=_time(given["time"]),
        version=_word(given["version"]),
        offline=_is(bool, given["offline"]),
    )


def _origin_in(read: Any) -> Origin:
    given = _is(dict, read)
    return Origin(bare_name(_is(str, given["name"])), _size(given["size"]), _digest(given["sha256"]))


def _is(kind: type[Kind], value: Any) -> Kind:
    if not isinstance(value, kind):
        raise TypeError
    return value


def _word(value: Any) -> str:
    if len(_is(str, value)) > WORD_CAP:
        raise ValueError
    return str(value)


def _option(value: Any) -> str | int:
    return _word(value) if isinstance(value, str) else _count(value, 0)


def _fits(value: Any) -> bool:
    try:
        _option(value)
    except (TypeError, ValueError):
        return False
    return True


def _count(value: Any, least: int) -> int:
    if isinstance(value, bool) or not least <= _is(int, value) <= LONGEST_SIDE:
        raise ValueError
    return int(value)


def _size(value: Any) -> tuple[int, int]:
    width, height = _is(list, value)
    return _count(width, 1), _count(height, 1)


def _box(value: Any) -> tuple[int, int, int, int]:
    # It may reach beyond the picture.
    left, top, right, bottom = (_count(number, -LONGEST_SIDE) for number in _is(list, value))
    return left, top, right, bottom


def _digest(value: Any) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", _is(str, value)):
        raise ValueError
    return str(value)


def _level(value: Any, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise ValueError
    return float(value)


def _time(value: Any) -> datetime:
    time = datetime.fromisoformat(_word(value))
    # Without a zone it could be any hour.
    if time.tzinfo is None:
        raise ValueError
    return time.astimezone(UTC)


def _no_constant(name: str) -> float:
    raise ValueError(name)


def _short(text: str, most: int = 40) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


# A mask's cost, and a source's place


def is_drawable(mask: Mask) -> bool:
    """Whether a mask that came from elsewhere can be drawn in bearable time and memory."""
    costs = _costs(mask)
    return (
        math.fsum(work for work, _ in costs) <= WORK_CAP
        and max((held for _, held in costs), default=0) <= MEMORY_CAP
    )


def _costs(mask: Mask) -> list[tuple[float, float]]:
    """For each mark about how many pixels are looked at to draw it, and how many bytes are held at once for it.

    A stroke's pixels cost ten times as much as others.
    """
    width, height = mask.size

    def area(xs: Iterable[float], ys: Iterable[float], reach: float) -> float:
        xs, ys = list(xs), list(ys)
        across = min(width, max(xs) + reach) - max(0, min(xs) - reach)
        down = min(height, max(ys) + reach) - max(0, min(ys) - reach)
        return max(0.0, across) * max(0.0, down)

    def cost(mark: Mark) -> tuple[float, float]:
        if isinstance(mark, Stroke):
            points = mark.points
            areas = [
                area((one[0], two[0]), (one[1], two[1]), max(one[2], two[2]) + 1)
                for one, two in zip(points, points[1:] or points, strict=False)
            ]
            # Distances are floats, and there are several of them.
            return 10 * sum(areas), 20 * max(areas)
        if isinstance(mark, Shape):
            covered = area((x for x, _ in mark.points), (y for _, y in mark.points), 0)
            # A rectangle is worked out in floats, the others are drawn four times as large.
            return 16 * covered, 17 * covered
        if isinstance(mark, Bitmap):
            return mark.size[0] * mark.size[1], 2 * mark.size[0] * mark.size[1]
        grows = mark.what in ("grow", "shrink")
        reach = min(mark.pixels, max(width, height))
        rows = 2 * min(mark.pixels, height) + 1 if grows else 4
        padded = (width + 2 * min(reach, width)) * height
        return width * height * rows, padded * (2 + math.log2(2 * reach + 2)) if grows else 4 * width * height

    return [cost(mark) for mark in mask.marks]


def _beside(file: ImageSource, origin: Origin, pixel_cap: int) -> SourceImage | None:
    """The picture with `origin`'s pixels in the folder of `file`, or None."""
    if not isinstance(file, str | os.PathLike) or str(file).lower().startswith(("http://", "https://")):
        return None
    return find_source(origin, Path(file).parent, besides=Path(file).name, pixel_cap=pixel_cap)


def find_source(
    origin: Origin, folder: Path, *, besides: str = "", pixel_cap: int = PIXEL_CAP
) -> SourceImage | None:
    """The picture with `origin`'s pixels among the files of `folder`, but for the one named `besides`; or None."""
    paths = (path for path in _candidates(folder, origin) if path.name != besides and _may_be(path, origin))
    for path in itertools.islice(paths, OPENED):
        try:
            found = open_image(path, pixel_cap=pixel_cap)
        except ImageError:
            continue
        if found.digest == origin.digest:
            return found
    return None


def _candidates(folder: Path, origin: Origin) -> list[Path]:
    """Some pictures of a folder, those of the right name first."""
    found: list[Path] = []
    try:
        # A folder may hold millions of other files.
        for path in itertools.islice(folder.iterdir(), 50 * LOOKED_AT):
            if path.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp"):
                found.append(path)
                if len(found) == LOOKED_AT:
                    break
    except OSError:
        return []
    named = folder / origin.name
    if named.suffix and named not in found:
        found.append(named)
    return sorted(found, key=lambda path: (path.name != origin.name, path.stem != origin.name, path.name))


def _may_be(path: Path, origin: Origin) -> bool:
    """Whether a file's head says that it is a picture of `origin`'s size, upright or turned."""
    try:
        # A pipe or a device would keep whoever opens it waiting.
        if not path.is_file() or path.stat().st_size > FILE_CAP:
            return False
        with warnings.catch_warnings():
            # Only its head is read here.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as head:
                return origin.size in (head.size, head.size[::-1])
    except Exception:  # noqa: BLE001 - decoders fail on hostile bytes with any error at all
        return False
