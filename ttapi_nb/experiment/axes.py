"""The product of an experiment's axes, of which some may go together: its combinations in order."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import SettingsError

__all__ = ["combinations", "groups_of"]

SINGULAR = {"prompts": "prompt", "photos": "photo", "models": "model", "sizes": "size"}


def groups_of(zipped: Any, axes: Mapping[str, Sequence[Any]]) -> tuple[tuple[str, ...], ...]:
    """Which axes go together, step by step, from `zip=`. Raises `SettingsError`."""
    if not zipped:
        return ()
    several = not all(isinstance(one, str) for one in zipped)
    groups = []
    for group in zipped if several else [zipped]:
        names = tuple(SINGULAR.get(name, name) for name in group)
        unknown = [name for name in names if name not in axes]
        if unknown:
            raise SettingsError(f"zip names {unknown[0]!r:.40}, which is none of {', '.join(axes)}.")
        lengths = {name: len(axes[name]) for name in names}
        if len(set(lengths.values())) != 1:
            counted = ", ".join(f"{count} of {name}" for name, count in lengths.items())
            raise SettingsError(f"What goes together must be equally many, and there are {counted}.")
        groups.append(names)
    taken = [name for group in groups for name in group]
    if len(taken) != len(set(taken)):
        raise SettingsError("zip names an axis twice. Put all that go together into one group.")
    return tuple(groups)


def combinations(
    axes: Mapping[str, Sequence[Any]], together: Sequence[tuple[str, ...]]
) -> Iterator[dict[str, Any]]:
    """Each combination by the axes' names; the first axis changes slowest."""
    groups: list[tuple[str, ...]] = []
    for name in axes:
        group = next((one for one in together if name in one), (name,))
        if group not in groups:
            groups.append(group)
    steps = [list(zip(*(axes[name] for name in group), strict=True)) for group in groups]
    for taken in itertools.product(*steps):
        yield {
            name: value
            for group, values in zip(groups, taken, strict=True)
            for name, value in zip(group, values, strict=True)
        }
