"""An experiment as one file: looked at, sorted, compared and voted on in any browser, with no network and no key."""

from __future__ import annotations

from .page import script_of, text_of, write_report

__all__ = ["script_of", "text_of", "write_report"]
