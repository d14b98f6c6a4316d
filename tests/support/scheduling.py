"""How files of tests are shared out among processes: one more of them than may drive a browser at once."""

from __future__ import annotations

import os
from typing import Any

from xdist.scheduler import LoadFileScheduling

__all__ = ["BrowsersOnCores"]

BROWSERS = os.cpu_count() or 1
"""How many processes may drive a browser at once: with its page and its kernels, each keeps a core busy."""


class BrowsersOnCores(LoadFileScheduling):  # type: ignore[misc] # xdist has no types here
    """Files one after another to whoever is free. Tests wait a fifth of their time, which another process fills; those
    with a browser come last, wait for nothing, and are left to as many processes as there are cores.
    """

    def _reschedule(self, node: Any) -> None:
        going_on = [one for one in self.nodes if not one.shutting_down]
        next_file = next(iter(self.workqueue), "")
        if next_file.startswith("tests/ui/") and node in going_on[BROWSERS:]:
            # It does what it has, and ends.
            node.shutdown()
        else:
            super()._reschedule(node)
