"""The model table as a table: its rows, the rule for sizes, and what it says in words."""

from __future__ import annotations

import dataclasses
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttapi_nb import EditRequest
from ttapi_nb.models import (
    DEFAULT_MODEL,
    MODELS,
    Model,
    SizeRule,
    in_order,
    living,
    megabytes,
    model_for,
    parse_size,
)

GPT_IMAGE_2 = MODELS["gpt-image-2"]


def test_the_table_has_its_rows_and_the_retired_last() -> None:
    """Each model has a row under its own name, in the order in which they are offered."""
    live, gone = ["gpt-image-1.5", "gpt-image-2"], ["gpt-image-1", "dall-e-2", "dall-e-3"]
    assert list(MODELS) == [*live, *gone]
    assert all(row.name == name for name, row in MODELS.items())


def test_the_default_is_the_first_that_lives() -> None:
    """A newcomer is given a model that edits, that TTAPI lists, and that nobody has retired."""
    row = MODELS[DEFAULT_MODEL]
    assert (row.edits, row.listed, row.is_retired()) == (True, True, False)
    assert EditRequest().model == DEFAULT_MODEL == "gpt-image-1.5"
    assert f"Choose one, {DEFAULT_MODEL} " in EditRequest(model="").problems()[0]


@pytest.mark.parametrize(
    ("day", "names"),
    [
        (date(2026, 5, 11), ("gpt-image-1", "dall-e-2", "gpt-image-1.5", "gpt-image-2")),
        (date(2026, 5, 12), ("gpt-image-1", "gpt-image-1.5", "gpt-image-2")),
        (date(2026, 10, 22), ("gpt-image-1", "gpt-image-1.5", "gpt-image-2")),
        (date(2026, 10, 23), ("gpt-image-1.5", "gpt-image-2")),
    ],
)
def test_what_lives_on_a_day(day: date, names: tuple[str, ...]) -> None:
    """A row is offered as living until the day on which it is retired, in the table's own order."""
    assert living(day) == names


def test_a_retirement_to_come_moves_nothing() -> None:
    """A row with a day that is yet to come stands among the living; on that day it goes behind them."""
    rows = [Model("old", "page", retired=date(2027, 3, 1)), Model("new", "page")]
    assert [row.name for row in in_order(rows, date(2027, 2, 28))] == ["old", "new"]
    assert [row.name for row in in_order(rows, date(2027, 3, 1))] == ["new", "old"]


def test_the_row_that_only_generates() -> None:
    """dall-e-3 has limits of its own and can't edit."""
    row = MODELS["dall-e-3"]
    assert not row.edits
    assert (row.prompt_limit, row.n_max) == (4_000, 1)
    assert row.sizes == ("auto", "1024x1024", "1792x1024", "1024x1792")
    assert row.choices["quality"] == ("auto", "hd", "standard")


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("dall-e-2", date(2026, 5, 12)),
        ("dall-e-3", date(2026, 5, 12)),
        ("gpt-image-1", date(2026, 10, 23)),
        ("gpt-image-1.5", None),
        ("gpt-image-2", None),
    ],
)
def test_retired_rows_carry_their_day(name: str, day: date | None) -> None:
    """A row that its maker retired says when, and stays in the table."""
    assert MODELS[name].retired == day


@pytest.mark.parametrize("name", MODELS)
def test_each_row_names_its_source(name: str) -> None:
    """Where a row's limits come from stands in the row, as pages with a date or a maker."""
    assert "page" in MODELS[name].source or "TTAPI" in MODELS[name].source


def test_the_table_can_not_be_changed() -> None:
    """Neither a row, nor its choices, nor the table itself."""
    row: Any = MODELS["dall-e-2"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        row.n_max = 99
    with pytest.raises(TypeError):
        row.choices["quality"] = ("hd",)
    table: Any = MODELS
    with pytest.raises(TypeError):
        table["mine"] = row


def test_a_row_keeps_no_hold_of_the_choices_it_was_made_with() -> None:
    """Changing the dict afterwards does not change the row."""
    choices = {"quality": ("auto",)}
    row = Model("mine", "nowhere", choices=choices)
    choices["style"] = ("vivid",)
    assert dict(row.choices) == {"quality": ("auto",)}


def test_a_name_that_no_row_knows() -> None:
    """Such a model is sent as typed, with only the limits that hold for every model."""
    row = model_for("a-model-of-tomorrow")
    assert (row.name, row.known, row.edits) == ("a-model-of-tomorrow", False, True)
    assert (row.prompt_limit, row.n_max, row.mask_bytes) == (32_000, 10, 4_000_000)
    assert row.takes_size("777x333")
    assert model_for("dall-e-2") is MODELS["dall-e-2"]


@pytest.mark.parametrize(
    ("count", "words"), [(4_000_000, "4 MB"), (4_200_000, "4.2 MB"), (50_000_000, "50 MB"), (0, "0 MB")]
)
def test_megabytes_in_words(count: int, words: str) -> None:
    """A megabyte is a million bytes, and a round number has no decimals."""
    assert megabytes(count) == words


@given(st.integers(1, 99_999), st.integers(1, 99_999))
def test_a_size_is_read_as_it_is_written(width: int, height: int) -> None:
    """Two numbers with an x between them are a size."""
    assert parse_size(f"{width}x{height}") == (width, height)


@pytest.mark.parametrize(
    "text",
    [
        "auto",
        "",
        "x",
        "1024",
        "1024x",
        "x1024",
        "0x5",
        "05x5",
        "-5x5",
        "5X5",
        "5×5",
        "5 x 5",
        "5x5\n",
        "100000x5",
        "٥x٥",
    ],
)
def test_what_is_no_size(text: str) -> None:
    """Anything else is none, other scripts' digits and a trailing line break included."""
    assert parse_size(text) is None


@pytest.mark.parametrize("name", [name for name in MODELS if name != "gpt-image-2"])
def test_a_list_of_sizes_takes_what_it_lists(name: str) -> None:
    """Auto and each listed size are taken, and one pixel more is not."""
    row = MODELS[name]
    assert row.takes_size("auto")
    assert all(row.takes_size(size) for size in row.sizes)
    assert not row.takes_size("1025x1024")
    assert row.sizes_in_words == ", ".join(row.sizes)


def test_each_size_that_a_picker_offers_meets_the_rule() -> None:
    """What gpt-image-2's picker lists is what its rule allows."""
    rule = GPT_IMAGE_2.size_rule
    assert rule is not None
    for size in GPT_IMAGE_2.sizes:
        sides = parse_size(size)
        assert size == "auto" or (sides is not None and rule.takes(*sides))


@given(st.integers(1, 4000), st.integers(1, 4000))
def test_a_rule_is_the_same_for_wide_and_tall(width: int, height: int) -> None:
    """Turning a size by a quarter changes nothing."""
    assert GPT_IMAGE_2.takes_size(f"{width}x{height}") == GPT_IMAGE_2.takes_size(f"{height}x{width}")


@given(st.integers(1, 250).map(lambda k: 16 * k), st.integers(1, 250).map(lambda k: 16 * k))
def test_a_rule_holds_all_its_parts_at_once(width: int, height: int) -> None:
    """A size is taken exactly where shape, longest side and area are all within bounds."""
    within = (
        1 / 3 <= width / height <= 3 and max(width, height) <= 3840 and 655_360 <= width * height <= 8_294_400
    )
    assert GPT_IMAGE_2.takes_size(f"{width}x{height}") == within
    assert not GPT_IMAGE_2.takes_size(f"{width + 8}x{height}")


def test_a_rule_in_words() -> None:
    """The sentence names every part of the rule."""
    words = str(SizeRule(multiple=16, ratio=3, longest=3840, least_area=655_360, most_area=8_294_400))
    for part in ("WIDTHxHEIGHT", "divisible by 16", "3840", "1:3", "3:1", "655,360", "8,294,400"):
        assert part in words
    assert words in GPT_IMAGE_2.sizes_in_words
    assert GPT_IMAGE_2.sizes_in_words.startswith("auto, or ")
