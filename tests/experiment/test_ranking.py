"""Votes and what is made of them: fair pairs, the right order, honest intervals, and voters who pick a side."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import ttapi_nb as tt
from tests.server import Server
from ttapi_nb.experiment import Cell, Photo, Prompt, TrialCell
from ttapi_nb.experiment.ranking import Ranking, rank
from ttapi_nb.experiment.votes import Entry, choose, entries_of, votes_json
from ttapi_nb.log import Vote

NAMES = "abcde"
STRENGTHS = (1.2, 0.5, 0.0, -0.5, -1.2)


def results(names: str = NAMES, models: tuple[str, ...] = ("m",), repeats: int = 1) -> dict[str, Entry]:
    """A result for each prompt, model and repeat."""
    cells = [
        TrialCell(Cell(1, Prompt(name), name, Photo(None), model, "auto", repeat=repeat), "done")
        for name in names
        for model in models
        for repeat in range(1, repeats + 1)
    ]
    return entries_of(cells)


def voted(entries: dict[str, Entry], count: int, seed: int, tie: float = 0.0) -> list[Vote]:
    """What voters say who see the strengths, through the pairs that are given to them."""
    chance, votes = random.Random(seed), list[Vote]()
    known = dict(zip(NAMES, STRENGTHS, strict=True))
    # Pairs are looked for in few votes, as all of them take the square of their number.
    for number in range(count):
        pair = choose(entries.values(), votes[-60:], "prompt", chance)
        assert pair is not None
        edge = known[pair.left.values["prompt"]] - known[pair.right.values["prompt"]]
        choice = "left" if chance.random() < 1 / (1 + math.exp(-edge)) else "right"
        choice = "tie" if chance.random() < tie else choice
        votes.append(Vote(pair.left.id, pair.right.id, choice, "Ana", 1.0, str(number)))
    return votes


@pytest.mark.slow
def test_strengths_come_back_with_their_intervals() -> None:
    """The order is right, and of 60 times five intervals about 95 % hold the strength that the voters saw."""
    entries, held, first = results(), 0, 0
    for seed in range(60):
        found = rank(entries, voted(entries, 150, seed), "prompt")
        by_name = {one.value: one for one in found.standings}
        first += found.standings[0].value == "a"
        for name, strength in zip(NAMES, STRENGTHS, strict=True):
            one = by_name[name]
            assert one.low is not None
            assert one.high is not None
            held += one.low <= strength <= one.high
    assert first >= 55
    # 300 tries of 95 %: this is within three standard errors.
    assert 0.91 <= held / 300 <= 0.99
    clear = rank(entries, voted(entries, 1200, 7), "prompt")
    assert [one.value for one in clear.standings] == [*NAMES]


def test_pairs_are_fair() -> None:
    """Each two of the values are compared equally often, sides fall evenly, and nothing but the prompt differs."""
    entries = results("abcd", ("m", "n"), repeats=2)
    votes, sides = list[Vote](), Counter[str]()
    chance = random.Random(3)
    for number in range(120):
        pair = choose(entries.values(), votes, "prompt", chance)
        assert pair is not None
        differing = {name for name, value in pair.left.values.items() if value != pair.right.values[name]}
        assert differing == {"prompt"}
        sides[
            min(pair.left.values["prompt"], pair.right.values["prompt"])
            + (pair.left.values["prompt"] < pair.right.values["prompt"]) * "<"
        ] += 1
        votes.append(Vote(pair.left.id, pair.right.id, "tie", "", 1.0, str(number)))
    met = Counter(
        frozenset(entries[one].values["prompt"] for one in (vote.left, vote.right)) for vote in votes
    )
    assert set(met.values()) == {20}
    left = sum(count for name, count in sides.items() if name.endswith("<"))
    assert 35 <= left <= 85
    assert choose(results("a").values(), [], "prompt") is None


def standing(found: Ranking, name: str) -> tuple[int, int, int, float]:
    """Won, lost, tied, and the share of both bad."""
    one = next(one for one in found.standings if one.value == name)
    return one.wins, one.losses, one.ties, one.bad


def made(left: str, right: str, choice: str, count: int, voter: str = "Ana") -> list[Vote]:
    """So many equal votes."""
    ids = {entry.values["prompt"]: key for key, entry in results().items()}
    return [
        Vote(ids[left], ids[right], choice, voter, 1.0, f"{left}{right}{choice}{voter}{n}")
        for n in range(count)
    ]


@pytest.mark.slow
def test_too_few_votes_are_said_to_be_too_few() -> None:
    """Nobody is ranked by a handful of votes, nor one who never lost: its strength has no bound."""
    none = rank(results(), [], "prompt")
    assert all(one.score is None for one in none.standings)
    assert none.notes[0].startswith("Too few votes to rank: 0 so far")
    handful = rank(results(), made("a", "b", "left", 3) + made("a", "b", "right", 2), "prompt")
    assert all(one.score is None for one in handful.standings)
    unbeaten = rank(
        results(),
        made("a", "b", "left", 9) + made("b", "c", "left", 9) + made("b", "c", "right", 9),
        "prompt",
    )
    assert {one.value for one in unbeaten.standings if one.score is not None} == {"b", "c"}
    assert "Too few votes to rank 'a'" in " ".join(unbeaten.notes)
    assert "too few votes" in str(unbeaten)
    assert "can't be told apart" in " ".join(unbeaten.notes)


@pytest.mark.slow
def test_both_bad_is_a_floor_and_no_loss() -> None:
    """It changes nobody's strength, and is told as a share."""
    votes = made("a", "b", "left", 12) + made("a", "b", "right", 6)
    plain = rank(results(), votes, "prompt")
    worse = rank(results(), votes + made("a", "b", "both bad", 6), "prompt")
    assert [one.score for one in plain.standings] == [one.score for one in worse.standings]
    assert standing(worse, "a") == (12, 6, 0, 0.25)
    assert worse.both_bad == 6
    assert "Both were called bad in 6 of 24" in worse.notes[-1]


@pytest.mark.slow
def test_who_always_picks_the_left_is_shown() -> None:
    """A voter of one side is named, one who looks is not, and can be left out."""
    entries = results()
    fair = voted(entries, 60, 1)
    chance = random.Random(9)
    lazy: list[Vote] = []
    for number in range(20):
        pair = choose(entries.values(), lazy, "prompt", chance)
        assert pair is not None
        lazy.append(Vote(pair.left.id, pair.right.id, "left", "Bo", 1.0, f"bo{number}"))
    found = rank(entries, fair + lazy, "prompt")
    assert {voter.name: voter.side for voter in found.voters} == {"Ana": "", "Bo": "left"}
    assert "Bo picked the left 20 of 20 times" in " ".join(found.notes)
    assert rank(entries, fair + lazy, "prompt", without=["Bo"]).votes == 60
    few = rank(entries, made("a", "b", "left", 5, "Cy"), "prompt")
    assert few.voters[0].side == ""


def test_votes_are_handed_in_as_a_file(server: Server, tmp_path: Path) -> None:
    """They are read once, and a file that is none, or of something else, is refused whole."""
    log = tt.RunLog(tmp_path / "log")
    client = tt.Client("key", base_url=server.url)
    trial = tt.Experiment(["a", "b"], models="gpt-image-1.5", name="x").run(client, log=log, progress=False)
    pair = trial.pair()
    assert pair is not None
    mine = trial.vote(pair, "left", "Ana")
    file = tmp_path / "votes.json"
    other = Vote(pair.left.id, pair.right.id, "both bad", "Bo <b>", 2.0, "v2")
    file.write_text(votes_json("x", [mine, other]), encoding="utf-8")
    assert trial.add_votes(file) == 1
    assert trial.add_votes(file) == 0
    assert [vote.voter for vote in trial.votes] == ["Ana", "Bo <b>"]
    assert "<b>" not in trial.ranking()._repr_html_()
    good = json.loads(votes_json("x", [other]))
    for wrong, words in (
        ("{", "no file of votes"),
        (json.dumps(good | {"experiment": "y"}), "on the experiment 'y'"),
        (json.dumps(good | {"votes": [good["votes"][0] | {"left": "z.1"}]}), "has not"),
        (json.dumps(good | {"votes": [good["votes"][0] | {"choice": "me"}]}), "no file of votes"),
        (json.dumps(good | {"votes": [good["votes"][0] | {"time": math.nan}]}), "no file of votes"),
        ("[" * 10_000, "no file of votes"),
    ):
        file.write_text(wrong, encoding="utf-8")
        with pytest.raises(tt.SettingsError, match=words):
            trial.add_votes(file)
    assert len(trial.votes) == 2
    with pytest.raises(tt.SettingsError, match="to rank by"):
        trial.ranking("colour")


@pytest.mark.slow
def test_ties_bring_strengths_together() -> None:
    """A tie is half a win for each."""
    apart = rank(results(), made("a", "b", "left", 20) + made("a", "b", "right", 10), "prompt")
    nearer = rank(
        results(),
        made("a", "b", "left", 20) + made("a", "b", "right", 10) + made("a", "b", "tie", 30),
        "prompt",
    )
    scores = [[one.score for one in found.standings if one.score is not None] for found in (apart, nearer)]
    assert np.ptp(scores[0]) == pytest.approx(math.log(2), abs=1e-3)
    assert np.ptp(scores[1]) == pytest.approx(math.log(35 / 25), abs=1e-3)
