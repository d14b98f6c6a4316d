"""The fault matrix: every fault by every way to send a request and every body form.

Prints a line for each fault and a total; ends with 1 where a request was sent twice, an error is of the wrong class, or
the log does not agree with what the server saw.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

# So that the script also runs by its path.
sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.faults import DRIVERS, FAULTS, WIRES, wrong_after


def main() -> int:
    """Run all of it."""
    warnings.simplefilter("ignore")
    logging.disable()
    os.environ.pop("TTAPI_OFFLINE", None)
    done = misses = 0
    for fault in FAULTS:
        began = time.monotonic()
        wrong: list[str] = []
        for driver in DRIVERS:
            for wire in WIRES:
                with tempfile.TemporaryDirectory() as folder:
                    found = wrong_after(fault, driver, wire, Path(folder))
                done += 1
                wrong += [f"{driver}, {wire}: {what}" for what in found]
        misses += len(wrong)
        expected = (
            f"{fault.error.__name__:22} {fault.posts} POST{' ' if fault.posts == 1 else 's'} {fault.state:9}"
        )
        print(
            f"  {fault.name:28} {expected} {len(wrong)} misses  {time.monotonic() - began:5.1f} s {wrong or ''}"
        )
    ways = f"{len(FAULTS)} faults, {len(DRIVERS)} ways to send, {len(WIRES)} body forms"
    print(f"The faults: {ways}: {done} requests, {misses} misses")
    return int(misses > 0)


if __name__ == "__main__":
    sys.exit(main())
