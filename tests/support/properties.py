"""How often a property is tried: by as many examples as it asks for, or by a sample of them while somebody works."""

from __future__ import annotations

import os

import hypothesis

QUICK = os.environ.get("TTAPI_TEST_QUICK", "") not in ("", "0")
"""Whether properties are only sampled, as `make quick` asks for."""

SAMPLE = 8
"""So many examples are tried then, besides those that are written down."""


def load_profile() -> None:
    """Make what holds for every property the default."""
    # How long an example takes says more about who else uses the machine than about what is tested.
    hypothesis.settings.register_profile("full", deadline=None)
    hypothesis.settings.register_profile("quick", deadline=None, max_examples=SAMPLE)
    hypothesis.settings.load_profile("quick" if QUICK else "full")


def examples(count: int) -> hypothesis.settings:
    """Try a property by `count` examples, where it is not only sampled."""
    return hypothesis.settings(max_examples=min(count, SAMPLE) if QUICK else count)
