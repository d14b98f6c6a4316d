"""The fault matrix: every fault by every way to send a request and every body form.

Prints a line for each fault, of what was seen, and a total; ends with 1 where a request was sent twice, an error is of
the wrong class, or the log does not agree with what the server saw.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Iterable
from pathlib import Path

# So that the script also runs by its path.
sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.faults import DRIVERS, FAULTS, WIRES, Seen, after


def seen_by_all(values: Iterable[object]) -> str:
    """What all saw, or each of what was seen where they differ."""
    return " / ".join(sorted(set(map(str, values))))


def main() -> int:
    """Run all of it."""
    warnings.simplefilter("ignore")
    logging.disable()
    os.environ.pop("TTAPI_OFFLINE", None)
    done = misses = most = 0
    print(f"  {'fault':28} {'error':22} {'POSTs':6} {'log':9}")
    for fault in FAULTS:
        began = time.monotonic()
        seen: list[Seen] = []
        wrong: list[str] = []
        for driver in DRIVERS:
            for wire in WIRES:
                with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
                    seen.append(after(fault, driver, wire, Path(folder)))
                wrong += [f"{driver}, {wire}: {what}" for what in seen[-1].wrong]
        done, misses = done + len(seen), misses + len(wrong)
        most = max(most, *(one.posts for one in seen))
        error, posts = (seen_by_all(one.error for one in seen), seen_by_all(one.posts for one in seen))
        state = seen_by_all(one.state for one in seen if one.state)
        print(
            f"  {fault.name:28} {error:22} {posts:6} {state:9} {len(wrong)} misses  "
            f"{time.monotonic() - began:5.1f} s {wrong or ''}",
            flush=True,
        )
    ways = f"{len(FAULTS)} faults, {len(DRIVERS)} ways to send, {len(WIRES)} body forms"
    print(f"The faults: {ways}: {done} requests, at most {most} POST each, {misses} misses")
    return int(misses > 0)


if __name__ == "__main__":
    sys.exit(main())
