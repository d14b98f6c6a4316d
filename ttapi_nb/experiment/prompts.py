"""Prompts of an experiment: given, read from a file, and templates filled in."""

from __future__ import annotations

import csv
import io
import json
import os
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..errors import SettingsError
from ..text import one_line

__all__ = [
    "Prompt",
    "as_json",
    "check_variables",
    "filled",
    "names_in",
    "prompts_of",
    "read_text",
    "read_yaml",
]

FILE_CAP = 5_000_000
"""The most bytes of a file of prompts, or of a plan."""
SUFFIXES = (".txt", ".csv", ".yaml", ".yml", ".json")
LONGEST_LABEL = 60


@dataclass(frozen=True)
class Prompt:
    """A prompt, or a template of one: `text`, and the `name` it is listed under, which is its beginning if left out."""

    text: str
    name: str = ""

    @property
    def label(self) -> str:
        """What it is called where there is little room."""
        return self.name or one_line(self.text, LONGEST_LABEL)


def prompts_of(source: Any) -> tuple[Prompt, ...]:
    """Prompts from a text, a list of texts, a mapping of names to texts, or a file. Raises `SettingsError`."""
    if isinstance(source, os.PathLike) or (isinstance(source, str) and _is_file(source)):
        source = _read(Path(source).expanduser())
    if isinstance(source, str):
        source = [source]
    if isinstance(source, Mapping):
        prompts = [Prompt(text, str(name)) for name, text in source.items()]
    elif isinstance(source, Sequence):
        prompts = [one if isinstance(one, Prompt) else Prompt(one) for one in source]
    else:
        raise SettingsError("prompts is neither a list of texts nor a file. Use one like ['a blue bowl'].")
    for one in prompts:
        if not isinstance(one.text, str) or not one.text.strip():
            raise SettingsError(
                f"The prompt {one.text!r:.60} is no text that says anything. Write what it should show."
            )
    if not prompts:
        raise SettingsError("There is no prompt. Give at least one.")
    return tuple(prompts)


def _is_file(text: str) -> bool:
    # A prompt that is called like a file which is not there is a mistake in the file's name.
    return text.lower().endswith(SUFFIXES) and "\n" not in text and len(text) < 500


def _read(path: Path) -> Any:
    text = read_text(path)
    kind = path.suffix.lower()
    if kind == ".csv":
        return list(_rows(text, path.name))
    if kind in (".yaml", ".yml", ".json"):
        parsed = read_yaml(text, path.name)
        return parsed.get("prompts", parsed) if isinstance(parsed, dict) else parsed
    return [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def read_text(path: Path) -> str:
    """A small file's text. Raises `SettingsError`."""
    try:
        if path.stat().st_size <= FILE_CAP:
            return path.read_bytes().decode("utf-8-sig")
        why = f"is larger than {FILE_CAP // 1_000_000} MB"
    except OSError as error:
        why = f"can't be read ({error.strerror})"
    except ValueError:
        why = "is not UTF-8 text"
    raise SettingsError(f"{path.name!r} {why}. Give another file.")


def read_yaml(text: str, name: str) -> Any:
    """What stands in a YAML or JSON text, as plain lists, dicts, texts and numbers. Raises `SettingsError`."""
    try:
        # An alias can stand for itself a billion times.
        if not any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
            return yaml.safe_load(text)
        problem = "it uses aliases (*name), which are not taken"
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        place = getattr(error, "problem_mark", None)
        where = f" in line {place.line + 1}" if place is not None else ""
        problem = f"it can't be read{where}"
    raise SettingsError(f"{name!r} is no YAML or JSON for this: {problem}. Mend it there.")


def _rows(text: str, name: str) -> Iterator[Prompt]:
    """The prompts of a table: each row's `prompt`, filled in with the row's other columns, under its `name`."""
    try:
        rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        columns = [column.strip() for column in rows.fieldnames or ()]
        rows.fieldnames = columns
        if "prompt" not in columns:
            raise SettingsError(f"{name!r} has no column 'prompt'. Its first line names the columns.")
        for row in rows:
            prompt = row["prompt"] or ""
            variables = {
                key: value or "" for key, value in row.items() if key not in (None, "prompt", "name")
            }
            if prompt.strip():
                # A table without further columns has plain prompts, in which braces are braces.
                yield Prompt(
                    filled(prompt, variables) if variables else prompt, (row.get("name") or "").strip()
                )
    except csv.Error as error:
        raise SettingsError(f"{name!r} is no CSV file: {error}. Save the table as CSV again.") from None


# Templates


def names_in(template: str) -> tuple[str, ...]:
    """The variables of a template, each once. Raises `SettingsError` for braces that are not theirs."""
    names: list[str] = []
    try:
        for _, name, form, conversion in string.Formatter().parse(template):
            if name is None:
                continue
            # Only plain names: "{a.b}" would reach into whatever stands for a.
            if not name.isidentifier() or form or conversion:
                raise ValueError
            names.append(name)
    except ValueError:
        raise SettingsError(
            f"The template {one_line(template, 80)!r} has braces that name no variable. Write {{name}} for a variable, "
            "and {{ or }} for a brace."
        ) from None
    return tuple(dict.fromkeys(names))


def filled(template: str, values: Mapping[str, str]) -> str:
    """The template with its variables' values. Raises `SettingsError` where one is missing."""
    missing = [name for name in names_in(template) if name not in values]
    if missing:
        known = ", ".join(values) or "none"
        raise SettingsError(
            f"The template {one_line(template, 80)!r} names {missing[0]!r}, and the variables are {known}. Add it to "
            "variables={…}."
        )
    parts = []
    for text, name, _, _ in string.Formatter().parse(template):
        parts.append(text + (values[name] if name is not None else ""))
    return "".join(parts)


def check_variables(variables: Any) -> dict[str, tuple[str, ...]]:
    """Variables as names and their values. Raises `SettingsError`."""
    if not isinstance(variables, Mapping):
        raise SettingsError("variables is no dict. Use one like {'colour': ['teal', 'red']}.")
    checked = {}
    for name, values in variables.items():
        listed = [values] if isinstance(values, str | int | float) else values
        if (
            not isinstance(name, str)
            or not name.isidentifier()
            or not isinstance(listed, Sequence)
            or not listed
        ):
            raise SettingsError(f"variables has {name!r:.40}: use a plain name with a list of values.")
        checked[name] = tuple(dict.fromkeys(map(_word, listed)))
    return checked


def _word(value: Any) -> str:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return str(value)
    raise SettingsError(f"A variable's value is {value!r:.40}, and not a text. Write it in quotes.")


def as_json(value: Any) -> str:
    """A value in one spelling."""
    return json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
