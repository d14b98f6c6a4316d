"""A ranking from votes, by the model of Bradley and Terry, with intervals; and who always picks one side.

The strengths are evalica's: of the two libraries for this that are kept up it has typed results and a compiled solver,
and choix needs scipy's optimisers for the same. Intervals are from the information of the votes at these strengths: how
much each comparison tells, inverted, with the strengths' mean held at 0. A tie is half a win for each. That both are
bad says nothing about which is better, so it is counted apart, as a floor.
"""

from __future__ import annotations

import html
import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import SettingsError
from ..log import Vote
from ..text import so_many
from .votes import Entry

__all__ = ["Ranking", "Standing", "Voter", "rank"]

ENOUGH = 8
"""How many comparisons a value needs before it is ranked."""
WIDE = 1.959964
SURE, LEAST = 0.01, 6
"""A voter is said to pick a side where so many votes or more would fall so one-sidedly by chance this seldom."""
NEEDS = 'A ranking needs evalica: pip install "ttapi-nb[rank]".'


@dataclass(frozen=True)
class Standing:
    """One value's place.

    * `score`: its strength, 0 in the mean of all; one more means winning 73 % of the time against one that is one less.
      `low`, `high`: between these it is with 95 %. All are None where there are too few votes.
    * `wins`, `losses`, `ties`: of its comparisons; `bad`: the share of its showings where both were called bad.
    """

    value: str
    score: float | None
    low: float | None
    high: float | None
    wins: int
    losses: int
    ties: int
    bad: float

    @property
    def comparisons(self) -> int:
        """How often it was compared, without those where both were bad."""
        return self.wins + self.losses + self.ties


@dataclass(frozen=True)
class Voter:
    """One who voted: how often, how often for the left of those that chose a side, and the side they always pick, if
    so.
    """

    name: str
    votes: int
    left: int
    right: int

    @property
    def side(self) -> str:
        """`"left"` or `"right"` where the votes fall on one side more than chance would have it; else empty."""
        count = self.left + self.right
        most = max(self.left, self.right)
        if count < LEAST:
            return ""
        chance = 2 * sum(math.comb(count, k) for k in range(most, count + 1)) / 2**count
        return ("left" if self.left > self.right else "right") if chance < SURE else ""

    @property
    def words(self) -> str:
        """What is to be said of them, if anything."""
        if not self.side:
            return ""
        picked = self.left if self.side == "left" else self.right
        name, of = self.name or "Somebody without a name", self.left + self.right
        return f"{name} picked the {self.side} {picked} of {of} times, whatever stood there: such votes tell nothing."


@dataclass(frozen=True)
class Ranking:
    """The values of one axis, best first; those with too few votes last. `notes` say what a reader should know."""

    by: str
    standings: tuple[Standing, ...]
    voters: tuple[Voter, ...]
    votes: int
    both_bad: int
    notes: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{self.by}, by {so_many(self.votes, 'vote')}"]
        for place, one in enumerate(self.standings, 1):
            score = (
                "too few votes"
                if one.score is None
                else f"{one.score:+.2f} ({one.low:+.2f} to {one.high:+.2f})"
            )
            lines.append(f"{place}. {one.value}: {score}, {one.wins} won, {one.losses} lost, {one.ties} tied")
        return "\n".join((*lines, *self.notes))

    def _repr_html_(self) -> str:
        rows = "".join(
            "<tr>" + "".join(f"<td><bdi>{html.escape(word)}</bdi></td>" for word in words) + "</tr>"
            for words in self.rows
        )
        head = "".join(f"<th>{html.escape(name)}</th>" for name in (self.by, *COLUMNS))
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{notes}"

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The standings in words, for a table with `by` and `COLUMNS` as its head."""
        return [
            (
                one.value,
                "too few votes" if one.score is None else f"{one.score:+.2f}",
                "" if one.low is None or one.high is None else f"{one.low:+.2f} to {one.high:+.2f}",
                str(one.wins),
                str(one.losses),
                str(one.ties),
                f"{one.bad:.0%}",
            )
            for one in self.standings
        ]


COLUMNS = ("strength", "95 %", "won", "lost", "tied", "both bad")


def rank(
    entries: Mapping[str, Entry], votes: Sequence[Vote], by: str, without: Collection[str] = ()
) -> Ranking:
    """The values of the axis `by`, by the votes on `entries`, but for voters that are named in `without`.

    Raises `SettingsError` where no result has such an axis, or evalica is not there.
    """
    values = list(dict.fromkeys(entry.values[by] for entry in entries.values() if by in entry.values))
    if not values:
        raise SettingsError(f"No result has {by!r:.40} to rank by. Use one of the plan's axes.")
    counted = [vote for vote in votes if vote.left in entries and vote.right in entries]
    voters = _voters(counted)
    counted = [vote for vote in counted if vote.voter not in without]
    sides = [
        (entries[vote.left].values.get(by), entries[vote.right].values.get(by), vote.choice)
        for vote in counted
    ]
    compared = [one for one in sides if one[0] != one[1] and one[0] is not None and one[1] is not None]
    games = [one for one in compared if one[2] != "both bad"]
    ranked = _ranked(values, games)
    scores, spread = _fitted(ranked, [one for one in games if {one[0], one[1]} <= set(ranked)])
    standings = [_standing(value, compared, scores.get(value), spread.get(value)) for value in values]
    standings.sort(key=lambda one: (one.score is None, -(one.score or 0.0), -one.comparisons))
    bad = len(compared) - len(games)
    return Ranking(
        by, tuple(standings), voters, len(compared), bad, tuple(_notes(standings, voters, len(compared), bad))
    )


def _ranked(values: Sequence[str], games: Sequence[tuple[Any, Any, str]]) -> list[str]:
    """The largest set of values that can be held against each other: each compared often enough, and each, through
    however many others, both better and worse than every other at least once. The others' strength has no bound.
    """
    kept = list(values)
    while True:
        inside = [one for one in games if one[0] in kept and one[1] in kept]
        counts = Counter(value for one in inside for value in one[:2])
        enough = [value for value in kept if counts[value] >= ENOUGH]
        groups = _mutual(enough, [one for one in inside if one[0] in enough and one[1] in enough])
        best = max(groups, key=len, default=[])
        if best == kept or len(best) < 2:
            return best if len(best) >= 2 else []
        kept = best


def _mutual(values: Sequence[str], games: Sequence[tuple[Any, Any, str]]) -> list[list[str]]:
    """The values in groups, within which each beats each, if through others."""
    beats: dict[str, set[str]] = {value: {value} for value in values}
    for left, right, choice in games:
        if choice in ("left", "tie"):
            beats[left].add(right)
        if choice in ("right", "tie"):
            beats[right].add(left)
    for middle in values:
        for value in values:
            if middle in beats[value]:
                beats[value] |= beats[middle]
    groups: list[list[str]] = []
    for value in values:
        group = [other for other in values if other in beats[value] and value in beats[other]]
        if group not in groups:
            groups.append(group)
    return groups


def _fitted(
    values: Sequence[str], games: Sequence[tuple[Any, Any, str]]
) -> tuple[dict[str, float], dict[str, float]]:
    """Each value's strength, 0 in the mean, and how far it may be off, as a standard error."""
    if len(values) < 2:
        return {}, {}
    try:
        import evalica
    except ImportError:
        raise SettingsError(NEEDS) from None
    winners = {"left": evalica.Winner.X, "right": evalica.Winner.Y, "tie": evalica.Winner.Draw}
    model = evalica.bradley_terry(
        [one[0] for one in games],
        [one[1] for one in games],
        [winners[one[2]] for one in games],
        tolerance=1e-10,
        limit=10_000,
    )
    strengths = np.log([float(model.scores[value]) for value in values])
    strengths -= strengths.mean()
    spread = _spread(strengths, values, games)
    return dict(zip(values, map(float, strengths), strict=True)), dict(
        zip(values, map(float, spread), strict=True)
    )


def _spread(
    strengths: NDArray[Any], values: Sequence[str], games: Sequence[tuple[Any, Any, str]]
) -> NDArray[Any]:
    place = {value: at for at, value in enumerate(values)}
    met = np.zeros((len(values), len(values)))
    for left, right, _ in games:
        met[place[left], place[right]] += 1
        met[place[right], place[left]] += 1
    wins = 1 / (1 + np.exp(strengths[None, :] - strengths[:, None]))
    told = met * wins * (1 - wins)
    information = np.diag(told.sum(axis=1)) - told
    return np.asarray(np.sqrt(np.clip(np.diag(np.linalg.pinv(information)), 0, None)))


def _standing(
    value: str, compared: Sequence[tuple[Any, Any, str]], score: float | None, spread: float | None
) -> Standing:
    mine = [(("left", "right")[one[1] == value], one[2]) for one in compared if value in one[:2]]
    wins = sum(side == choice for side, choice in mine)
    ties = sum(choice == "tie" for _, choice in mine)
    bad = sum(choice == "both bad" for _, choice in mine)
    low = high = None
    if score is not None and spread is not None:
        low, high = score - WIDE * spread, score + WIDE * spread
    return Standing(
        value, score, low, high, wins, len(mine) - wins - ties - bad, ties, bad / len(mine) if mine else 0.0
    )


def _voters(votes: Sequence[Vote]) -> tuple[Voter, ...]:
    counts: dict[str, Counter[str]] = {}
    for vote in votes:
        counts.setdefault(vote.voter, Counter())[vote.choice] += 1
    return tuple(
        Voter(name, choices.total(), choices["left"], choices["right"]) for name, choices in counts.items()
    )


def _notes(standings: Sequence[Standing], voters: Sequence[Voter], votes: int, bad: int) -> list[str]:
    notes = [voter.words for voter in voters if voter.words]
    few = [one.value for one in standings if one.score is None]
    if few and len(few) == len(standings):
        notes.append(
            f"Too few votes to rank: {votes} so far, and each needs {ENOUGH} or more, some won and some lost."
        )
    elif few:
        notes.append(f"Too few votes to rank {', '.join(map(repr, few))}.")
    ranked = [one for one in standings if one.score is not None]
    if len(ranked) > 1 and (ranked[0].low or 0.0) < (ranked[1].high or 0.0):
        notes.append("The first two can't be told apart yet: their intervals overlap.")
    if bad:
        notes.append(
            f"Both were called bad in {bad} of {so_many(votes, 'vote')}, which counts as nobody's win or loss."
        )
    return notes
