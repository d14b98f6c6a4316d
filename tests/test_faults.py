"""A sample of `make trust`: one request, one fault, at most one POST, the right error, and a log that agrees."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import DRIVERS, FAULTS, WIRES, Fault, after
from ttapi_nb.client.client import Wire

# Each fault by one way to send and one body form, so that each two of these meet.
PAIRS = [(driver, wire) for wire in WIRES for driver in DRIVERS]
SAMPLE = [(fault, *PAIRS[number * 7 % len(PAIRS)]) for number, fault in enumerate(FAULTS)]


def test_the_sample_has_every_pair() -> None:
    """Every way to send meets every body form at least twice."""
    met = [(driver, wire) for _, driver, wire in SAMPLE]
    assert len(FAULTS) >= 20
    assert all(met.count(pair) >= 2 for pair in PAIRS)


@pytest.mark.parametrize(("fault", "driver", "wire"), SAMPLE, ids=lambda it: getattr(it, "name", str(it)))
def test_one_post_the_right_error_and_a_log_that_agrees(
    fault: Fault, driver: str, wire: Wire, tmp_path: Path
) -> None:
    """Whatever goes wrong, nothing is sent twice, and whoever sent it learns whether it may be billed."""
    assert after(fault, driver, wire, tmp_path).wrong == ()


@pytest.mark.dear
@pytest.mark.parametrize("fault", [it for it in FAULTS if it.refusals], ids=lambda it: it.name)
@pytest.mark.parametrize("driver", DRIVERS)
def test_an_attempt_to_connect_is_made_twice(fault: Fault, driver: str, tmp_path: Path) -> None:
    """A connection that is refused once is tried once more, whoever sends, and that is still one POST or none."""
    assert after(fault, driver, "json", tmp_path).wrong == ()
