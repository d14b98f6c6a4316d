"""Requests prepared as a run would have them."""

from __future__ import annotations

from ttapi_nb import EditRequest, Fit
from ttapi_nb.asked import Asked, Prepared, prepare


def prepared(request: EditRequest, fit: str = "auto") -> Prepared:
    """The request as it would be sent, whatever is wrong with it."""
    return prepare(Asked(request, fit))


def fitted(request: EditRequest, fit: str = "auto") -> tuple[EditRequest, Fit]:
    """What would be sent of a request that has a picture, and the plan for that."""
    found = prepared(request, fit)
    assert found.plan is not None
    return found.sent, found.plan
