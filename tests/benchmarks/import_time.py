"""How long `import ttapi_nb` and the first editor take in a live kernel, beside what any such editor must import.

A kernel has loaded most of the standard library before a user's first cell. Each case is timed in a kernel of its own,
in turn.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from jupyter_client.manager import start_new_kernel

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks._bench import Table

ROUNDS = 7
LIBRARIES = "import ipywidgets, ipycanvas, anywidget"
EDITOR = "import ttapi_nb; ttapi_nb.ImageEditor()"
MOST, MOST_ALONE = 1.15, 0.1
REST = (
    "ours are as much again as the libraries: 200 small modules for photo, mask, fit, log and client, which the first "
    "photo needs in any case; a quarter of it is what `dataclass` compiles, of which only a generator of our own would "
    "do with less; what sends, lands and records is loaded apart, and what only the lab needs"
)
PATIENCE = 120


def measured(code: str) -> tuple[float, float]:
    """How long `code` takes in the first cell of a new kernel, in seconds, and by how many megabytes that grows."""
    # Compiled once, as pip compiles what it installs; an editable install is compiled by its first use.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    manager, client = start_new_kernel(startup_timeout=PATIENCE, env=environment)
    said: list[str] = []

    def hear(message: dict[str, dict[str, str]]) -> None:
        said.append(message["content"].get("text", ""))

    try:
        timed = (
            "import time, resource; most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; "
            f"start = time.perf_counter(); {code}; spent = time.perf_counter() - start; "
            "print(spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - most)"
        )
        client.execute_interactive(timed, timeout=PATIENCE, output_hook=hear, store_history=False)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    spent, grown = "".join(said).split()
    return float(spent), int(grown) / 1024


def main() -> int:
    """Print the table."""
    if sys.platform != "linux":
        print("Only Linux tells a process's memory as this does. Run it there.")
        return 0
    table = Table("The first editor of a kernel")
    found: dict[str, list[tuple[float, float]]] = {LIBRARIES: [], "import ttapi_nb": [], EDITOR: []}
    for number in range(ROUNDS + 1):
        for code, times in found.items():
            one = measured(code)
            # The first round compiles, and fills the disk's cache.
            if number:
                times.append(one)
    seconds = {code: [one for one, _ in times] for code, times in found.items()}
    peaks = {code: max(grown for _, grown in times) for code, times in found.items()}
    pair = peaks[EDITOR], peaks[LIBRARIES]
    table.compare(
        "the first editor, against its libraries",
        seconds[EDITOR],
        seconds[LIBRARIES],
        MOST,
        peak=pair,
        note=REST,
    )
    pair = peaks["import ttapi_nb"], peaks[LIBRARIES]
    table.compare(
        "import ttapi_nb, against the same",
        seconds["import ttapi_nb"],
        seconds[LIBRARIES],
        MOST_ALONE,
        peak=pair,
    )
    return table.finish()


if __name__ == "__main__":
    sys.exit(main())
