"""How often a property or a table is tried: whole, or by a sample of it while somebody works."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

import hypothesis
import pytest

QUICK = os.environ.get("TTAPI_TEST_QUICK", "") not in ("", "0")
"""Whether properties are only sampled, as `make quick` asks for."""

SAMPLE = 2
"""So many examples are tried then, besides those that are written down; and so many cases of a long table."""

WHOLE = 60
"""So many examples are tried of a property that doesn't say how many."""

DEAR = 1
"""So many cases of a table that is marked `dear`."""


def load_profile() -> None:
    """Make what holds for every property the default."""
    # How long an example takes says more about who else uses the machine than about what is tested.
    hypothesis.settings.register_profile("full", deadline=None, max_examples=WHOLE)
    hypothesis.settings.register_profile("quick", deadline=None, max_examples=SAMPLE)
    hypothesis.settings.load_profile("quick" if QUICK else "full")


def examples(count: int) -> hypothesis.settings:
    """Try a property by `count` examples, where it is not only sampled."""
    return hypothesis.settings(max_examples=min(count, SAMPLE) if QUICK else count)


def sample(tests: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Leave of a test with many cases only `SAMPLE`, or `DEAR`, from its first to its last in even steps."""
    tables: dict[str, list[pytest.Item]] = {}
    for test in tests:
        tables.setdefault(test.nodeid.split("[", 1)[0], []).append(test)
    kept = {id(test) for table in tables.values() for test in _some(table)}
    return [test for test in tests if id(test) in kept]


def _some(table: Sequence[pytest.Item]) -> Iterable[pytest.Item]:
    count = DEAR if table[0].get_closest_marker("dear") else SAMPLE
    if len(table) <= count:
        return table
    return (table[round(step * (len(table) - 1) / max(1, count - 1))] for step in range(count))
