"""Boxes and sizes."""

from __future__ import annotations

from typing import Any

import pytest

from ttapi_nb.fit.geometry import common


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ((5, 6, 20, 20), (5, 6, 10, 12)),
        ((-5, -5, 4, 3), (0, 0, 4, 3)),
        ((2, 3, 4, 5), (2, 3, 4, 5)),
        ((10, 0, 20, 12), None),
        ((0, 12, 10, 20), None),
        ((9, 11, 20, 20), (9, 11, 10, 12)),
        ((30, 30, 40, 40), None),
    ],
)
def test_what_two_boxes_share(other: Any, expected: Any) -> None:
    """Of what came back, the part that is pasted is where it meets the mask's surroundings; touching is not meeting."""
    for one, another in (((0, 0, 10, 12), other), (other, (0, 0, 10, 12))):
        assert common(one, another) == expected
