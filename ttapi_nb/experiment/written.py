"""A plan as JSON and back, and read from a file that a person wrote."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import MaskError, SettingsError
from ..log import RunLog
from ..mask import Mask
from ..picture import ImageSource
from .photos import Photo, kept
from .prompts import Prompt, as_json, read_text, read_yaml

if TYPE_CHECKING:
    from .plan import Plan

__all__ = ["digest_of", "plan_in", "plan_out", "read_plan"]

FORMAT = 1
NOT_A_PLAN = "This is no plan of an experiment, or it is damaged. Use what Experiment.to_json() wrote."
NEWER = "A newer ttapi_nb has written this plan. Update yours to read it."
NAMES = (
    "prompts",
    "photos",
    "models",
    "sizes",
    "options",
    "repeats",
    "variables",
    "zip",
    "fit",
    "strict",
    "name",
)


def plan_out(plan: Plan) -> str:
    """The plan as JSON."""
    return json.dumps(
        {"format": FORMAT, "name": plan.name} | _content(plan), ensure_ascii=True, allow_nan=False
    )


def digest_of(plan: Plan) -> str:
    """SHA-256 of what is in the plan, in hex."""
    return hashlib.sha256(as_json(_content(plan)).encode()).hexdigest()


def _content(plan: Plan) -> dict[str, Any]:
    content = {
        "prompts": [{"text": one.text, "name": one.name} for one in plan.prompts],
        "photos": [_photo_out(one) for one in plan.photos],
        "models": list(plan.models),
        "sizes": list(plan.sizes),
        "options": {name: list(values) for name, values in plan.options.items()},
        "variables": {name: list(values) for name, values in plan.variables.items()},
        "repeats": plan.repeats,
        "zip": [list(group) for group in plan.together],
        "fit": plan.fit,
        "strict": plan.strict,
        "skip": dict(plan.ruled_out),
    }
    try:
        json.dumps(content, allow_nan=False).encode()
        "".join((*plan.models, *(one.text for one in plan.prompts))).encode()
    except (TypeError, ValueError):
        raise SettingsError(
            "The plan can't be written down: a prompt holds half of a character, or an option something else than "
            "text, numbers, lists and dicts. Change it."
        ) from None
    return content


def _photo_out(photo: Photo) -> dict[str, Any] | None:
    if photo.picture is None:
        return {"name": photo.name} if photo.name else None
    mask = json.loads(photo.drawing) if photo.drawing else None
    return {"name": photo.label, "sha256": photo.digest, "mask": mask}


def plan_in(text: str, photos: Sequence[ImageSource | Photo], log: RunLog | None) -> dict[str, Any]:
    """What `Experiment` takes, of its JSON. Raises `SettingsError` or `ResultError`."""
    problem = NOT_A_PLAN
    try:
        read = json.loads(text)
        if isinstance(read["format"], int) and read["format"] > FORMAT:
            problem = NEWER
            raise ValueError
        arguments = {name: read[name] for name in (*NAMES, "skip")}
        arguments["prompts"] = [Prompt(str(one["text"]), str(one["name"])) for one in read["prompts"]]
        if not all(isinstance(arguments[name], dict) for name in ("options", "variables", "skip")):
            raise TypeError
        records = [_photo_in(one) for one in read["photos"]]
        arguments["skip"] = {str(key): str(why) for key, why in read["skip"].items()}
    except (KeyError, TypeError, ValueError, RecursionError, AttributeError):
        raise SettingsError(problem) from None
    arguments["photos"] = [_photo(name, digest, mask, photos, log) for name, digest, mask in records]
    return arguments


def _photo_in(read: Any) -> tuple[str, str, str]:
    if read is None:
        return "", "", ""
    mask = read.get("mask")
    return str(read.get("name", "")), str(read.get("sha256", "")), "" if mask is None else json.dumps(mask)


def _photo(
    name: str, digest: str, drawing: str, photos: Sequence[ImageSource | Photo], log: RunLog | None
) -> Photo:
    if not digest:
        return Photo(None, None, name)
    try:
        mask = Mask.from_json(drawing) if drawing else None
    except MaskError:
        raise SettingsError(NOT_A_PLAN) from None
    return Photo(kept(digest, name, log, photos), mask, name, digest)


# A plan that a person wrote


def read_plan(path: Path) -> dict[str, Any]:
    """What `Experiment` takes, of a YAML or JSON file. Raises `SettingsError`."""
    path = path.expanduser()
    arguments = read_yaml(read_text(path), path.name)
    if not isinstance(arguments, dict):
        raise SettingsError(
            f"{path.name!r} is no plan: its lines are 'prompts: …', 'photos: …', 'models: …'."
        )
    for key in arguments:
        if key not in NAMES:
            close = difflib.get_close_matches(str(key), NAMES, 1)
            hint = f"Did you mean {close[0]!r}?" if close else f"It takes {', '.join(NAMES)}."
            raise SettingsError(f"{path.name!r} has {key!r:.40}, which is not known. {hint}")
    if "prompts" not in arguments:
        raise SettingsError(f"{path.name!r} has no prompts. Add them: 'prompts: [a blue bowl]'.")
    folder = path.resolve().parent
    if isinstance(arguments["prompts"], str) and (folder / arguments["prompts"]).is_file():
        arguments["prompts"] = folder / arguments["prompts"]
    photos = arguments.get("photos")
    listed = photos if isinstance(photos, list) else [] if photos is None else [photos]
    arguments["photos"] = [_from(folder, one) for one in listed]
    arguments.setdefault("name", path.stem)
    return arguments


def _from(folder: Path, photo: Any) -> Any:
    """A photo of a plan, its paths taken from the plan's folder."""
    if isinstance(photo, str) and (folder / photo).is_file():
        return folder / photo
    if isinstance(photo, Mapping):
        return {key: value if key == "name" else _from(folder, value) for key, value in photo.items()}
    if isinstance(photo, list):
        return tuple(_from(folder, one) for one in photo)
    return photo
