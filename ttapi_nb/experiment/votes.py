"""Blind votes: which two results to judge next, and votes as a file that a class can hand in."""

from __future__ import annotations

import itertools
import json
import os
import random
import uuid
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import SettingsError
from ..log import Vote
from .board import TrialCell
from .prompts import FILE_CAP

__all__ = ["CHOICES", "Entry", "Pair", "choose", "entries_of", "read_votes", "votes_json"]

CHOICES = ("left", "right", "tie", "both bad")
FORMAT = 1
MOST_PAIRS = 4_000
"""How many pairs are looked at for the next one; of more, so many by chance."""


@dataclass(frozen=True)
class Entry:
    """A result that can be judged: the `number`th of a cell. `id` is what votes call it; `values` its place on the
    axes.
    """

    cell: TrialCell = field(repr=False)
    number: int = 1

    @property
    def id(self) -> str:
        """What votes call it."""
        return f"{self.cell.key}.{self.number}"

    @property
    def values(self) -> Mapping[str, str]:
        """Its place on each axis, in words."""
        return self.cell.cell.values


@dataclass(frozen=True)
class Pair:
    """Two results to judge, nobody knows which is which: sides are by chance."""

    left: Entry
    right: Entry


def entries_of(cells: Sequence[TrialCell]) -> dict[str, Entry]:
    """All results that are there, by their ids."""
    entries = (
        Entry(one, number) for one in cells if one.state == "done" for number in sorted(one.shown) or (1,)
    )
    return {entry.id: entry for entry in entries}


def choose(
    entries: Collection[Entry], votes: Collection[Vote], by: str, chance: random.Random | None = None
) -> Pair | None:
    """The two to judge next, so that the values of the axis `by` can be ranked; None where there are no two.

    They differ in `by` and in as little else as can be, never in their photo where that can be. Of these, the values
    that were compared least come first, then the results that were.
    """
    chance = chance or random.Random()  # noqa: S311 - no secret
    pairs = _pairs(entries, by, chance)
    if not pairs:
        return None
    of_values: Counter[frozenset[str]] = Counter()
    of_results: Counter[frozenset[str]] = Counter()
    known = {entry.id: entry for entry in entries}
    for vote in votes:
        of_results[frozenset((vote.left, vote.right))] += 1
        if vote.left in known and vote.right in known:
            of_values[frozenset(known[one].values.get(by, "") for one in (vote.left, vote.right))] += 1

    def compared(pair: tuple[Entry, Entry]) -> tuple[int, int, float]:
        values = frozenset(one.values.get(by, "") for one in pair)
        return of_values[values], of_results[frozenset(one.id for one in pair)], chance.random()

    one, other = min(pairs, key=compared)
    return Pair(one, other) if chance.random() < 0.5 else Pair(other, one)


def _pairs(entries: Collection[Entry], by: str, chance: random.Random) -> list[tuple[Entry, Entry]]:
    # In everything else alike; else of the same photo; else any.
    for alike in (
        lambda values: tuple(sorted(values.items())),
        lambda values: values.get("photo"),
        lambda values: (),
    ):
        groups: dict[object, list[Entry]] = {}
        for entry in entries:
            rest = {name: value for name, value in entry.values.items() if name != by}
            groups.setdefault((alike(rest), entry.number), []).append(entry)
        pairs = [
            pair
            for group in groups.values()
            for pair in itertools.islice(
                itertools.combinations(chance.sample(group, len(group)), 2), MOST_PAIRS
            )
            if pair[0].values.get(by) != pair[1].values.get(by)
        ]
        if pairs:
            return chance.sample(pairs, MOST_PAIRS) if len(pairs) > MOST_PAIRS else pairs
    return []


# As a file


def votes_json(name: str, votes: Sequence[Vote]) -> str:
    """Votes as the file that a report gives, for `Trial.add_votes`."""
    listed = [
        {name: getattr(vote, name) for name in ("id", "left", "right", "choice", "voter", "time")}
        for vote in votes
    ]
    return json.dumps({"format": FORMAT, "experiment": name, "votes": listed}, ensure_ascii=True)


def read_votes(path: str | os.PathLike[str], name: str, known: Collection[str]) -> list[Vote]:
    """The votes in a file of a report of this experiment, on results that are `known`. Raises `SettingsError`."""
    where = Path(path).expanduser()
    try:
        if where.stat().st_size > FILE_CAP:
            raise SettingsError(
                f"{where.name!r} is larger than any file of votes. Use the one that the report gave."
            )
        read = json.loads(where.read_bytes())
        if read["format"] != FORMAT or not isinstance(read["votes"], list):
            raise ValueError
        votes = [_vote(one) for one in read["votes"]]
        experiment = str(read["experiment"])
    except OSError as error:
        problem = f"{where.name!r} can't be read ({error.strerror}). Give another file."
    except SettingsError:
        raise
    except (KeyError, TypeError, ValueError, RecursionError):
        problem = f"{where.name!r} is no file of votes, or it is damaged. Use the one that the report gave."
    else:
        if experiment != name:
            problem = f"{where.name!r} has votes on the experiment {experiment!r:.80}, and not on {name!r}."
        elif any(vote.left not in known or vote.right not in known for vote in votes):
            problem = (
                f"{where.name!r} has votes on results that this experiment has not. Use its own report's."
            )
        else:
            return votes
    raise SettingsError(problem)


def _vote(read: object) -> Vote:
    if not isinstance(read, dict):
        raise TypeError
    words = [read[name] for name in ("left", "right", "choice", "voter", "id")]
    time = read.get("time", 0.0)
    good = all(isinstance(word, str) and len(word) <= 200 for word in words)
    if (
        not good
        or words[2] not in CHOICES
        or isinstance(time, bool)
        or not isinstance(time, int | float)
        or not 0 <= time < 1e12
    ):
        raise ValueError
    return Vote(words[0], words[1], words[2], words[3], float(time), words[4] or uuid.uuid4().hex)
