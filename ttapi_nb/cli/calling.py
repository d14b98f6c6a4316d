"""`main`: which command is meant, and carrying it out."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from . import commands
from .failing import HIDDEN, fail
from .lab import lab
from .parsing import parser

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the commands; returns the exit code."""
    options, rest = parser().parse_known_args(arguments)
    if options.command == "lab":
        return lab(options, rest)
    if rest:
        return fail(
            f"ttapi-nb {options.command} does not know all of that. See ttapi-nb {options.command} --help. {HIDDEN}",
            2,
        )
    own = {
        "experiment": commands.experiment,
        "generate": commands.generate,
        "key": commands.key,
        "select": commands.select,
        "serve": commands.serve,
    }
    try:
        code = own.get(options.command, commands.of_gateway)(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read it, head say, had enough; Python would say so once more as it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code
