"""Tests that interrupt one thread, and where they can."""

from __future__ import annotations

import sys

import pytest

__all__ = ["interrupts"]

interrupts = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one thread")
