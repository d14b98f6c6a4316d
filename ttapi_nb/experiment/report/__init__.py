"""An experiment as one file: looked at, sorted, compared and voted on in any browser, with no network and no key."""

from __future__ import annotations

from .page import write_report

__all__ = ["write_report"]
