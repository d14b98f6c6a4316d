"""Budgets and price tables: what they count, what they refuse, and that nothing is made up."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.server import PATIENCE, Reply, Server, html_reply, json_reply, pictures
from ttapi_nb import (
    Budget,
    BudgetError,
    Client,
    EditRequest,
    PriceTable,
    RefusedError,
    RunLog,
    SettingsError,
    UnknownOutcomeError,
    edit,
    start_edit,
)
from ttapi_nb.log.budget import Estimate, Spent, asked_images, asked_partials, sent_options

KEY = "test-key-0123456789"
TABLE = PriceTable(
    {
        "gpt-image-1.5": 4,
        ("gpt-image-1.5", "1024x1024"): 3,
        ("gpt-image-1.5", "1024x1024", "high"): 17,
        ("dall-e-2",): 2,
        ("other", "auto"): 0.5,
        ("whole", "auto", "auto"): 7,
    },
    "quota",
)


@pytest.fixture
def log(tmp_path: Path) -> RunLog:
    """A log of the test's own."""
    return RunLog(tmp_path / "log")


def _edit(server: Server, photo: Image.Image, log: RunLog, budget: Budget, **more: Any) -> None:
    edit(photo, "x", client=Client(KEY, base_url=server.url), log=log, budget=budget, **more)


# Prices


@pytest.mark.parametrize(
    ("model", "options", "expected"),
    [
        ("gpt-image-1.5", {}, 4),
        ("gpt-image-1.5", {"size": "1536x1024"}, 4),
        ("gpt-image-1.5", {"size": "1024x1024"}, 3),
        ("gpt-image-1.5", {"size": "1024x1024", "quality": "low"}, 3),
        ("gpt-image-1.5", {"size": "1024x1024", "quality": "high"}, 17),
        ("dall-e-2", {"size": "256x256"}, 2),
        ("other", {}, 0.5),
        ("other", {"size": "256x256"}, None),
        ("gpt-image-2", {}, None),
        ("gpt-image-1.5", {"mode": "gpt-image-2"}, None),
        ("gpt-image-1.5", {"model": "gpt-image-2"}, None),
        ("whole", {}, 7),
        ("whole", {"quality": "low"}, None),
    ],
)
def test_price_of_one(model: str, options: dict[str, Any], expected: float | None) -> None:
    """The entry that says most counts; where there is none, or the model is not surely known, the price is unknown."""
    assert TABLE.one(model, options) == expected


def test_price_function() -> None:
    """A function gets the model and the fields as they are sent, and may say that it does not know."""
    seen: list[tuple[str, dict[str, Any]]] = []

    def price(model: str, options: Mapping[str, Any]) -> float | None:
        seen.append((model, dict(options)))
        return 0.25 if model == "gpt-image-1.5" else None

    table = PriceTable(price, "USD")
    known = Budget(prices=table).estimate(EditRequest(prompt="x", n=3, size="1024x1024"))
    assert (known, known.words) == (Estimate(3, None, 0.75, "USD"), "0.75 USD")
    unknown = Budget(prices=table).estimate(EditRequest(prompt="x", model="mine"))
    assert (unknown.cost, unknown.words) == (None, "unknown")
    assert seen == [("gpt-image-1.5", {"n": 3, "size": "1024x1024"}), ("mine", {"n": 1})]


@pytest.mark.parametrize("wrong", [float("nan"), -1, "4", True, float("inf")])
def test_price_that_is_none(wrong: Any) -> None:
    """What is no price is refused, in a table at once, from a function when it is asked."""
    with pytest.raises(SettingsError, match="not a number of 0 or more"):
        PriceTable({"gpt-image-1.5": wrong}, "USD")
    with pytest.raises(SettingsError, match="not a number of 0 or more"):
        PriceTable(lambda model, options: wrong, "USD").one("gpt-image-1.5", {})


def test_table_that_is_none() -> None:
    """Entries that name no model, prices of another kind and currencies that are no word are refused."""
    with pytest.raises(SettingsError, match="names no model"):
        PriceTable({("gpt-image-1.5", 1024): 3}, "USD")  # type: ignore[dict-item]
    with pytest.raises(SettingsError, match="neither a dict nor a function"):
        PriceTable(3, "USD")  # type: ignore[arg-type]
    for word in ("", "a" * 21, "a\nb", None, " ", " \n ", "USD\n"):
        with pytest.raises(SettingsError, match="short word"):
            PriceTable({}, word)  # type: ignore[arg-type]
    for word in ("¢", "a" * 20):
        assert PriceTable({"m": 1}, word).one("m", {}) == 1


def test_a_table_does_not_change() -> None:
    """What happens to a dict after a table was made of it does not change the table."""
    prices = {"gpt-image-1.5": 4.0}
    table = PriceTable(prices, "USD")  # type: ignore[arg-type]  # a dict's keys are invariant
    prices.clear()
    assert table.one("gpt-image-1.5", {}) == 4
    assert len({table, PriceTable({}, "USD")}) == 2


# Limits


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"runs": -1}, "runs=-1"),
        ({"images": 1.5}, "whole number"),
        ({"runs": True}, "whole number"),
        ({"cost": 5}, "PriceTable"),
        ({"cost": float("nan"), "prices": TABLE}, "^cost is nan"),
        ({"tokens": -1, "tokens_each": 1}, "tokens=-1"),
        ({"tokens": 1, "tokens_each": -1}, "tokens_each=-1"),
        ({"tokens": 5}, "tokens_each"),
        ({"since": "yesterday"}, "since"),
        ({"since": -1}, "^since, in seconds since 1970, is -1"),
        ({"since": datetime.min}, "no time that this system knows"),  # noqa: DTZ901 - too early for any
        ({"runs": False}, "runs=False"),
        ({"runs": "5"}, "runs='5'"),
        ({"images": -1}, "images=-1"),
        ({"cost": -0.01, "prices": TABLE}, "^cost is -0.01"),
        ({"cost": 0}, "PriceTable"),
        ({"tokens": 0}, "tokens_each"),
    ],
)
def test_limits_that_can_not_be_kept(limits: dict[str, Any], words: str) -> None:
    """A budget that could not be kept is refused when it is made, and says why."""
    with pytest.raises(SettingsError, match=words):
        Budget(**limits)


@pytest.mark.parametrize(
    ("budget", "spent", "expected"),
    [
        (Budget(), Spent(10**6, 10**6, 10**6, 1e9), ()),
        (Budget(runs=3), Spent(runs=2), ()),
        (Budget(runs=3), Spent(runs=3), ("The budget is 3 runs, 3 spent, and this run counts as 1.",)),
        (Budget(runs=0), Spent(), ("The budget is 0 runs, 0 spent, and this run counts as 1.",)),
        (Budget(runs=1), Spent(runs=1), ("The budget is 1 run, 1 spent, and this run counts as 1.",)),
        (Budget(images=4), Spent(images=2), ()),
        (Budget(images=4), Spent(images=3), ("The budget is 4 images, 3 spent, and this run counts as 2.",)),
        (Budget(tokens=1000, tokens_each=300), Spent(tokens=400), ()),
        (
            Budget(tokens=1000, tokens_each=300),
            Spent(tokens=401),
            ("The budget is 1,000 tokens, 401 spent, and this run counts as 600.",),
        ),
        (
            Budget(tokens=1, tokens_each=0),
            Spent(tokens=2),
            ("The budget is 1 token, 2 spent, and this run counts as 0.",),
        ),
        (
            Budget(images=1),
            Spent(),
            ("The budget is 1 image, 0 spent, and this run counts as 2.",),
        ),
        (Budget(cost=10, prices=TABLE), Spent(cost=2), ()),
        (
            Budget(cost=10, prices=TABLE),
            Spent(cost=2.5),
            ("The budget is 10 quota, 2.5 quota spent, and this run counts as 8 quota.",),
        ),
        (
            Budget(cost=10, prices=PriceTable({}, "quota")),
            Spent(),
            ("Your price table has no price for this run, so its cost can't be held against the budget.",),
        ),
        (
            Budget(cost=10, prices=TABLE),
            Spent(unpriced=2),
            ("Your price table has no price for 2 earlier runs in the log.",),
        ),
        (
            Budget(cost=10, prices=TABLE),
            Spent(unpriced=1),
            ("Your price table has no price for 1 earlier run in the log.",),
        ),
        (
            Budget(runs=3),
            Spent(runs=3, unknown=1_200),
            (
                "The budget is 3 runs, 3 spent, and this run counts as 1.",
                "That includes 1,200 runs of unknown outcome: look in your account whether they were billed.",
            ),
        ),
        (Budget(runs=3), Spent(runs=2, unknown=1), ()),
        (
            Budget(runs=3),
            Spent(runs=3, unknown=1),
            (
                "The budget is 3 runs, 3 spent, and this run counts as 1.",
                "That includes 1 run of unknown outcome: look in your account whether it was billed.",
            ),
        ),
        (Budget(runs=3), Spent(runs=2, set_back=1), ()),
        (
            Budget(runs=3),
            Spent(runs=3, set_back=1),
            (
                "The budget is 3 runs, 3 spent, and this run counts as 1.",
                "The clock was set back: 1 run of an earlier time came later, and count.",
            ),
        ),
        (
            Budget(runs=3),
            Spent(runs=3, set_back=1_200),
            (
                "The budget is 3 runs, 3 spent, and this run counts as 1.",
                "The clock was set back: 1,200 runs of an earlier time came later, and count.",
            ),
        ),
    ],
)
def test_problems(budget: Budget, spent: Spent, expected: tuple[str, ...]) -> None:
    """Each limit that two more results would pass is said in a sentence, and after them what can be done."""
    found = budget.problems(budget.estimate(EditRequest(prompt="x", n=2)), spent)
    assert found[: len(expected)] == expected
    assert found[len(expected) :] == (
        ("Raise the budget, or count from a later time with since=….",) if expected else ()
    )


def test_tokens_that_nobody_reckons() -> None:
    """A run whose tokens are not known is not in the way of a limit that is just spent."""
    budget = Budget(tokens=5, tokens_each=1)
    assert budget.problems(Estimate(1, None, None), Spent(tokens=5)) == ()
    assert len(budget.problems(Estimate(1, None, None), Spent(tokens=6))) == 2


def test_what_is_said_can_not_be_changed() -> None:
    """A budget that is being kept is not changed behind the back of whoever set it."""
    budget = Budget(cost=5, prices=TABLE)
    for changed, name in (
        (budget, "cost"),
        (TABLE, "prices"),
        (Spent(), "cost"),
        (Estimate(1, 1, 1), "cost"),
    ):
        with pytest.raises(FrozenInstanceError):
            setattr(changed, name, 0)


def test_cents_that_add_up() -> None:
    """Three times 0.1 are 0.3, also where floats say otherwise."""
    budget = Budget(cost=0.3, prices=PriceTable({"gpt-image-1.5": 0.1}, "USD"))
    one = budget.estimate(EditRequest(prompt="x"))
    assert budget.problems(one, Spent(cost=0.1 + 0.1)) == ()
    assert len(budget.problems(one, Spent(cost=0.1 + 0.1 + 0.1))) == 2


@pytest.mark.parametrize(
    ("limit", "least"), [(0, 3e-9), (0.3, 3e-9), (1, 4e-9), (1e9, 1.1), (0, 1e-9 + 1e-20), (1e12, 1_001)]
)
def test_just_at_a_limit(limit: float, least: float) -> None:
    """What floats make of an amount is not over its limit, and what is more than that is."""
    budget = Budget(cost=limit, prices=TABLE)
    nothing = Estimate(1, None, 0.0, "quota")
    for over in (0.0, least / 4, 1e-9 if limit == 0 else least / 4):
        assert budget.problems(nothing, Spent(cost=limit + over)) == ()
    assert len(budget.problems(nothing, Spent(cost=limit + least))) == 2
    if limit:
        assert budget.problems(Estimate(1, None, limit / 2, "quota"), Spent(cost=limit / 2)) == ()
        assert len(budget.problems(Estimate(1, None, limit, "quota"), Spent(cost=limit / 100))) == 2


def test_nothing_said() -> None:
    """What is left out is nothing: no limit, no cost, the whole of the log, and one run."""
    assert Spent() == Spent(0, 0, 0, 0.0, 0, 0, 0)
    assert Estimate(2, None, None) == Estimate(2, None, None, "", 1)
    assert Budget().start == 0.0
    assert Budget(since=0).start == 0.0
    assert Budget(since=5).start == 5.0
    assert Budget(since=datetime.fromtimestamp(5, UTC)).start == 5.0
    assert (Budget().tokens_each, Budget().estimate(EditRequest(prompt="x"))) == (
        None,
        Estimate(1, None, None),
    )
    assert (asked_images({}), asked_partials({})) == (1, 0)
    assert PriceTable({"mine": 0}, "USD").one("mine", {}) == 0.0
    assert Budget(cost=0, prices=TABLE).problems(Estimate(1, None, 0.0), Spent()) == ()


def test_many_like_it() -> None:
    """So many requests take as many times what one takes."""
    request = EditRequest(prompt="x", n=2)
    budget = Budget(prices=TABLE, tokens_each=10)
    assert budget.estimate(request) == Estimate(2, 20, 8.0, "quota", 1)
    assert budget.estimate(request, 3) == Estimate(6, 60, 24.0, "quota", 3)
    assert Budget(tokens_each=10).estimate(request, 3) == Estimate(6, 60, None, "", 3)
    unpriced = Budget(prices=PriceTable({}, "quota")).estimate(request, 3)
    assert unpriced == Estimate(6, None, None, "quota", 3)


@pytest.mark.parametrize(
    ("partial_images", "drafts"),
    [(0, 0), (1, 1), (3, 3), (9, 3), (-1, 0), ("2", 2), ("x", 3), (None, 3), (float("inf"), 3)],
)
def test_drafts_take_tokens_too(partial_images: Any, drafts: int) -> None:
    """Each draft that is asked for takes 100 tokens more for each result; as the most where that can't be read."""
    request = EditRequest(prompt="x", n=2, extra_body={"partial_images": partial_images})
    assert Budget(tokens_each=50).estimate(request).tokens == 2 * (50 + 100 * drafts)
    assert asked_partials(sent_options(request)) == drafts


def test_keys_of_a_table_that_are_none() -> None:
    """What is neither a name nor a tuple of names is refused, and no price is left unlooked at."""
    for key in (7, b"gpt-image-1.5", ("gpt-image-1.5", None), frozenset({"gpt-image-1.5"})):
        with pytest.raises(SettingsError, match="names no model"):
            PriceTable({key: 3}, "USD")  # type: ignore[dict-item]
    for word in (7, "a\tb", "\x00"):
        with pytest.raises(SettingsError, match="short word"):
            PriceTable({}, word)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match=r"The price for \('m', 'auto'\) is -1"):
        PriceTable({"m": 1, ("m", "auto"): -1}, "USD")


@pytest.mark.parametrize(
    ("n", "images"), [(3, 3), ("4", 4), ("many", 10), (None, 10), (-2, 1), (float("inf"), 10), (40, 40)]
)
def test_a_number_of_results_of_ones_own(n: Any, images: int) -> None:
    """What is sent counts, also where extra_body says it; as the most there can be where that can't be read."""
    assert Budget().estimate(EditRequest(prompt="x", extra_body={"n": n})).images == images


# In a log


def test_spent_up(server: Server, photo: Image.Image, log: RunLog) -> None:
    """Runs go through until the budget is spent; the next is refused before anything is sent, and leaves no row."""
    budget = Budget(runs=2)
    for _ in range(2):
        _edit(server, photo, log, budget)
    with pytest.raises(BudgetError, match=r"^Nothing was sent\. The budget is 2 runs, 2 spent") as caught:
        _edit(server, photo, log, budget)
    assert len(caught.value.problems) == 2
    assert len(server.posts) == len(log.rows()) == 2
    assert log.problems(budget, EditRequest(prompt="x")) == caught.value.problems
    assert log.problems(Budget(runs=3), EditRequest(prompt="x")) == ()


def test_needs_a_log(server: Server, photo: Image.Image) -> None:
    """A budget without a log to count in is an error that says so."""
    with pytest.raises(SettingsError, match="counts in a log"):
        edit(photo, "x", client=Client(KEY, base_url=server.url), log=False, budget=Budget(runs=5))
    assert server.posts == []


def test_estimate_then_actual(server: Server, photo: Image.Image, log: RunLog) -> None:
    """While a run is under way its estimate counts, and then what really came: images, tokens and cost."""
    hold = server.event()
    server.answer = Reply(200, json_reply(pictures(photo, photo)).body, hold=hold)
    budget = Budget(images=9, tokens=9000, tokens_each=1000, cost=99, prices=TABLE)
    run = start_edit(
        photo, "x", n=3, size="1024x1024", client=Client(KEY, base_url=server.url), log=log, budget=budget
    )
    server.wait_for(1)
    assert run.estimate == Estimate(3, 3000, 9, "quota")
    assert log.spent(budget) == Spent(runs=1, images=3, tokens=3000, cost=9)
    hold.set()
    run.wait(PATIENCE)
    # The server's reply has two pictures of three, and says 30 tokens.
    assert run.cost == 6
    assert log.spent(budget) == Spent(runs=1, images=2, tokens=30, cost=6)
    (row,) = log.rows()
    assert (row.asked, row.images, row.tokens) == (3, 2, 30)
    assert (row.estimate, row.cost, row.currency) == (9, 6, "quota")


def test_actual_by_tokens(server: Server, photo: Image.Image, log: RunLog) -> None:
    """A function of the counted tokens says what a run cost; its mistake costs neither the answer nor the estimate."""

    def actual(model: str, options: Mapping[str, Any], usage: Mapping[str, int | None]) -> float | None:
        output = usage["output_tokens"]
        return None if output is None else output / 100

    def mistaken(model: str, options: Mapping[str, Any], usage: Mapping[str, int | None]) -> float:
        raise KeyError("output")

    table = PriceTable({"gpt-image-1.5": 4}, "USD", actual)
    assert table.cost("gpt-image-1.5", {}, 2, {"output_tokens": None}) == 8
    _edit(server, photo, log, Budget(prices=table))
    broken = Budget(prices=PriceTable({"gpt-image-1.5": 4}, "USD", mistaken))
    run = edit(photo, "x", client=Client(KEY, base_url=server.url), log=log, budget=broken)
    assert (run.status, run.cost) == ("done", None)
    assert "counts as estimated" in run.note
    assert [(row.estimate, row.cost) for row in log.rows()] == [(4, None), (4, 0.2)]
    assert log.totals().costs == {"USD": 4.2}


def test_actual_costs_count_from_the_start_of_a_budget(
    server: Server, photo: Image.Image, log: RunLog
) -> None:
    """What runs cost by their tokens counts from when the budget does, and of those alone that may have been billed."""
    prices = PriceTable({"gpt-image-1.5": 4}, "USD", lambda model, options, usage: 0.5)
    _edit(server, photo, log, Budget(prices=prices))
    later = datetime.now(UTC)
    server.answer = json_reply({"error": {"message": "no"}}, 400)
    with pytest.raises(RefusedError):
        _edit(server, photo, log, Budget(prices=prices))
    assert log.spent(Budget(prices=prices)).cost == 0.5
    assert log.spent(Budget(prices=prices, since=later)).cost == 0


def test_refused_counts_as_nothing_and_unknown_as_spent(
    server: Server, photo: Image.Image, log: RunLog
) -> None:
    """What the service refused is not spent; what may have been billed is, until you say that it was not."""
    budget = Budget(runs=1, cost=4, prices=TABLE)
    server.answer = json_reply({"error": {"message": "no"}}, 400)
    with pytest.raises(RefusedError):
        _edit(server, photo, log, budget)
    assert log.spent(budget) == Spent()

    server.answer = html_reply(504)
    with pytest.raises(UnknownOutcomeError):
        _edit(server, photo, log, budget)
    assert log.spent(budget) == Spent(runs=1, images=1, cost=3, unknown=1)
    with pytest.raises(
        BudgetError, match="1 run of unknown outcome: look in your account whether it was billed"
    ):
        _edit(server, photo, log, budget)

    log.found(log.rows(state="unknown")[0].id, billed=False)
    assert log.spent(budget) == Spent()
    log.found(log.rows(state="unknown")[0].id, billed=True)
    assert log.spent(budget).runs == 1


def test_offline_counts_as_nothing(photo: Image.Image, log: RunLog) -> None:
    """The embedded service spends nothing, so no budget is in its way."""
    for _ in range(2):
        edit(
            photo,
            "x",
            client=Client.offline(),
            log=log,
            budget=Budget(runs=0, cost=0, prices=PriceTable({}, "USD")),
            model="dall-e-2",
            size="256x256",
        )
    assert log.spent(Budget()) == Spent()
    assert (log.totals().runs, log.totals().offline) == (0, 2)


def test_since(server: Server, photo: Image.Image, log: RunLog) -> None:
    """A budget may count from a moment on, given as a datetime or in seconds."""
    _edit(server, photo, log, Budget(runs=1))
    # The clock has steps.
    later = time.time() + 0.001
    assert log.spent(Budget(since=later)).runs == 0
    assert log.spent(Budget(since=datetime.now(UTC) + timedelta(seconds=1))).runs == 0
    assert log.spent(Budget(since=datetime.now(UTC) - timedelta(days=1))).runs == 1


def test_earlier_runs_are_priced_too(server: Server, photo: Image.Image, log: RunLog) -> None:
    """Runs from before there was a table, or with another currency, are priced by it; where it can't, it says so."""
    _edit(server, photo, log, Budget())
    _edit(server, photo, log, Budget(prices=PriceTable({"gpt-image-1.5": 0.04}, "USD")))
    size = log.rows()[0].options.get("size", "auto")
    budget = Budget(cost=100, prices=PriceTable({("gpt-image-1.5", size): 4}, "quota"))
    assert log.spent(budget) == Spent(runs=2, images=2, tokens=60, cost=8)
    other = Budget(cost=100, prices=PriceTable({"dall-e-2": 1}, "quota"))
    assert log.spent(other).unpriced == 2
    with pytest.raises(BudgetError, match="no price for 2 earlier runs"):
        _edit(server, photo, log, other, model="dall-e-2", size="256x256")


def test_pruning_gives_nothing_back(server: Server, photo: Image.Image, log: RunLog) -> None:
    """A history that is tidied up has cost what it cost."""
    budget = Budget(runs=2, cost=100, prices=TABLE)
    _edit(server, photo, log, budget)
    before = log.spent(budget)
    log.prune(keep=0)
    assert log.rows() == []
    assert log.spent(budget) == before
