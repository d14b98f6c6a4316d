"""What is said where a command can't be carried out."""

from __future__ import annotations

import sys

__all__ = ["HIDDEN", "fail"]

HIDDEN = (
    "What was typed is not repeated here, as it may be your key. If it was: it is in the shell's history now, so "
    "remove it there; ttapi-nb key, with nothing behind it, asks for the key without showing it."
)


def fail(problem: str, code: int = 1) -> int:
    """Say it, and give the exit code."""
    print(problem, file=sys.stderr)
    return code
