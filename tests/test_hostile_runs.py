"""A sample of `tests/trust/hostile.py`: callbacks that do their worst, a locked log and a full disk at once."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.trust import hostile
from ttapi_nb.run import carrier


@pytest.mark.slow
def test_every_answer_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 22 runs at once no answer is lost, every wait returns, and each row says how its run ended."""
    monkeypatch.setattr(carrier, "WATCHER_PATIENCE", 0.2)
    # What the callbacks raise is logged, which elsewhere fails a test.
    monkeypatch.setattr("logging.Logger.exception", lambda *given: None)
    before = logging.getLogger("ttapi_nb").level
    try:
        assert hostile.attack(22, tmp_path / "log") == (0, 0, 0)
    finally:
        logging.getLogger("ttapi_nb").setLevel(before)
        hostile.never.set()
